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
        self.last: Request | None = None
        """Of this step."""
        self.paging = False
        """Whether numbered pages are read."""
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
            self.last = None
            self.paging = any(request.body["page"] > 1 for request in requests)
            page = reader.page(position, [self.ask(request) for request in requests])
            assert page.next != position
            yield page
            position = page.next

    def ask(self, request: Request) -> Exchange:
        if self.requests:
            self.between(self.requests)
        self.requests += 1
        self.last = request
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
    except HistoryIncomplete:
        assert script, "a quiet history adds up"
        return
    assert max(Counter(got).values(), default=1) == 1
    assert set(project_before) - deleted <= set(got)


def test_events_of_one_millisecond_are_read_until_two_readings_agree() -> None:
    project = Project(*[5.0] * 6)
    exporter = HoneyHive(api="v1", max_items=3, concurrency=1)
    first, second = project.ids[0], project.ids[3]
    done = []

    def move(_: int) -> None:
        # Between two numbered pages one event of the first goes and another comes: the counts stay as they were.
        asked = project.last
        if done or asked is None or not project.paging or asked.body["page"] != 1:
            return
        if asked.body["dateRange"]["start_time"].endswith("00.005Z"):
            done.append(project.emulator.events.pop(first))
            project.insert(5.0)

    project.between = move
    got = project.read(exporter, window())
    assert done
    assert second in got
    assert Counter(got) == Counter(project.ids)


def test_a_count_that_is_wrong_for_a_while_is_asked_for_again() -> None:
    wrong = iter([9, 9])

    def miscounted(request: Request, body: dict[str, Any]) -> dict[str, Any]:
        whole = request.body["limit"] > 1 and "dateRange" in request.body
        return {**body, "count": next(wrong, body["count"])} if whole else body

    project = Project(1, 2, 3, answer=miscounted)
    exporter = HoneyHive(api="v1", max_items=10, concurrency=1)
    pages = list(project.pages(exporter, window(since=0)))
    assert [page.again for page in pages] == [0, 0, 1, 2, 0, 0]
    assert [item.id for page in pages for item in page.items] == project.ids


@pytest.mark.parametrize("times", [(1, 2, 3), (7, 7, 7)])
def test_a_count_that_stays_wrong_is_no_quiet_end(times: tuple[float, ...]) -> None:
    def miscounted(request: Request, body: dict[str, Any]) -> dict[str, Any]:
        wrong = "dateRange" in request.body and body["events"]
        return {**body, "count": body["count"] + 1} if wrong else body

    project = Project(*times, answer=miscounted)
    with pytest.raises(HistoryIncomplete, match=r"counts \d events from .* and gives \d"):
        project.read(HoneyHive(api="v1", max_items=9), window(since=0))


def test_a_tenant_that_gives_less_at_a_time_is_read_in_smaller_slices() -> None:
    def capped(request: Request, body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "events": body["events"][:4]}

    project = Project(*range(0, 5000, 100), answer=capped)
    exporter = HoneyHive(api="v1", max_items=10)
    assert project.read(exporter, window(since=0)) == project.ids


def test_what_is_deleted_while_it_is_read_is_not_missing_in_silence() -> None:
    project = Project(*range(100))
    project.answer = lambda request, body: (
        {**body, "events": [], "count": 0} if request.body["limit"] > 1 else body
    )
    with pytest.raises(HistoryIncomplete, match=r"counted 100 events .* gave 0"):
        project.read(HoneyHive(api="v1"), window(since=0))


def test_a_moment_that_would_not_fit_into_memory_is_refused() -> None:
    def many(request: Request, body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "count": 200_000}

    project = Project(5, answer=many)
    with pytest.raises(HistoryIncomplete, match="more than the 100,000"):
        project.read(HoneyHive(api="v1"), window(since=0))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"message": "hello"}, r"body: is no answer of HoneyHive's /v1/events/search"),
        ({"events": []}, "count: is missing"),
        ({"events": {}, "count": 0}, "events: must be a list"),
        ({"events": [{}], "count": 1}, r"events\[0\].event_id: is missing"),
    ],
)
def test_answers_of_another_shape_are_errors(answer: Any, message: str) -> None:
    project = Project(1, answer=lambda request, body: answer)
    with pytest.raises(InputError, match=message):
        project.read()


def test_an_event_that_cannot_be_read_is_named() -> None:
    project = Project(1, 2)
    bad = project.ids[1]
    project.emulator.events[bad]["inputs"] = "text"
    with pytest.raises(InputError, match=rf"HoneyHive's event {bad}: inputs: must be an object"):
        project.read()


def test_sessions_come_first_and_feedback_and_metrics_come_along() -> None:
    project = Project()
    call = ModelCall(session=SESSION, model="m", started_at=at(10), feedback={"rating": 5})
    session = Step(id=SESSION, session=SESSION, step_type="session", name="chat", started_at=at(10))
    exporter = HoneyHive(carry=True, api="v1")
    wires = [VENDOR.render(item, exporter) for item in (call, session)]
    for request in VENDOR.pack(wires, exporter, {}):
        assert project.emulator.ask(request.method, request.path, request.body).status == 200
    update = {"metrics": {"words": 3}, "feedback": {"comment": "good"}}
    assert project.emulator.ask("PUT", f"/v1/events/{call.id}", update).status == 200
    items: list[Item] = [item for page in project.pages(exporter, window()) for item in page.items]
    assert [item.id for item in items] == [SESSION, call.id]
    assert isinstance(items[1], ModelCall)
    assert (items[1].feedback, items[1].metrics) == (
        {"rating": 5, "comment": "good"},
        {"words": 3},
    )


def test_events_without_a_time_are_said_to_be_outside_of_a_window() -> None:
    project = Project(1, None, None)
    pages = list(project.pages(HoneyHive(), window(since=0)))
    assert [note for page in pages for note in page.notes] == [
        "3 events or sessions have no time at all, so they are in no window: read without a beginning to get them"
    ]
    assert len(project.read(HoneyHive())) == 3


def test_events_that_only_say_when_they_ended_are_in_the_window_of_that() -> None:
    project = Project(5)
    before, inside, after = (project.insert(None, end_time=NOON + end) for end in (-10, 10, 70_000))
    assert project.read(HoneyHive(), window(since=0)) == [inside, project.ids[0]]
    assert project.read(HoneyHive()) == [before, inside, project.ids[0]]
    assert after in project.emulator.events


def test_a_year_takes_few_requests_and_each_is_small() -> None:
    year = 365 * 86_400_000
    project = Project(*[n * n * year // 900**2 - year for n in range(900)])
    got = project.read(HoneyHive(api="v1", max_items=100))
    assert len(got) == 900
    assert project.requests < 60
