"""HoneyHive's history, read from an emulator that changes between any two requests."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtee import registry
from llmtee.errors import HistoryIncomplete, InputError
from llmtee.model import Item, ModelCall, Step
from llmtee.spec import Exchange, Page, Request, Window
from llmtee.testing.emulators import HoneyHiveEmulator
from llmtee.vendors.honeyhive import HoneyHive

VENDOR = registry.vendor("honeyhive")
NOON = 1767268800000
SESSION = str(UUID(int=0))


def window(since: float | None = None, until: float = 60_000) -> Window:
    """From and to so many milliseconds after noon."""
    return Window(since=None if since is None else at(since), until=at(until))


def at(milliseconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(NOON / 1000, dt.UTC) + dt.timedelta(milliseconds=milliseconds)


class Project:
    """A HoneyHive project without HTTP."""

    def __init__(self, *times: float | None, answer: Callable[..., Any] | None = None) -> None:
        self.emulator = HoneyHiveEmulator()
        self.numbers = iter(range(1, 10_000))
        self.requests = 0
        self.between: Callable[[int], object] = lambda _: None
        self.answer = answer or (lambda request, body: body)
        for time in times:
            self.insert(time)

    def insert(self, time: float | None, **fields: Any) -> str:
        event = {
            "event_id": str(UUID(int=next(self.numbers))),
            "session_id": SESSION,
            "event_type": "tool",
            "inputs": {},
            **({} if time is None else {"start_time": NOON + time}),
            **fields,
        }
        answer = self.emulator.ask("POST", "/v1/events", event)
        assert answer.status == 200, answer.body
        return str(answer.body["event_id"])

    @property
    def ids(self) -> list[str]:
        return list(self.emulator.events)

    def pages(self, exporter: HoneyHive, wanted: Window) -> Iterator[Page]:
        assert VENDOR.read is not None
        reader = VENDOR.read(exporter)
        position: Any = reader.start(wanted)
        while position is not None:
            position = json.loads(json.dumps(position))
            requests = VENDOR.read(exporter).requests(position)
            page = reader.page(position, [self.ask(request) for request in requests])
            assert page.next != position
            yield page
            position = page.next

    def ask(self, request: Request) -> Exchange:
        if self.requests:
            self.between(self.requests)
        self.requests += 1
        answer = self.emulator.ask(request.method, request.path, request.body)
        assert answer.status == 200, answer.body
        body = self.answer(request, json.loads(answer.content))
        return Exchange(request, status=200, content=json.dumps(body).encode())

    def read(self, exporter: HoneyHive | None = None, wanted: Window | None = None) -> list[str]:
        """The ids that are read, without the session's, which has no time."""
        exporter, wanted = exporter or HoneyHive(api="v1"), wanted or window()
        items = [item for page in self.pages(exporter, wanted) for item in page.items]
        return [item.id for item in items if item.id != SESSION]


exporters = st.builds(
    HoneyHive,
    api=st.sampled_from(["legacy", "v1"]),
    max_items=st.integers(2, 6),
    concurrency=st.integers(1, 4),
)
times = st.one_of(
    st.integers(0, 12).map(lambda n: n / 2),  # some of them in one millisecond
    st.integers(-1000, 61_000),
    st.none(),
)
windows = st.builds(
    window,
    since=st.none() | st.integers(0, 10) | st.floats(0, 10),
    until=st.integers(5, 20) | st.floats(5, 20) | st.just(60_000),
)


@given(st.lists(times, max_size=25), exporters, windows)
def test_a_quiet_history_is_read_once_and_in_order(
    held: list[float | None], exporter: HoneyHive, wanted: Window
) -> None:
    project = Project(*held)
    expected = {
        event_id
        for event_id, event in project.emulator.events.items()
        if (
            wanted.since is None
            if "start_time" not in event
            else (wanted.since is None or at(event["start_time"] - NOON) >= wanted.since)
            and at(event["start_time"] - NOON) < wanted.until
        )
    }
    got = project.read(exporter, wanted)
    assert Counter(got) == Counter(expected)
    begun = [project.emulator.events[one].get("start_time", 0) for one in got]
    assert begun == sorted(begun)


changes = st.dictionaries(
    st.integers(1, 40),  # after so many requests
    st.tuples(st.sampled_from(["insert", "delete", "update"]), times, st.integers(0, 1000)),
    max_size=8,
)


@given(st.lists(times, max_size=25), changes, exporters, windows)
def test_whatever_changes_between_the_pages_what_stays_is_read_exactly_once(
    held: list[float | None],
    script: Mapping[int, tuple[str, float | None, int]],
    exporter: HoneyHive,
    wanted: Window,
) -> None:
    project = Project(*held)
    project_before = project.read(exporter, wanted)
    deleted: set[str] = set()

    def change(number: int) -> None:
        kind, time, which = script.get(number, ("", None, 0))
        some = project.ids[which % len(project.ids)] if project.ids else None
        if kind == "insert":
            project.insert(time)
        elif kind == "delete" and some is not None:
            del project.emulator.events[some]
            deleted.add(some)
        elif kind == "update" and some is not None:
            said = {"feedback": {"rating": number}, "duration": number}
            assert project.emulator.ask("PUT", f"/v1/events/{some}", said).status == 200

    project.between, project.requests = change, 0
    try:
        got = project.read(exporter, wanted)
    except HistoryIncomplete as error:
        assert script, "a quiet history adds up"
        assert "Read again" in str(error)
        return
    assert max(Counter(got).values(), default=1) == 1
    assert set(project_before) - deleted <= set(got)
