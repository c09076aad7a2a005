"""What assembly costs, in steps counted: it grows with the bytes read, and what is stored with what is new."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from llmtee import jsontext
from llmtee.assembly import Session
from llmtee.model import Choice, Message, ModelCall, TextPart

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SIZES = (250, 500, 1000)


def say(role: str, text: str) -> Message:
    return Message(role=role, parts=(TextPart(text=text),))


def turns(count: int, first: int = 0, window: int | None = None) -> list[ModelCall]:
    """Calls that each repeat the whole history, or the last ``window`` messages of it."""
    history = [
        say(role, f"{role} {i}") for i in range(first + count) for role in ("user", "assistant")
    ]
    return [_turn(history, turn, window) for turn in range(first, first + count)]


def _turn(history: list[Message], turn: int, window: int | None) -> ModelCall:
    told = history[: 2 * turn + 1]
    told = told if window is None else told[-window:]
    return ModelCall(
        id=f"event-{turn}",
        session="s",
        started_at=START + dt.timedelta(minutes=turn),
        input=tuple(told),
        choices=(Choice(message=history[2 * turn + 1]),),
    )


def absorbed(calls: list[ModelCall], *, each: bool = False) -> Session:
    session = Session("s")
    for call in calls:
        session.absorb(call)
        if each:
            session.conversation()
    return session


def stored(session: Session) -> int:
    return len(jsontext.dumps(session.to_json()))


def read(call: ModelCall) -> ModelCall:
    """The call as it comes from a file: no message is the object that another call has."""
    return ModelCall.model_validate(jsontext.loads(jsontext.dumps(call.to_json())))


def check_cost(session: Session, calls: list[ModelCall]) -> None:
    count = len(calls)
    assert len(session.conversation().messages) == 2 * count
    assert session.work["read"] == sum(len(call.input) + 1 for call in calls)
    # Beside reading: two identities for each message that is new, and a few steps for each call.
    assert session.work["identified"] <= 4 * count
    assert session.work["visited"] <= 8 * count
    assert session.work["folded"] == count


@pytest.mark.parametrize("each", [False, True], ids=["folded at the end", "folded after each"])
def test_a_session_costs_what_its_events_are_long(each: bool) -> None:
    """The bytes read are quadratic in the turns, since each call repeats the history. Nothing else is."""
    for count in (20, 40):
        calls = [read(call) for call in turns(count)]
        check_cost(absorbed(calls, each=each), calls)
    for count in SIZES[:1] if each else SIZES:
        calls = turns(count)
        check_cost(absorbed(calls, each=each), calls)


def test_what_is_stored_grows_with_what_is_new() -> None:
    small, middle, large = (stored(absorbed(turns(count))) for count in SIZES)
    assert middle / small < 2.1  # twice the turns, four times the bytes read
    assert large / middle < 2.1


@pytest.mark.parametrize("window", [None, 1, 6], ids=["whole history", "only new", "window"])
@pytest.mark.parametrize("size", SIZES[:2])
def test_one_more_call_costs_what_it_is_long(window: int | None, size: int) -> None:
    session = absorbed(turns(size, window=window))
    session.conversation()
    [more] = turns(1, first=size, window=window)
    before = session.work
    session.absorb(more)
    session.conversation()
    spent = {name: count - before[name] for name, count in session.work.items()}
    assert spent["read"] == len(more.input) + 1
    assert spent["folded"] == 1
    assert spent["identified"] <= 4
    assert spent["visited"] <= 16 + 2 * (window or 0)


def test_what_was_resumed_is_not_read_again() -> None:
    for size in SIZES[:2]:
        session = Session.from_json(absorbed(turns(size)).to_json())
        session.conversation()
        assert session.work["read"] == 0
        assert session.work["visited"] <= 8 * size


@pytest.mark.parametrize("place", [0, 30, 59])
def test_a_late_call_takes_back_only_what_comes_after_it(place: int) -> None:
    calls = turns(60)
    late = calls.pop(place)
    session = absorbed(calls)
    session.conversation()
    session.absorb(late)
    session.conversation()
    assert session.work["folded"] == 59 + 60 - place


def test_reading_a_call_again_changes_nothing() -> None:
    calls = turns(30)
    session = absorbed(calls, each=True)
    before: dict[str, Any] = session.to_json()
    for call in calls:
        session.absorb(call)
    session.conversation()
    assert session.work["folded"] == 30
    assert session.to_json() == before
