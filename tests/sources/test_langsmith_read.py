"""LangSmith is read trace by trace, while runs come and go."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtee.delivery import history
from llmtee.errors import ApiUnauthorised, ConfigError, HistoryIncomplete
from llmtee.model import Item, ModelCall
from llmtee.sources import LangSmith
from llmtee.sources.langsmith import read
from llmtee.spec import Exchange, Page, Position, Request, Window
from llmtee.testing.emulators import LangSmithEmulator

BEGIN = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
WINDOW = Window(until=BEGIN + dt.timedelta(days=1))
SETTINGS = LangSmith(project="support")


def own_id(number: int) -> str:
    return str(UUID(int=number))


def added(emulator: LangSmithEmulator, number: int, minute: int, calls: int = 1) -> None:
    """A trace: a chain with so many model calls below it; the session stands on the root alone."""
    root = own_id(number * 1000)
    start = BEGIN + dt.timedelta(minutes=minute)
    around = {"trace_id": root, "session_id": emulator.projects["support"], "status": "success"}
    emulator.runs[root] = {
        "id": root,
        "name": "chat",
        "run_type": "chain",
        "start_time": start.isoformat(),
        "parent_run_id": None,
        "inputs": {"question": "Q"},
        "outputs": {"answer": "A"},
        "extra": {"metadata": {"session_id": f"session of {number}"}},
        **around,
    }
    for i in range(1, calls + 1):
        emulator.runs[own_id(number * 1000 + i)] = {
            "id": own_id(number * 1000 + i),
            "name": "ChatOpenAI",
            "run_type": "llm",
            "start_time": (start + dt.timedelta(milliseconds=i)).isoformat(),
            "parent_run_id": root,
            "inputs": {"messages": [{"role": "user", "content": "Q"}]},
            "outputs": {"choices": [{"message": {"role": "assistant", "content": f"A{i}"}}]},
            "extra": {},
            **around,
        }


def deleted(emulator: LangSmithEmulator, number: int) -> None:
    for own in [own for own in emulator.runs if UUID(own).int // 1000 == number]:
        del emulator.runs[own]


def numbers_of(emulator: LangSmithEmulator) -> set[int]:
    return {UUID(own).int // 1000 for own in emulator.runs}


def answer(emulator: LangSmithEmulator, request: Request) -> Exchange:
    query = "?name=support" if request.query else ""
    found = emulator.ask(request.method, request.path + query, request.body)
    assert found.status == 200, found.body
    return Exchange(request, status=200, content=found.content)


def read_through(
    emulator: LangSmithEmulator, change: Callable[[int], Any] = lambda _: None, *, size: int = 25
) -> list[Page]:
    settings = SETTINGS.model_copy(update={"max_items": size})
    pages: list[Page] = []
    requests = 0
    position: Position | None = read(settings).start(WINDOW)
    while position is not None:
        reader, position = read(settings), json.loads(json.dumps(position))
        exchanges = []
        for request in reader.requests(position):
            change(requests)
            exchanges.append(answer(emulator, request))
            requests += 1
        pages.append(reader.page(position, exchanges))
        position = pages[-1].next
    return pages


def items_of(pages: list[Page]) -> list[Item]:
    return [item for page in pages for item in page.items]


def numbers(pages: list[Page]) -> list[int]:
    calls = [item for item in items_of(pages) if isinstance(item, ModelCall)]
    return [UUID(call.source_ids["langsmith"]).int // 1000 for call in calls]


@given(
    minutes=st.lists(st.integers(0, 5), max_size=10),
    size=st.integers(1, 4),
    script=st.lists(st.lists(st.integers(-10, 5), max_size=2), max_size=12),
)
def test_whatever_comes_and_goes_meanwhile_each_trace_is_read_once(minutes, size, script) -> None:
    emulator = LangSmithEmulator()
    for number, minute in enumerate(minutes, 1):
        added(emulator, number, minute)
    before = numbers_of(emulator)

    def change(requests: int) -> None:
        for step in script[requests] if requests < len(script) else ():
            if step >= 0:
                added(emulator, 100 + requests * 10 + step, step)
            elif stored := sorted(numbers_of(emulator)):
                deleted(emulator, stored[step % len(stored)])

    read_numbers = numbers(read_through(emulator, change, size=size))
    assert len(read_numbers) == len(set(read_numbers))
    assert before & numbers_of(emulator) <= set(read_numbers)


def test_runs_have_the_session_that_stands_on_their_root_also_in_long_traces() -> None:
    with LangSmithEmulator() as emulator:
        added(emulator, 1, 0)
        added(emulator, 2, 1, calls=250)
        added(emulator, 3, 24 * 60)
        pages = list(history.pages(emulator.exporter(), WINDOW))
    items = items_of(pages)
    assert len(items) == 2 + 251
    assert len({item.id for item in items}) == len(items)
    assert {item.session for item in items} == {"session of 1", "session of 2"}
    texts = [item.choices[0].message.text for item in items if isinstance(item, ModelCall)]
    assert texts == ["A1", *(f"A{i}" for i in range(1, 251))]
    assert len([note for page in pages for note in page.notes if "in parts" in note]) == 1


def test_a_trace_that_is_deleted_meanwhile_is_named() -> None:
    emulator = LangSmithEmulator()
    for number in (1, 2, 3):
        added(emulator, number, number)
    pages = read_through(emulator, lambda requests: requests == 2 and deleted(emulator, 2))
    assert numbers(pages) == [1, 3]
    notes = [note for page in pages for note in page.notes]
    assert notes == [f"trace {own_id(2000)} was deleted while the history was read"]


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match="LANGSMITH_PROJECT"):
        read(LangSmith())
    with LangSmithEmulator() as emulator:
        with pytest.raises(ConfigError, match="no project 'other'"):
            list(history.pages(emulator.exporter(project="other"), WINDOW))
        with pytest.raises(ConfigError, match="LANGSMITH_API_KEY"):
            list(history.pages(emulator.exporter(api_key=""), WINDOW))
        with pytest.raises(ApiUnauthorised):
            list(history.pages(emulator.exporter(api_key="lsv2_wrong"), WINDOW))


RUN = {"id": own_id(1), "start_time": BEGIN.isoformat()}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "has no runs"),
        ({"runs": [RUN, {**RUN, "id": own_id(2)}]}, "no cursors.next"),
        ({"runs": [RUN, RUN], "cursors": {"next": None}}, "a second time"),
        ({"runs": [RUN], "cursors": {"next": "c1"}}, "same cursor again"),
        (
            {
                "runs": [RUN, {"id": own_id(2), "start_time": "2020-01-01T00:00:00"}],
                "cursors": {"next": None},
            },
            "not sorted by time",
        ),
    ],
)
def test_what_does_not_add_up_is_an_error(body, said) -> None:
    reader = read(SETTINGS.model_copy(update={"max_items": 2}))
    position = {**reader.start(WINDOW), "project": own_id(9), "cursor": "c1"}
    (request,) = reader.requests(position)
    exchange = Exchange(request, status=200, content=json.dumps(body).encode())
    with pytest.raises(HistoryIncomplete, match=said):
        reader.page(position, [exchange])
