"""Law 3 by a state machine: any verdict at any time, any crash between any two steps, any length of time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

Make = Callable[..., Any]

STATUSES = (200, 200, 200, 400, 401, 404, 413, 422, 429, 500, 502, 503)
WORDS = ("delivered", "delivered", "retry", "rejected", "too large", "unknown")
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
            self.scripts: dict[str, list[Any]] = {name: [] for name in self.world.vendors}
            for name, vendor in self.world.vendors.items():
                vendor.answer = self._answers(self.scripts[name], simulation.OK)

        def _clock(self) -> float:
            passed = 0.0 if self.world is None else self.world.loop.time()
            return float(simulation.START + passed - self.back)

        @staticmethod
        def _answers(script: list[Any], plain: Any) -> Callable[[float, Any], Any]:
            return lambda now, request: script.pop(0) if script else plain

        @rule(count=st.integers(1, 8), session=st.none() | SESSIONS)
        def record(self, count: int, session: str | None) -> None:
            self.world.record([call("call", session) for _ in range(count)])

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

        @rule(steps=st.integers(1, 60))
        def crash(self, steps: int) -> None:
            self.world.crash_in = steps
            self.world.run(30.0)
            self.world.crash_in = None

        @rule(seconds=st.sampled_from([0.1, 7200.0]))
        def put_the_clock_back(self, seconds: float) -> None:
            self.back += seconds

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

        def teardown(self) -> None:
            # When the trouble is over and the sessions are ended, nothing stays pending.
            for script in self.scripts.values():
                script.clear()
            for session in ("s", "t", "u"):
                self.world.end(session)
            for _ in range(40):
                self.world.run(4000.0)
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
    _run(_machine(world, member, simulation, call), 12, 15)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_event_stands_in_one_place_whatever_happens_for_long(
    world: Make, member: Make, simulation: Any, call: Make
) -> None:
    _run(_machine(world, member, simulation, call), 300, 50)
