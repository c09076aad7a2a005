"""Tool runs that do not say which call they answer, such as those of observed functions."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from llmtee.assembly import assemble, split
from llmtee.model import (
    Choice,
    Event,
    Message,
    ModelCall,
    Step,
    ToolCallPart,
    ToolResultPart,
    ToolRun,
)
from llmtee.model.message import TextPart


def at(minute: int) -> dt.datetime:
    return dt.datetime(2026, 1, 1, 12, minute, tzinfo=dt.UTC)


def user(text: str) -> Message:
    return Message(role="user", parts=(TextPart(text=text),))


def asks(*calls: tuple[str, str, Any]) -> Message:
    parts = tuple(ToolCallPart(id=i, name=name, arguments=given) for i, name, given in calls)
    return Message(role="assistant", parts=parts)


def model(minute: int, told: list[Message], answer: Message, **more: Any) -> ModelCall:
    return ModelCall(
        id=f"call {minute}",
        session="s",
        started_at=at(minute),
        input=tuple(told),
        choices=(Choice(message=answer),),
        **more,
    )


def run(minute: int, name: str = "look", given: Any = None, **more: Any) -> ToolRun:
    return ToolRun(
        id=f"run {minute}", session="s", name=name, arguments=given, started_at=at(minute), **more
    )


def told(events: list[Event]) -> dict[str, str | None]:
    [conversation] = assemble(events)
    assert assemble(split(conversation)) == [conversation]
    return {run.id: run.call_id for run in conversation.tool_runs}


def test_by_name_arguments_and_order() -> None:
    first = asks(("c1", "look", {"n": 1}), ("c2", "look", {"n": 2}), ("c3", "go", {}))
    again = asks(("c4", "look", {"n": 1}))
    results = Message(role="tool", parts=(ToolResultPart(call_id="c1", result="x"),))
    events: list[Event] = [
        model(1, [user("hi")], first),
        run(2, given={"n": 2}),
        run(3, given={"n": 1, "connection": "<object: db>"}),
        run(4, "go"),
        model(5, [user("hi"), first, results], again),
        run(6, given={"n": 1}),
        run(7, given={"n": 1}),
    ]
    expected = {"run 2": "c2", "run 3": "c1", "run 4": "c3", "run 6": "c4", "run 7": None}
    for n in range(len(events)):
        assert told(events[n:] + events[:n]) == told(events[n::-1] + events[n + 1 :]) == expected


@pytest.mark.parametrize(
    "one",
    [
        run(2, given={"n": 2}),
        run(2, given={"n": True}),
        run(2, given=None),
        run(2, "other", {"n": 1}),
        run(0, given={"n": 1}),  # before it was asked for
    ],
)
def test_what_answers_no_call_stays_alone(one: ToolRun) -> None:
    assert told([model(1, [user("hi")], asks(("c1", "look", {"n": 1}))), one]) == {one.id: None}


def test_a_call_that_has_its_run_takes_no_other() -> None:
    asked = model(1, [user("hi")], asks(("c1", "look", {})))
    assert told([asked, run(2, call_id="c1"), run(3)]) == {"run 2": "c1", "run 3": None}


def test_the_run_of_a_sub_agent_answers_no_call_of_the_transcript() -> None:
    asked = model(1, [user("hi")], asks(("c1", "look", {}), ("c2", "research", {})))
    outer = run(2, "research")
    turn = Step(id="turn", session="s", step_type="agent", parent=outer.id, started_at=at(2))
    inner = run(3, parent="turn")
    assert told([asked, outer, turn, inner]) == {"run 2": "c2", "run 3": None}
