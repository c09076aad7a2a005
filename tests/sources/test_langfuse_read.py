"""Langfuse is read trace by trace, while traces come and go."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtee.delivery import history
from llmtee.errors import ApiUnauthorised, ConfigError, HistoryIncomplete, InputError
from llmtee.model import Item, ModelCall, Step
from llmtee.sources import Langfuse
from llmtee.sources.langfuse import read
from llmtee.spec import Exchange, Page, Position, Request, Window
from llmtee.testing.emulators import LangfuseEmulator

BEGIN = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
WINDOW = Window(until=BEGIN + dt.timedelta(days=1))


def iso(time: dt.datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def added(emulator: LangfuseEmulator, own: str, minute: int) -> None:
    time = iso(BEGIN + dt.timedelta(minutes=minute))
    generation = {
        "id": f"{own}-g",
        "traceId": own,
        "type": "GENERATION",
        "startTime": time,
        "model": "gpt-4o",
        "input": [{"role": "user", "content": f"Question of {own}"}],
        "output": {"role": "assistant", "content": "Answer"},
    }
    score = {"id": f"{own}-s", "traceId": own, "observationId": f"{own}-g", "name": "tone"}
    score |= {"value": 1, "dataType": "NUMERIC", "timestamp": time, "source": "API"}
    trace = {"id": own, "timestamp": time, "name": "chat", "sessionId": f"session of {own}"}
    emulator.traces[own] = {**trace, "observations": [generation], "scores": [score]}


def answer(emulator: LangfuseEmulator, request: Request) -> Exchange:
    query = f"?{urlencode(request.query)}" if request.query else ""
    found = emulator.ask(request.method, request.path + query)
    assert found.status == 200 or (request.may_be_gone and found.status == 404), found.body
    return Exchange(request, status=found.status, content=found.content)


def read_through(
    emulator: LangfuseEmulator, change: Callable[[int], None] = lambda _: None, *, size: int = 50
) -> list[Page]:
    pages: list[Page] = []
    requests = 0
    position: Position | None = read(Langfuse(max_items=size)).start(WINDOW)
    while position is not None:
        reader, position = read(Langfuse(max_items=size)), json.loads(json.dumps(position))
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


def calls_of(pages: list[Page]) -> list[str | None]:
    return [item.source_ids["langfuse"] for item in items_of(pages) if isinstance(item, ModelCall)]


@given(
    minutes=st.lists(st.integers(0, 5), max_size=12),
    size=st.integers(1, 5),
    script=st.lists(st.lists(st.integers(-12, 5), max_size=2), max_size=12),
)
def test_whatever_comes_and_goes_meanwhile_each_trace_is_read_once(minutes, size, script) -> None:
    emulator = LangfuseEmulator()
    for i, minute in enumerate(minutes):
        added(emulator, f"t{i}", minute)
    before = set(emulator.traces)

    def change(requests: int) -> None:
        for step in script[requests] if requests < len(script) else ():
            if step >= 0:
                added(emulator, f"new{requests}-{step}", step)
            elif emulator.traces:
                del emulator.traces[list(emulator.traces)[step % len(emulator.traces)]]

    calls = calls_of(read_through(emulator, change, size=size))
    assert len(calls) == len(set(calls))
    assert {f"{own}-g" for own in before & set(emulator.traces)} <= set(calls)


def test_a_trace_comes_whole_with_its_session_and_its_scores() -> None:
    with LangfuseEmulator() as emulator:
        for i in range(5):
            added(emulator, f"t{i}", i)
        added(emulator, "tomorrow", 24 * 60)
        exporter = emulator.exporter(max_items=2)
        window = Window(since=BEGIN + dt.timedelta(minutes=2), until=WINDOW.until)
        items = items_of(list(history.pages(exporter, window)))
    assert [type(item) for item in items] == [Step, ModelCall] * 3
    call = items[1]
    assert call.session == "session of t2"
    assert call.metrics == {"tone": 1}
    assert call.parent == items[0].id


def test_a_trace_that_is_deleted_meanwhile_is_named() -> None:
    emulator = LangfuseEmulator()
    for i in range(3):
        added(emulator, f"t{i}", i)
    pages = read_through(emulator, lambda n: n == 1 and emulator.traces.pop("t1", None))
    assert calls_of(pages) == ["t0-g", "t2-g"]
    assert pages[1].notes == ("trace t1 was deleted while the history was read",)


def test_keys_that_are_missing_or_wrong_are_named() -> None:
    with pytest.raises(ConfigError, match="LANGFUSE_SECRET_KEY"), LangfuseEmulator() as emulator:
        list(history.pages(emulator.exporter(secret_key=""), WINDOW))
    with pytest.raises(ApiUnauthorised), LangfuseEmulator() as emulator:
        list(history.pages(emulator.exporter(secret_key="sk-lf-wrong"), WINDOW))


def page_of(*bodies: Any) -> Page:
    """The last of the pages to which these lists lead; the last list is answered as often as it is asked for."""
    reader = read(Langfuse())
    position, left = reader.start(WINDOW), list(bodies)
    while True:
        body = left.pop(0) if len(left) > 1 else left[0]
        exchanges = [
            Exchange(request, status=200, content=json.dumps(body).encode())
            for request in reader.requests(position)
        ]
        page = reader.page(position, exchanges)
        if page.next is None:
            return page
        position = page.next


ROW = {"id": "t1", "timestamp": iso(BEGIN)}


@pytest.mark.parametrize(
    ("bodies", "said"),
    [
        ([{"data": []}], "no meta.totalItems"),
        ([{"data": [ROW], "meta": {"totalItems": 3, "limit": 50}}], "has 1 traces of 3"),
        (
            [
                {
                    "data": [{"id": "t2", "timestamp": iso(WINDOW.until)}, ROW],
                    "meta": {"totalItems": 2, "limit": 50},
                }
            ],
            "not sorted by time",
        ),
        (
            [{"data": [ROW], "meta": {"totalItems": 1, "limit": 50}}, {"id": "t9"}],
            "not that trace with its observations",
        ),
    ],
)
def test_what_does_not_add_up_is_an_error(bodies, said) -> None:
    with pytest.raises(HistoryIncomplete, match=said):
        page_of(*bodies)


def test_what_cannot_be_read_names_the_trace() -> None:
    trace = {**ROW, "observations": [{"id": "o"}]}
    with pytest.raises(InputError, match="trace t1: observations"):
        page_of({"data": [ROW], "meta": {"totalItems": 1, "limit": 50}}, trace)


def test_more_traces_of_one_moment_than_fit_on_a_page_are_all_read() -> None:
    emulator = LangfuseEmulator()
    for i in range(230):
        added(emulator, f"t{i:03}", 0)
    added(emulator, "u", 1)

    def change(requests: int) -> None:
        if requests == 105:  # when a hundred were read
            del emulator.traces["t000"]

    calls = calls_of(read_through(emulator, change, size=3))
    assert sorted(calls) == [*(f"t{i:03}-g" for i in range(230)), "u-g"]
