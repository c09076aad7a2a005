"""Blocks in tasks and threads, in any order of their steps: an event belongs to the blocks of its own task."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from watched_tee import WatchedTee

from llmtee.model import Agent, Step, ToolRun

PROGRAMS = st.recursive(
    st.sampled_from(["record", "raw", "pause"]),
    lambda inner: st.tuples(
        st.sampled_from(["session", "session again", "agent", "tool", "step", "generator", "task"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=8,
)


class Conductor:
    """Lets one of several tasks run up to its next pause, the one that is named by the next number."""

    def __init__(self, order: list[int]) -> None:
        self._order = order
        self._waiting: list[asyncio.Future[None]] = []
        self._running = 0

    async def pause(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._running -= 1
        await future

    async def perform(self, parts: list[Callable[[], Awaitable[None]]]) -> None:
        async def one(part: Callable[[], Awaitable[None]]) -> None:
            try:
                await part()
            finally:
                self._running -= 1

        self._running = len(parts)
        tasks = [asyncio.create_task(one(part)) for part in parts]
        turn = 0
        while not all(task.done() for task in tasks):
            if self._running == 0:
                pick = self._order[turn % len(self._order)] % len(self._waiting)
                turn += 1
                self._running = 1
                self._waiting.pop(pick).set_result(None)
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)


class Player:
    """Runs a program in blocks of a Tee, and knows by itself whose each event is."""

    def __init__(self, tee: Any, name: str, pause: Callable[[], Awaitable[None]]) -> None:
        self.tee, self.name, self.pause = tee, name, pause
        self.expected: dict[str, tuple[Any, Any, Any]] = {}
        self._count = 0

    def _new(self, where: tuple[Any, Any, Any]) -> str:
        self._count += 1
        name = f"{self.name} {self._count}"
        self.expected[name] = where
        return name

    async def run(self, steps: list[Any], where: tuple[Any, Any, Any] = (None, None, None)) -> None:
        for step in steps:
            match step:
                case "pause":
                    await self.pause()
                case "record":
                    self.tee.record(Step(name=self._new(where)))
                case "raw":
                    self.tee.record_call(
                        "openai-chat",
                        request={"model": "m", "messages": []},
                        name=self._new(where),
                    )
                case (kind, inner):
                    await self._block(kind, inner, where)

    async def _block(self, kind: str, inner: list[Any], where: tuple[Any, Any, Any]) -> None:
        tee, (session, agent, _) = self.tee, where
        if kind == "session":
            self._count += 1
            new = f"session {self.name} {self._count}"
            with tee.session(new):
                await self.run(inner, (new, agent, None))
        elif kind == "session again":
            async with tee.session(session):
                await self.run(inner, where)
        elif kind == "agent":
            name = self._new((session, None, where[2]))
            self.expected[name] = (session, name, where[2])
            async with tee.agent(name):
                await self.run(inner, (session, name, name))
        elif kind == "task":
            await asyncio.create_task(self.run(inner, where))
        elif kind == "generator":
            await self._generator(inner, where)
        else:
            name = self._new(where)

            @tee.observe(kind=kind, name=name)
            async def work() -> None:
                await self.run(inner, (session, agent, name))

            await work()

    async def _generator(self, inner: list[Any], where: tuple[Any, Any, Any]) -> None:
        name = self._new(where)

        @self.tee.observe(name=name)
        async def work() -> AsyncIterator[int]:
            for number, step in enumerate(inner):
                with self.tee.session(where[0]):  # stays open over the yield
                    await self.run([step], (*where[:2], name))
                    yield number

        async for _ in work():
            await self.run(["record", "pause"], where)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedTee]:
    # One for all examples: opening a log costs more than an example does.
    with WatchedTee([], dir=tmp_path_factory.mktemp("log")) as tee:
        yield tee


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(PROGRAMS, min_size=1, max_size=3), min_size=1, max_size=4),
    st.lists(st.integers(0, 10), min_size=1, max_size=20),
)
def test_each_event_has_what_its_own_tasks_blocks_say(
    watched: WatchedTee, programs: list[list[Any]], order: list[int]
) -> None:
    watched.put.clear()
    players: list[Player] = []

    async def main() -> None:
        conductor = Conductor(order)
        players.extend(
            Player(watched, f"t{number}", conductor.pause) for number in range(len(programs))
        )

        def part(player: Player, program: list[Any]) -> Callable[[], Awaitable[None]]:
            return lambda: player.run(program)

        parts = [part(*pair) for pair in zip(players, programs, strict=True)]
        await conductor.perform(parts)

    asyncio.run(main())
    events = {event.name: event for event in watched.events}
    names = {event.id: event.name for event in watched.events}
    expected = {name: where for player in players for name, where in player.expected.items()}
    assert set(events) == set(expected)
    for name, (session, agent, parent) in expected.items():
        event = events[name]
        told = event.agent.name if event.agent is not None else None
        assert (event.session, told, names.get(event.parent)) == (session, agent, parent), name


# ── agents ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_agents_block_is_a_step(tee: WatchedTee) -> None:
    with tee.session("s", person="u"), tee.agent("lead", version="v2") as turn:
        tee.record(ToolRun(name="inside"))
    step, inside = tee.named("lead"), tee.named("inside")
    assert isinstance(step, Step)
    assert (step.id, step.step_type, step.session, step.person.id) == (turn, "agent", "s", "u")
    assert step.agent == inside.agent == Agent(name="lead", version="v2")
    assert inside.parent == turn


def test_an_agent_as_decorator_tells_its_task_and_its_answer(tee: WatchedTee) -> None:
    @tee.agent("helper")
    async def help_with(task: str) -> str:
        tee.record(ToolRun(name="inside"))
        return task.upper()

    async def main() -> None:
        async with tee.agent("lead"):
            assert await help_with("look") == "LOOK"

    asyncio.run(main())
    helper, lead = tee.named("helper"), tee.named("lead")
    assert (helper.inputs, helper.outputs) == ({"task": "look"}, {"value": "LOOK"})
    assert (helper.parent, tee.named("inside").parent) == (lead.id, helper.id)
    assert tee.named("inside").agent.name == "helper"
    assert (lead.inputs, lead.outputs) == ({}, {})


def test_an_agent_that_fails(tee: WatchedTee) -> None:
    with pytest.raises(ValueError, match="no"), tee.agent("lead"):
        raise ValueError("no")
    assert (tee.event.error.type, tee.event.error.message) == ("ValueError", "no")


def test_one_block_may_be_entered_many_times(tee: WatchedTee) -> None:
    support = tee.agent("support")
    everywhere = tee.session("s")

    async def turn(n: int, barrier: asyncio.Barrier) -> None:
        with everywhere, support as own:
            await barrier.wait()
            tee.record(Step(name=f"{n}", properties={"turn": own}))
            await barrier.wait()
            with support as inner:
                tee.record(Step(name=f"{n} inner", properties={"turn": inner}))

    async def main() -> None:
        barrier = asyncio.Barrier(5)
        await asyncio.gather(*(turn(n, barrier) for n in range(5)))

    asyncio.run(main())
    for n in range(5):
        outer, inner = tee.named(f"{n}"), tee.named(f"{n} inner")
        assert outer.parent == outer.properties["turn"] != inner.parent
        assert inner.parent == inner.properties["turn"]
        assert outer.session == inner.session == "s"
    tee.record(Step(name="outside"))
    assert tee.named("outside").session is None


# ── sessions and parents ────────────────────────────────────────────────────────────────────────────────────────


def test_a_parent_stays_within_its_session(tee: WatchedTee) -> None:
    with tee.session("one"), tee.agent("lead") as turn:
        with tee.session("two"):
            tee.record(Step(name="other block"))
        tee.record(Step(name="other event", session="two"))
        tee.record_call("openai-chat", request={"messages": []}, session="two", name="other call")
        tee.record(Step(name="same", session="one"))
    for name in ("other block", "other event", "other call"):
        assert (tee.named(name).session, tee.named(name).parent) == ("two", None)
    assert tee.named("same").parent == turn


def test_a_parent_of_another_process(tee: WatchedTee) -> None:
    with tee.session("s", parent="0198c8a0-0000-7000-8000-000000000001"):
        tee.record(Step(name="here"))
    assert tee.named("here").parent == "0198c8a0-0000-7000-8000-000000000001"


def test_a_block_that_was_left_open_inside_ends_with_the_outer_one(tee: WatchedTee) -> None:
    def careless() -> Iterator[None]:
        with tee.session("inner"):
            yield

    generator = careless()
    with tee.session("outer"):
        next(generator)
    tee.record(Step(name="between"))
    generator.close()
    tee.record(Step(name="after"))
    assert tee.named("between").session is tee.named("after").session is None


def test_threads_of_their_own_blocks(tee: WatchedTee) -> None:
    barrier = threading.Barrier(8)

    def turn(n: int) -> None:
        with tee.session(f"s{n}"), tee.agent(f"a{n}"):
            barrier.wait(60)
            tee.record(Step(name=f"{n}"))
            barrier.wait(60)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(turn, range(8)))
    for n in range(8):
        event = tee.named(f"{n}")
        assert (event.session, event.agent.name) == (f"s{n}", f"a{n}")
        assert event.parent == tee.named(f"a{n}").id


def test_an_executor_that_is_handed_the_session(tee: WatchedTee) -> None:
    def work(n: int) -> int:
        tee.record(Step(name=f"{n}"))
        return n

    with ThreadPoolExecutor(4) as pool, tee.session("s"), tee.agent("a") as turn:
        assert list(pool.map(tee.propagate(work), range(20))) == list(range(20))
    assert {tee.named(f"{n}").parent for n in range(20)} == {turn}
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work, 99).result()
    assert tee.named("99").session is None


def test_two_tees_each_have_their_own_parents(tee: WatchedTee, tmp_path: Path) -> None:
    with WatchedTee([], dir=tmp_path / "other") as other:
        with tee.agent("mine"), other.agent("theirs"):
            tee.record(Step(name="here"))
            other.record(Step(name="there"))
        assert tee.named("here").parent == tee.named("mine").id
        assert other.named("there").parent == other.named("theirs").id
        assert other.named("theirs").parent is None
