"""What `tee.observe` records of a function, and that the function stays what it is."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import inspect
import re
import threading
import traceback
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from watched_tee import WatchedTee

from llmtee.errors import UsageError
from llmtee.model import Agent, Step, ToolRun
from llmtee.tee._bounded import MAX_CHARACTERS, Bounded, bounded


def add(a: int, b: int = 2, *more: int, scale: int = 1, **rest: Any) -> int:
    """Adds."""
    return (a + b + sum(more)) * scale


def test_a_step_has_arguments_and_result(tee: WatchedTee) -> None:
    seen = tee.observe(add)
    assert seen(1, 2, 3, scale=2, color="red") == 12
    step = tee.event
    assert isinstance(step, Step)
    assert (step.name, step.step_type, step.error) == ("add", "chain", None)
    assert step.inputs == {"a": 1, "b": 2, "more": [3], "scale": 2, "color": "red"}
    assert step.outputs == {"value": 12}
    assert step.started_at <= step.ended_at
    assert step.duration_ms >= 0


def test_a_tool_has_the_name_by_which_a_model_calls_it(tee: WatchedTee) -> None:
    @tee.observe(kind="tool", name="find_order")
    def find(number: int) -> dict[str, Any]:
        return {"number": number}

    with tee.session("s", agent="support", person="u", tags=["t"]):
        find(number=17)
    run = tee.event
    assert isinstance(run, ToolRun)
    assert (run.name, run.arguments, run.result) == ("find_order", {"number": 17}, {"number": 17})
    assert (run.session, run.agent, run.person.id) == ("s", Agent(name="support"), "u")
    assert run.tags == ("t",)


def test_what_is_not_to_be_captured_is_not(tee: WatchedTee) -> None:
    for kind in ("tool", "step"):
        tee.observe(kind=kind, capture_arguments=False, capture_result=False)(add)(1)
    run, step = tee.events
    assert (run.arguments, run.result) == (None, None)
    assert (step.inputs, step.outputs) == ({}, {})


def test_arguments_are_copied_before_the_function_changes_them(tee: WatchedTee) -> None:
    @tee.observe
    def empty(items: list[int]) -> list[int]:
        items.clear()
        return items

    given_list = [1, 2]
    assert empty(given_list) is given_list
    assert tee.event.inputs == {"items": [1, 2]}


def test_the_object_and_the_class_are_no_arguments(tee: WatchedTee) -> None:
    class Cart:
        @tee.observe
        def plain(self, n: int) -> int:
            return n

        @tee.observe
        @classmethod
        def above(cls, n: int) -> type:
            return cls

        @classmethod
        @tee.observe
        def below(cls, n: int) -> type:
            return cls

        @tee.observe
        @staticmethod
        def static(n: int) -> int:
            return n

        @staticmethod
        @tee.observe
        def static_below(n: int) -> int:
            return n

    cart = Cart()
    assert cart.plain(1) == cart.static(1) == Cart.static_below(1) == 1
    assert Cart.above(1) is cart.below(1) is Cart
    assert [event.name for event in tee.events] == [
        "plain",
        "static",
        "static_below",
        "above",
        "below",
    ]
    assert all(event.inputs == {"n": 1} for event in tee.events)


def test_an_exception_is_recorded_and_goes_on_untouched(tee: WatchedTee) -> None:
    error = LookupError("no order 17")

    @tee.observe(kind="tool")
    def find() -> None:
        raise error

    with pytest.raises(LookupError) as caught:
        find()
    assert caught.value is error
    assert error.__context__ is None
    assert error.__cause__ is None
    # One frame more than without, as every decorator has.
    assert [frame.name for frame in traceback.extract_tb(error.__traceback__)] == [
        "test_an_exception_is_recorded_and_goes_on_untouched",
        "call",
        "find",
    ]
    assert (tee.event.error.type, tee.event.error.message) == ("LookupError", "no order 17")
    assert tee.event.result is None


def test_wrong_arguments_are_the_functions_own_matter(tee: WatchedTee) -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'a'"):
        tee.observe(add)(b=1)
    assert (tee.event.inputs, tee.event.error.type) == ({"args": [], "b": 1}, "TypeError")


def test_an_exception_that_cannot_say_what_it_is(tee: WatchedTee) -> None:
    class OddError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    @tee.observe
    def fail() -> None:
        raise OddError

    with pytest.raises(OddError):
        fail()
    assert (tee.event.error.type, tee.event.error.message) == ("OddError", "")


# ── kinds of functions ──────────────────────────────────────────────────────────────────────────────────────────


def numbers(n: int) -> Iterator[int]:
    """Counts."""
    yield from range(n)


async def later(n: int) -> int:
    """Waits."""
    await asyncio.sleep(0)
    return n


async def numbers_later(n: int) -> AsyncIterator[int]:
    """Counts, and waits."""
    for i in range(n):
        await asyncio.sleep(0)
        yield i


@pytest.mark.parametrize("function", [add, numbers, later, numbers_later])
def test_a_function_keeps_its_kind_and_its_signature(tee: WatchedTee, function: Any) -> None:
    for seen in (tee.observe(function), tee.agent("a")(function), tee.propagate(function)):
        for kind in (
            inspect.isfunction,
            inspect.iscoroutinefunction,
            inspect.isgeneratorfunction,
            inspect.isasyncgenfunction,
        ):
            assert kind(seen) == kind(function)
        assert inspect.signature(seen) == inspect.signature(function)
        for name in ("__name__", "__qualname__", "__doc__", "__module__", "__annotations__"):
            assert getattr(seen, name) == getattr(function, name)


def test_a_coroutine(tee: WatchedTee) -> None:
    assert asyncio.run(tee.observe(later)(5)) == 5
    assert (tee.event.name, tee.event.outputs) == ("later", {"value": 5})


def test_a_cancelled_coroutine(tee: WatchedTee) -> None:
    @tee.observe
    async def wait(began: asyncio.Event) -> None:
        began.set()
        await asyncio.Event().wait()

    async def main() -> None:
        began = asyncio.Event()
        task = asyncio.create_task(wait(began))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert tee.event.error.type == "CancelledError"


def test_generators_give_what_they_yielded(tee: WatchedTee) -> None:
    assert list(tee.observe(numbers)(3)) == [0, 1, 2]

    async def drain() -> list[int]:
        return [n async for n in tee.observe(numbers_later)(3)]

    assert asyncio.run(drain()) == [0, 1, 2]
    assert [event.outputs for event in tee.events] == [{"value": [0, 1, 2]}] * 2
    assert [event.flags for event in tee.events] == [()] * 2


def test_text_is_joined_and_what_is_returned_stands_beside_it(tee: WatchedTee) -> None:
    @tee.observe(kind="tool")
    def say() -> Any:
        yield "Hel"
        yield "lo"
        return 2

    def both() -> Any:
        return (yield from say())

    assert list(both()) == ["Hel", "lo"]
    assert tee.event.result == {"yielded": "Hello", "returned": 2}


def test_a_generator_is_recorded_once_it_runs(tee: WatchedTee) -> None:
    tee.observe(numbers)(3)
    gc.collect()
    assert tee.events == []


def test_a_generator_that_nobody_finishes_is_incomplete(tee: WatchedTee) -> None:
    closed = []

    @tee.observe
    def count() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    for n in count():
        assert n == 1
        break
    gc.collect()
    assert closed == [True]
    assert (tee.event.outputs, tee.event.flags) == ({"value": [1]}, ("incomplete",))
    assert tee.event.error is None


def test_an_asynchronous_generator_that_is_closed_early(tee: WatchedTee) -> None:
    closed = []

    @tee.observe
    async def count() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    async def main() -> None:
        counting = count()
        assert await anext(counting) == 1
        await counting.aclose()

    asyncio.run(main())
    assert closed == [True]
    assert (tee.event.outputs, tee.event.flags) == ({"value": [1]}, ("incomplete",))


STEPS = st.lists(
    st.one_of(
        st.just("next"),
        st.tuples(st.just("send"), st.integers()),
        st.sampled_from([("throw", ValueError), ("throw", KeyError), ("throw", GeneratorExit)]),
        st.sampled_from([("throw", StopIteration), ("close", None)]),
    ),
    max_size=6,
)


def talk() -> Any:
    """Answers what is sent to it, survives a ValueError and a GeneratorExit once, and ends on 3."""
    got: Any = None
    patience = 1
    while got != 3:
        try:
            got = yield ("got", got)
        except ValueError:
            got = yield "caught"
        except GeneratorExit:
            if got == 1:
                return "left"
            if got == 2 and patience:
                patience = 0
                got = yield "not yet"
            raise
    return "end"


def play(function: Any, steps: list[Any]) -> list[Any]:
    """What somebody sees who drives a generator."""
    generator, seen = function(), []
    for step in steps:
        try:
            match step:
                case "next":
                    seen.append(next(generator))
                case ("send", value):
                    seen.append(generator.send(value))
                case ("throw", kind):
                    seen.append(generator.throw(kind("x")))
                case _:
                    seen.append(generator.close())
        except BaseException as error:  # noqa: BLE001 - whatever it is, it must be the same
            seen.append((type(error), error.args, getattr(error, "value", None)))
    return seen


async def play_async(function: Any, steps: list[Any]) -> list[Any]:
    generator, seen = function(), []
    for step in steps:
        try:
            match step:
                case "next":
                    seen.append(await anext(generator))
                case ("send", value):
                    seen.append(await generator.asend(value))
                case ("throw", kind):
                    seen.append(await generator.athrow(kind("x")))
                case _:
                    seen.append(await generator.aclose())
        except BaseException as error:  # noqa: BLE001 - as above
            seen.append((type(error), error.args))
    return seen


async def talk_async() -> Any:
    got: Any = None
    while got != 3:
        await asyncio.sleep(0)
        try:
            got = yield ("got", got)
        except ValueError:
            got = yield "caught"
        except GeneratorExit:
            if got == 1:
                return
            if got == 2:
                got = 4
                yield "not yet"
            raise


class Silent:
    """Takes events and keeps none, because hypothesis makes many."""

    def record(self, event: Any) -> str:
        self.last = event
        return ""

    def capture_failed(self, error: Exception) -> None:
        raise error


def _seen(function: Any) -> Any:
    return WatchedTee.observe(Silent(), function)  # type: ignore[call-overload]


@given(STEPS)
def test_a_generator_answers_every_driver_as_before(steps: list[Any]) -> None:
    assert play(_seen(talk), steps) == play(talk, steps)


@given(STEPS)
def test_an_asynchronous_generator_answers_every_driver_as_before(steps: list[Any]) -> None:
    async def both() -> None:
        assert await play_async(_seen(talk_async), steps) == await play_async(talk_async, steps)

    asyncio.run(both())


def test_callables_of_other_kinds(tee: WatchedTee) -> None:
    class Adder:
        def __call__(self, a: int) -> int:
            return a + 1

    assert tee.observe(Adder())(1) == 2
    assert tee.observe(functools.partial(add, b=5))(1) == 6
    assert tee.observe(max)(1, 2) == 2
    assert [event.name for event in tee.events] == ["Adder", "add", "max"]
    assert [event.inputs for event in tee.events][1:] == [{"a": 1}, {"args": [1, 2]}]


@pytest.mark.parametrize("thing", [int, 3, property(lambda self: 1)])
def test_what_is_no_function_is_refused(tee: WatchedTee, thing: Any) -> None:
    with pytest.raises(UsageError, match="only functions and methods can be wrapped"):
        tee.observe(thing)


def test_an_unknown_kind_is_refused(tee: WatchedTee) -> None:
    with pytest.raises(UsageError, match="kind must be 'tool' or 'step', not 'chain'"):
        tee.observe(kind="chain")  # type: ignore[call-overload]


# ── size ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_large_values_are_cut(tee: WatchedTee) -> None:
    tee.observe(lambda text: text)("x" * 1_000_000)
    cut = f"<cut: {1_000_000 - MAX_CHARACTERS} characters>"
    assert re.fullmatch(r"x{65000,}<cut: \d+ characters>", tee.event.inputs["text"])
    assert tee.event.outputs["value"] == "x" * MAX_CHARACTERS + cut


def test_an_endless_generator_is_kept_up_to_a_size(tee: WatchedTee) -> None:
    @tee.observe
    def words() -> Iterator[str]:
        for _ in range(100):
            yield "x" * 1000

    assert len(list(words())) == 100
    assert tee.event.outputs["value"].endswith(" characters><cut: 34 items>")


class Buffer:
    nbytes = 1 << 40

    def tolist(self) -> list[int]:
        raise AssertionError("nobody must read it")

    dtype = "u1"


def test_arrays_are_not_read_when_they_are_too_large() -> None:
    assert bounded({"a": Buffer()})["a"].endswith(f"Buffer of {1 << 40} bytes>")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)


def size(value: Any) -> int:
    """What a value takes of the room, without the markers."""
    if isinstance(value, str):
        return max(1, len(value.partition("<cut: ")[0]))
    if isinstance(value, list):
        return 1 + sum(size(item) for item in value)
    if isinstance(value, dict):
        return 1 + sum(len(key) + size(item) for key, item in value.items() if "<cut" not in key)
    return 1


@given(JSON, st.integers(1, 200))
def test_what_fits_is_kept_and_the_rest_is_bounded(value: Any, room: int) -> None:
    kept = Bounded(room).take(value)
    if size(value) <= room:
        assert kept == value
    else:
        # The name that crossed the line, its value, and one marker for each level of nesting.
        assert size(kept) <= room + 30


def test_a_large_structure_is_read_no_further_than_it_is_kept() -> None:
    many = [{"n": n} for n in range(1_000_000)]
    kept = bounded(many)
    assert kept[-1] == f"<cut: {1_000_000 - len(kept) + 1} items>"
    assert len(kept) < MAX_CHARACTERS


def test_a_cycle_ends() -> None:
    loop: list[Any] = []
    loop += [loop, loop]
    assert "<nested too deep: list>" in str(bounded(loop))


# ── parents ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_recorded_inside_is_a_step_of_it(tee: WatchedTee) -> None:
    @tee.observe(kind="tool")
    def inner() -> None:
        tee.record(Step(name="canonical"))
        tee.record_call("openai-chat", request={"model": "m", "messages": []}, name="raw")

    @tee.observe
    def outer() -> None:
        inner()
        tee.record(Step(name="own", parent="mine"))

    outer()
    tee.record(Step(name="outside"))
    outer_id, inner_id = tee.named("outer").id, tee.named("inner").id
    assert tee.named("inner").parent == outer_id
    assert tee.named("canonical").parent == tee.named("raw").parent == inner_id
    assert tee.named("own").parent == "mine"
    assert tee.named("outside").parent is tee.named("outer").parent is None


def test_a_generator_does_not_leak_into_its_caller(tee: WatchedTee) -> None:
    @tee.observe
    def inside() -> Iterator[int]:
        with tee.session("its own"), tee.agent("its agent"):
            for n in range(3):
                tee.record(Step(name=f"in {n}"))
                yield n

    with tee.session("mine"):
        for n in inside():
            tee.record(Step(name=f"out {n}"))
        tee.record(Step(name="after"))
    for n in range(3):
        within, outside = tee.named(f"in {n}"), tee.named(f"out {n}")
        assert (within.session, within.agent.name) == ("its own", "its agent")
        assert within.parent == tee.named("its agent").id
        assert (outside.session, outside.agent, outside.parent) == ("mine", None, None)
    assert tee.named("after").session == "mine"
    assert tee.named("inside").session == "mine"


def test_an_asynchronous_generator_does_not_leak_either(tee: WatchedTee) -> None:
    @tee.observe
    async def inside() -> AsyncIterator[int]:
        for n in range(2):
            await asyncio.sleep(0)
            tee.record(Step(name=f"in {n}"))
            yield n

    async def main() -> None:
        async with tee.session("mine"):
            async for n in inside():
                tee.record(Step(name=f"out {n}"))

    asyncio.run(main())
    assert {tee.named(f"in {n}").parent for n in range(2)} == {tee.named("inside").id}
    assert {tee.named(f"out {n}").parent for n in range(2)} == {None}


def test_two_generators_in_turns(tee: WatchedTee) -> None:
    @tee.observe
    def inside(name: str) -> Iterator[None]:
        for _ in range(2):
            tee.record(Step(name=f"in {name}", tags=(name,)))
            yield

    for _ in zip(inside("a"), inside("b"), strict=True):
        tee.record(Step(name="between"))
    homes = {event.inputs["name"]: event.id for event in tee.events if event.name == "inside"}
    told = [(e.tags[0], e.parent) for e in tee.events if e.tags]
    assert told == [("a", homes["a"]), ("b", homes["b"])] * 2
    assert {e.parent for e in tee.events if e.name == "between"} == {None}


def test_a_coroutine_closed_by_somebody_else_changes_nothing_there(tee: WatchedTee) -> None:
    @tee.observe
    async def wait() -> None:
        await asyncio.Event().wait()

    coroutine = wait()

    async def main() -> None:
        contextvars.copy_context().run(coroutine.send, None)

    asyncio.run(main())
    with tee.session("other"):
        coroutine.close()
        tee.record(Step(name="other"))
    assert (tee.named("other").session, tee.named("other").parent) == ("other", None)
    assert tee.named("wait").session is None


def test_threads_need_propagate(tee: WatchedTee) -> None:
    def work(name: str) -> None:
        tee.record(Step(name=name))

    def run(target: Any, name: str) -> None:
        thread = threading.Thread(target=target, args=(name,))
        thread.start()
        thread.join()

    with tee.session("s"), tee.agent("a") as turn:
        run(work, "plain")
        run(tee.propagate(work), "propagated")
        carried = tee.propagate(work)
    run(carried, "afterwards")
    assert (tee.named("plain").session, tee.named("plain").parent) == (None, None)
    for name in ("propagated", "afterwards"):
        event = tee.named(name)
        assert (event.session, event.agent.name, event.parent) == ("s", "a", turn)


def test_a_failure_in_llmtee_stays_there(tee: WatchedTee, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tee, "_strict", False)

    def broken(*args: Any) -> Any:
        raise RuntimeError("ours")

    monkeypatch.setattr("llmtee.tee._observed.bounded", broken)
    assert tee.observe(add)(1) == 3
    assert tee.stats().bugs == 2
