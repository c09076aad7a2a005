"""Events gathered by session in a file, and assembled session by session: the same as all at once in memory."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtee import registry
from llmtee.assembly import assemble, split
from llmtee.bulk import _chunks, _run, convert
from llmtee.model import Conversation, Event, Item, Message, ModelCall, TextPart, ToolRun
from llmtee.model.ids import derive_id

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


def event(number: int, session: str | None) -> Event:
    own = derive_id("event", str(number))
    if number % 4 == 3:
        return ToolRun(id=own, name="look", session=session)
    said = Message(role="user", parts=(TextPart(text=f"question {number}"),))
    began = NOON + dt.timedelta(seconds=number)
    ended = began + dt.timedelta(milliseconds=500)
    return ModelCall(id=own, session=session, input=(said,), started_at=began, ended_at=ended)


def text_of(items: list[Any]) -> io.StringIO:
    return io.StringIO("\n".join(json.dumps(item.to_json()) for item in items))


@contextmanager
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_chunks, "COUNT", 3)
        patch.setattr(_run, "_BYTES", 600)
        patch.setattr(_run, "_JOINED", 2)
        yield


def in_memory(items: list[Item]) -> list[Conversation]:
    """All at once, in the order in which the sessions appear."""
    order: list[Any] = []
    for item in items:
        key = item.session if item.session is not None else item.id
        if key not in order:
            order.append(key)
    made = assemble([item for item in items if not isinstance(item, Conversation)])
    by_key = {one.session: one for one in made if one.session is not None}
    alone = [one for one in made if one.session is None]
    found = []
    for item in items:
        key = item.session if item.session is not None else item.id
        if key in order:
            order.remove(key)
            found.append(by_key[key] if key in by_key else alone_of(item, alone))
    return found


def alone_of(item: Item, alone: list[Conversation]) -> Conversation:
    [made] = assemble([item])  # type: ignore[list-item]
    assert made in alone
    return made


@given(sessions=st.lists(st.sampled_from([None, "a", "b", "c", "d"]), max_size=14))
def test_grouping_in_a_file_is_grouping_in_memory(sessions: list[str | None]) -> None:
    items: list[Item] = [event(number, session) for number, session in enumerate(sessions)]
    out = io.StringIO()
    with small():
        report = convert(text_of(items), out, target="llmtee", assemble=True)
    made = [json.loads(line) for line in out.getvalue().splitlines()]
    assert made == [one.to_json() for one in in_memory(items)]
    assert (report.read, report.written, report.failed) == (len(items), len(made), 0)


@pytest.mark.parametrize("target", ["inkeep", "roark"])
def test_a_vendor_of_conversations_gets_each_session_once(target: str) -> None:
    items = [event(number, f"s{number % 5}") for number in range(40)]
    out = io.StringIO()
    with small():
        report = convert(text_of(items), out, target=target)
    bodies = [json.loads(line) for line in out.getvalue().splitlines()]
    vendor = registry.vendor(target)
    expected = [vendor.render(one, vendor.settings()).body for one in in_memory([*items])]
    assert bodies == expected
    assert (report.read, report.written, report.records) == (40, 5, 5)


def test_conversations_keep_their_place() -> None:
    talk = Conversation(id="talk", session="a", messages=(Message(role="user"),))
    items = [event(1, "b"), talk, event(2, "a"), event(4, "b"), talk]
    out = io.StringIO()
    convert(text_of(items), out, target="llmtee", assemble=True)
    made = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [one["session"] for one in made] == ["b", "a", "a", "a"]
    assert made[1] == made[2] == talk.to_json()


def test_assembled_for_a_vendor_of_events_is_split_again() -> None:
    items = [event(number, f"s{number % 2}") for number in (0, 1, 2, 4)]
    out = io.StringIO()
    report = convert(text_of(items), out, target="honeyhive", assemble=True)
    assert report.written == sum(len(split(one)) for one in in_memory([*items]))


def test_a_session_that_is_too_large_is_said_and_costs_only_itself(tmp_path: Path) -> None:
    items = [event(number, "large" if number else "small") for number in range(30)]
    side = tmp_path / "bad.jsonl"
    out = io.StringIO()
    report = convert(
        text_of(items), out, target="inkeep", session_limit=2000, errors=side, on_error=str
    )
    assert (report.written, report.failed) == (1, 1)
    told = json.loads(side.read_text())
    assert told["session"] == "large"
    assert "the limit is 2,000 bytes" in told["reason"]


def test_the_items_wait_beside_the_output(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out" / "out.jsonl"
    out.parent.mkdir()
    source.write_text(text_of([event(1, "a"), event(2, "b")]).getvalue(), "utf-8")
    seen: set[str] = set()
    convert(
        source,
        out,
        target="roark",
        on_progress=lambda _: seen.update(path.name for path in out.parent.iterdir()),
    )
    assert "out.jsonl.llmtee-events" in seen
    assert [path.name for path in out.parent.iterdir()] == ["out.jsonl"]
