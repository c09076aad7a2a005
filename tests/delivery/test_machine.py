"""Law 3 by a state machine: any verdict at any time, a crash or a full disk at any step, clocks that jump, and who takes over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

Make = Callable[..., Any]

STATUSES = (200, 200, 200, 400, 401, 404, 413, 422, 429, 500, 502, 503)
WORDS = (
    *("delivered", "delivered", "retry", "rejected", "too large", "unknown"),
    *("unauthorised", "refresh"),
)
SESSIONS = st.sampled_from(["s", "t", "u"])


def _answers(simulation: Any) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.just(simulation.OK),
        st.just(simulation.LOST),
        st.just(simulation.RESET),
        st.just(simulation.REFUSED),
        st.just(simulation.Word(takes=1e9)),
        st.builds(
            lambda status, after: simulation.Word(status, stored=status == 200, after=after),
            st.sampled_from(STATUSES),
            st.none() | st.sampled_from([0.0, 3.0, 900.0]),
        ),
        st.builds(lambda word: simulation.Word(words=word), st.sampled_from(WORDS)),
        st.builds(
            lambda left, reset: simulation.Word(
                headers={"x-ratelimit-remaining": str(left), "x-ratelimit-reset": str(reset)}
            ),
            st.integers(0, 3),
            st.sampled_from([0, 5, 10**10]),
        ),
    )


def _machine(  # noqa: C901 - its rules are one class
    world: Make, member: Make, simulation: Any, call: Make
) -> type[RuleBasedStateMachine]:
    answers = _answers(simulation)

    class Delivery(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.back = 0.0
            self.world: Any = None
            away = {"base_url": "https://away.invalid"}
            self.world = world(
                member(needs_ticket=True),
                member(name="once", idempotent=False, **away),
                member(name="again", idempotent=False, on_unknown="at_least_once", rate=3),
                member("acme-upserts", quiet=2, patience=10, **away),
                member("acme-chats", idempotent=False),
                state_bytes=1,
                session_memory=20_000,
                clock=self._clock,
            )
            self.scripts: dict[str, list[Any]] = {}
            self.said: dict[str, list[str]] = {}
            self._prepare_scripts()

        def _prepare_scripts(self) -> None:
            for name, vendor in self.world.vendors.items():
                script = self.scripts.setdefault(name, [])
                vendor.answer = self._answers(script, simulation.OK)

        def _clock(self) -> float:
            passed = 0.0 if self.world is None else self.world.loop.time()
            return float(simulation.START + passed - self.back)

        @staticmethod
        def _answers(script: list[Any], plain: Any) -> Callable[[float, Any], Any]:
            return lambda now, request: script.pop(0) if script else plain

        @rule(
            count=st.integers(1, 8),
            session=st.none() | SESSIONS,
            size=st.sampled_from([1, 30, 900, 3000]),
        )
        def record(self, count: int, session: str | None, size: int) -> None:
            self.world.record([self._next(session, size) for _ in range(count)])

        def _next(self, session: str | None, size: int) -> Any:
            if session is None:
                return call("x" * size)
            said = self.said.setdefault(session, [])
            said += [f"question {len(said)}", f"answer {len(said)}"]
            return call("x" * size, session, *said)

        @rule(
            names=st.sets(st.sampled_from(["acme", "once", "again", "acme-upserts", "acme-chats"])),
            words=st.lists(answers, min_size=1, max_size=6),
        )
        def script(self, names: set[str], words: list[Any]) -> None:
            for name in sorted(names):
                self.scripts[name].extend(words)

        @rule(session=SESSIONS)
        def end(self, session: str) -> None:
            self.world.end(session)

        @rule(seconds=st.sampled_from([0.01, 0.2, 5.0, 90.0, 4000.0]))
        def pass_time(self, seconds: float) -> None:
            self.world.run(seconds)

        @rule(seconds=st.sampled_from([-7200.0, -60.0, -0.1, 60.0, 7200.0]))
        def put_the_clock(self, seconds: float) -> None:
            self.world.shift += seconds

        @rule(calls=st.lists(st.sampled_from([True, False, False]), min_size=1, max_size=20))
        def the_log_fails(self, calls: list[bool]) -> None:
            self.world.failures = calls

        @rule(grace=st.sampled_from([0.0, 0.01, 1.0, 60.0]))
        def hand_over(self, grace: float) -> None:
            self.world.hand_over(grace)

        @precondition(lambda self: len(self.world.vendors) < 7)
        @rule(replay=st.booleans(), kind=st.sampled_from(["acme", "acme-upserts"]))
        def add_an_exporter(self, replay: bool, kind: str) -> None:
            name = f"later {len(self.world.vendors)}"
            self.world.add(*member(kind, name=name, replay=replay))
            self._prepare_scripts()

        @rule(steps=st.integers(1, 100), session=st.none() | SESSIONS, count=st.integers(0, 4))
        def crash(self, steps: int, session: str | None, count: int) -> None:
            self.record(count, session, 1)
            self.world.hurry()
            self.world.crash_in = steps
            self.world.run(30.0)
            self.world.crash_in = None

        @rule(seconds=st.sampled_from([0.1, 7200.0]))
        def put_the_clock_back(self, seconds: float) -> None:
            self.back += seconds

        @rule(session=SESSIONS, seconds=st.sampled_from([0.01, 0.04, 0.06, 0.5]))
        def go_on_while_it_is_sent(self, session: str, seconds: float) -> None:
            self.record(1, session, 1)
            self.world.run(0.01)
            self.world.hurry()
            self.world.run(seconds)
            self.record(1, session, 1)

        @rule()
        def flush(self) -> None:
            self.world.hurry()

        @invariant()
        def law_3(self) -> None:
            self.world.check()

        @invariant()
        def what_was_delivered_is_there(self) -> None:
            for name in ("acme", "once", "again"):
                stored = self.world.vendors[name].ids()
                for one, place in self.world.places(name).items():
                    assert place != "delivered" or stored[one] >= 1

        @invariant()
        def what_may_be_there_once_is_there_once(self) -> None:
            for name in ("once", "acme-chats"):
                assert all(times == 1 for times in self.world.vendors[name].ids().values())

        @invariant()
        def no_older_state_follows_a_newer_one(self) -> None:
            lengths: dict[str, int] = {}
            for item in self.world.vendors["acme-upserts"].stored:
                assert len(item["texts"]) >= lengths.get(item["id"], 0)
                lengths[item["id"]] = len(item["texts"])

        def teardown(self) -> None:
            # When the trouble is over and the sessions are ended, nothing stays pending.
            self.world.failures, self.world.shift = [], 0.0
            for script in self.scripts.values():
                script.clear()
            for session in ("s", "t", "u"):
                self.world.end(session)
            for _ in range(40):
                self.world.run(20_000.0)
                pending = [self.world.log.counts(name).pending for name in self.world.vendors]
                if not any(pending):
                    break
            self.world.check()
            assert not any(pending), pending
            self.world.close()

    return Delivery


def _run(machine: type[RuleBasedStateMachine], examples: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_every_event_stands_in_one_place_whatever_happens(
    world: Make, member: Make, simulation: Any, call: Make
) -> None:
    _run(_machine(world, member, simulation, call), 25, 15)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_event_stands_in_one_place_whatever_happens_for_long(
    world: Make, member: Make, simulation: Any, call: Make
) -> None:
    _run(_machine(world, member, simulation, call), 300, 50)
