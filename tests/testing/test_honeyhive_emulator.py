from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtee._data_files import data_dir
from llmtee.model import Event, Step, ToolRun
from llmtee.spec import Delivered, Exchange, Rejected, Request, Retry, TooLarge, Unauthorised
from llmtee.testing import strategies
from llmtee.testing.emulators import HoneyHiveEmulator, faults
from llmtee.vendors.honeyhive import VENDOR, HoneyHive

A = "7f22137a-6911-4ed3-bc36-110f1dde6b66"
B = "7f22137a-6911-4ed3-bc36-110f1dde6b67"
SESSION = "caf77ace-3417-4da4-944d-f4a0688f3c23"


@pytest.fixture(scope="module")
def server() -> Iterator[HoneyHiveEmulator]:
    with HoneyHiveEmulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(server: HoneyHiveEmulator) -> HoneyHiveEmulator:
    server.clear()
    return server


def send(exporter: HoneyHive, request: Request) -> Exchange:
    """A request over real HTTP, as the delivery engine sends it."""
    answer = httpx.request(
        request.method,
        exporter.base_url + request.path,
        content=request.content,
        headers={"content-type": "application/json", **VENDOR.auth(exporter)},
    )
    return Exchange(
        request, status=answer.status_code, headers=dict(answer.headers), content=answer.content
    )


def deliver(exporter: HoneyHive, events: Sequence[Event]) -> dict[str, Any]:
    """The verdicts of a first sending, by event."""
    items = [VENDOR.render(event, exporter) for event in events]
    verdicts = {}
    for request in VENDOR.pack(items, exporter, {}):
        judged = VENDOR.judge(send(exporter, request), exporter)
        verdicts |= {item.id: verdict for item, verdict in zip(request.items, judged, strict=True)}
    return verdicts


def legacy_event(**fields: Any) -> dict[str, Any]:
    return {
        "project": "p",
        "source": "s",
        "event_name": "n",
        "event_type": "tool",
        "event_id": A,
        "session_id": SESSION,
        "config": {},
        "inputs": {},
        "duration": 1,
        **fields,
    }


def v1_event(**fields: Any) -> dict[str, Any]:
    return {
        "event_type": "tool",
        "event_id": A,
        "session_id": SESSION,
        "inputs": {},
        **fields,
    }


# ── over real HTTP ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("sessions", ["each", "mixed"])
@pytest.mark.parametrize("api", ["legacy", "v1"])
@given(drawn=st.lists(strategies.events(), min_size=1, max_size=3))
@settings(max_examples=25)
def test_any_event_is_taken_and_can_be_read_back(
    server: HoneyHiveEmulator, api: str, sessions: str, drawn: list[Event]
) -> None:
    server.clear()
    events = list({event.id: event for event in drawn}.values())
    exporter = server.exporter(api=api, sessions=sessions)
    verdicts = deliver(exporter, events)
    assert [type(verdict) for verdict in verdicts.values()] == [Delivered] * len(events)
    assert VENDOR.check is not None
    check = VENDOR.check(exporter)
    everything = {**check.body, "limit": 1000}
    answer = send(exporter, Request(check.method, check.path, everything))
    assert answer.status == 200
    read = {event.id for event in VENDOR.parse(answer.json)}
    # A session is one event, however many steps speak of it.
    steps = [e for e in events if isinstance(e, Step) and e.step_type == "session"]
    assert {event.id for event in events if event not in steps} <= read
    assert set(server.sessions) >= {event["session_id"] for event in server.events.values()}


def test_the_seed_is_stored_as_it_is(emulator: HoneyHiveEmulator) -> None:
    seed = json.loads((data_dir("fixtures") / "vendors/honeyhive/seed.json").read_text("utf-8"))
    exporter = emulator.exporter()
    verdicts = deliver(exporter, VENDOR.parse(seed))
    assert all(isinstance(verdict, Delivered) for verdict in verdicts.values())
    assert emulator.events == {A: seed["events"][0]}
    session = emulator.sessions[SESSION]
    assert (session["event_type"], session["event_name"]) == ("session", "Playground Session")
    assert session["inputs"] == seed["session_properties"]["inputs"]
    [received] = emulator.requests
    assert (received.path, received.status, received.body) == ("/events/batch", 200, seed)


@pytest.mark.parametrize("api", ["legacy", "v1"])
def test_a_partly_created_batch_is_finished_by_sending_the_rest(
    emulator: HoneyHiveEmulator, api: str
) -> None:
    exporter = emulator.exporter(api=api)
    events = [ToolRun(session="s") for _ in range(5)]
    emulator.script(faults.partial())
    verdicts = deliver(exporter, events)
    missing = [event for event in events if isinstance(verdicts[event.id], Retry)]
    assert 0 < len(missing) < 5
    assert len(emulator.events) == 5 - len(missing)
    verdicts |= deliver(exporter, missing)
    assert all(isinstance(verdict, Delivered) for verdict in verdicts.values())
    assert len(emulator.events) == 5


def test_a_wrong_key_is_told_from_wrong_events(emulator: HoneyHiveEmulator) -> None:
    exporter = emulator.exporter(api_key="other")
    [verdict] = deliver(exporter, [ToolRun(session="s")]).values()
    assert isinstance(verdict, Unauthorised)
    assert emulator.events == {}


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (faults.status(429, retry_after=3), Retry),
        (faults.status(503), Retry),
        (faults.status(500), Retry),
        (faults.status(400), Rejected),
        (faults.html(), Unauthorised),
        (faults.wrong_token(), Unauthorised),
    ],
)
def test_scripted_answers_are_judged(
    emulator: HoneyHiveEmulator, fault: faults.Fault, kind: type
) -> None:
    emulator.script(fault)
    events = [ToolRun(session="s")]
    [verdict] = deliver(emulator.exporter(), events).values()
    assert type(verdict) is kind
    [verdict] = deliver(emulator.exporter(), events).values()
    assert isinstance(verdict, Delivered)


def test_a_body_over_the_limit_is_413_and_a_shrunken_one_is_taken() -> None:
    with HoneyHiveEmulator(max_bytes=3000) as emulator:
        exporter = emulator.exporter()
        run = ToolRun(session="s", result="x" * 5000)
        [verdict] = deliver(exporter, [run]).values()
        assert isinstance(verdict, TooLarge)
        smaller = VENDOR.shrink(VENDOR.render(run, exporter), 2000, exporter)
        assert smaller is not None
        [request] = VENDOR.pack([smaller], exporter, {})
        assert send(exporter, request).status == 200


# ── strictness ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "events"),
        ({"events": {}}, "events"),
        ({"events": [], "is_single_session": True}, "is_single_session"),
        ({"events": [], "session": {}}, "session"),
        ({"events": [], "single_session": "yes"}, "single_session"),
        ({"events": [], "session_properties": []}, "session_properties"),
        ({"events": [], "session_properties": {"metadata": 5}}, "metadata"),
        ({"events": [v1_event(project="p")]}, "events[0].unknown fields: project"),
        ({"events": [v1_event(), {"inputs": {}}]}, "events[1].missing event_type"),
        ({"events": [{"event_type": "tool"}]}, "missing inputs"),
        ({"events": [v1_event(event_type="agent")]}, "event_type must be one of"),
        ({"events": [v1_event(start_time="2026-01-01")]}, "start_time must be a number"),
        ({"events": [v1_event(outputs="text")]}, "outputs must be an object"),
        ({"events": [3]}, "must be an object"),
    ],
)
def test_v1_refuses_the_whole_batch(body: Any, message: str) -> None:
    emulator = HoneyHiveEmulator()
    answer = emulator.ask("POST", "/v1/events/batch", body)
    assert answer.status == 400
    assert message in answer.body["message"]
    assert emulator.events == {}


def test_legacy_keeps_unknown_fields_and_takes_both_spellings() -> None:
    emulator = HoneyHiveEmulator()
    for flag, properties in (
        ("is_single_session", "session_properties"),
        ("single_session", "session"),
    ):
        body = {
            "events": [legacy_event(colour="red")],
            flag: True,
            properties: {"session_id": SESSION},
        }
        answer = emulator.ask("POST", "/events/batch", body)
        assert answer.status == 200
        assert answer.body == {"event_ids": [A], "session_id": SESSION, "success": True}
        assert emulator.events[A]["colour"] == "red"


def test_legacy_creates_what_it_can() -> None:
    emulator = HoneyHiveEmulator()
    bad = legacy_event(event_id=B)
    del bad["source"]
    answer = emulator.ask("POST", "/events/batch", {"events": [bad, legacy_event()]})
    assert answer.status == 500
    assert answer.body == {
        "event_ids": [A],
        "errors": ["Could not create event due to missing source"],
        "success": True,
    }
    assert set(emulator.events) == {A}


def test_the_last_write_wins() -> None:
    emulator = HoneyHiveEmulator()
    for name in ("first", "second"):
        emulator.ask("POST", "/v1/events/batch", {"events": [v1_event(event_name=name)]})
    assert emulator.events[A]["event_name"] == "second"


def test_ids_that_are_no_uuids_are_replaced_without_a_word() -> None:
    emulator = HoneyHiveEmulator()
    body = {"events": [v1_event(event_id="e-1", session_id="s-1")]}
    answer = emulator.ask("POST", "/v1/events/batch", body)
    assert answer.status == 200
    [event_id] = answer.body["event_ids"]
    assert event_id != "e-1"
    assert emulator.events[event_id]["session_id"] not in ("s-1", SESSION)


def test_a_single_session_overrides_the_events_own() -> None:
    emulator = HoneyHiveEmulator()
    body = {
        "events": [v1_event(session_id=B)],
        "single_session": True,
        "session_properties": {"session_id": SESSION},
    }
    emulator.ask("POST", "/v1/events/batch", body)
    assert emulator.events[A]["session_id"] == SESSION


# ── sessions, updates, single events ────────────────────────────────────────────────────────────────────────────


def test_sessions_are_started_once_and_merged() -> None:
    emulator = HoneyHiveEmulator()
    first = {"session_id": SESSION, "session_name": "one", "metadata": {"a": 1}}
    assert emulator.ask("POST", "/v1/sessions", first).status == 200
    second = {"session_id": SESSION, "metadata": {"b": 2}, "user_properties": {"user_id": "u"}}
    for session in (second, json.dumps(second)):
        answer = emulator.ask("POST", "/session/start", {"session": session})
        assert answer.status == 200
        assert answer.body["metadata"] == {"a": 1, "b": 2}
    assert list(emulator.sessions) == [SESSION]
    assert emulator.sessions[SESSION]["event_name"] == "one"


def test_a_sessions_time_as_text_silently_becomes_now() -> None:
    emulator = HoneyHiveEmulator()
    body = {"session_id": SESSION, "start_time": "2001-01-01T00:00:00Z"}
    answer = emulator.ask("POST", "/v1/sessions", body)
    assert answer.body["start_time"] > 1_700_000_000_000


@pytest.mark.parametrize("body", [{"sesion_name": "x"}, [], {"metadata": 5}])
def test_odd_sessions_are_refused(body: Any) -> None:
    emulator = HoneyHiveEmulator()
    assert emulator.ask("POST", "/v1/sessions", body).status == 400
    assert emulator.ask("POST", "/session/start", {"session": "{half"}).status == 400


def test_single_events() -> None:
    emulator = HoneyHiveEmulator()
    assert emulator.ask("POST", "/v1/events", v1_event()).body == {"success": True, "event_id": A}
    for event in (legacy_event(event_id=B), json.dumps(legacy_event(event_id=B))):
        answer = emulator.ask("POST", "/events", {"event": event})
        assert answer.body == {"success": True, "event_id": B}
    assert set(emulator.events) == {A, B}
    assert emulator.ask("POST", "/v1/events", v1_event(project="p")).status == 400
    assert emulator.ask("POST", "/events", {"event": {}}).status == 400


def test_updates_merge() -> None:
    emulator = HoneyHiveEmulator()
    event = v1_event(metadata={"a": 1}, outputs={"x": 1}, children_ids=[B])
    emulator.ask("POST", "/v1/events", event)
    update = {
        "metadata": {"b": 2},
        "feedback": {"rating": 5},
        "outputs": None,
        "duration": 7,
        "children_ids": [],
        "colour": "red",
    }
    assert emulator.ask("PUT", f"/v1/events/{A}", update).status == 200
    stored = emulator.events[A]
    assert (stored["metadata"], stored["feedback"]) == ({"a": 1, "b": 2}, {"rating": 5})
    assert (stored["outputs"], stored["duration"]) == ({"x": 1}, 7)
    assert stored["children_ids"] == [B]
    assert "colour" not in stored
    legacy = {"event_id": A, "outputs": {"y": 2}}
    assert emulator.ask("PUT", "/events", legacy).status == 200
    assert stored["outputs"] == {"y": 2}
    assert emulator.ask("PUT", f"/v1/events/{B}", update).status == 404
    assert emulator.ask("PUT", f"/v1/events/{A}", {"metrics": []}).status == 400


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def filled() -> HoneyHiveEmulator:
    emulator = HoneyHiveEmulator()
    events = [
        v1_event(
            event_id=f"7f22137a-6911-4ed3-bc36-110f1dde6b{n:02d}",
            event_name=f"event {n}",
            start_time=1767261600000 + n * 1000,
            metadata={"cost": n, "tags": ["even"] if n % 2 == 0 else []},
        )
        for n in range(5)
    ]
    emulator.ask("POST", "/v1/events/batch", {"events": events})
    return emulator


def names(answer: Any) -> list[str]:
    assert answer.status == 200
    return [event["event_name"] for event in answer.body["events"]]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (("event_name", "is", "event 3"), [3]),
        (("event_name", "is not", "event 3"), [4, 2, 1, 0]),
        (("event_name", "contains", "event"), [4, 3, 2, 1, 0]),
        (("metadata.tags", "contains", "even"), [4, 2, 0]),
        (("metadata.tags", "not contains", "even"), [3, 1]),
        (("metadata.cost", "greater than", 2), [4, 3]),
        (("metadata.cost", "less than", 1), [0]),
        (("start_time", "after", "2026-01-01T10:00:03Z"), [4]),
        (("start_time", "before", "2026-01-01T10:00:01Z"), [0]),
        (("error", "exists", None), []),
        (("error", "not exists", None), [4, 3, 2, 1, 0]),
    ],
)
def test_filters(
    filled: HoneyHiveEmulator, wanted: tuple[str, str, Any], numbers: list[int]
) -> None:
    filters = [
        dict(zip(("field", "operator", "value"), wanted, strict=True)),
        {"field": "event_type", "operator": "is", "value": "tool"},
    ]
    expected = [f"event {number}" for number in numbers]
    assert names(filled.ask("POST", "/v1/events/search", {"filters": filters})) == expected
    export = {"project": "p", "filters": filters}
    assert names(filled.ask("POST", "/v1/events/export", export)) == expected
    assert names(filled.ask("POST", "/events/export", export)) == expected


def test_pages_and_dates(filled: HoneyHiveEmulator) -> None:
    tools = [{"field": "event_type", "operator": "is", "value": "tool"}]
    body = {"filters": tools, "limit": 2, "page": 2}
    answer = filled.ask("POST", "/v1/events/search", body)
    assert (names(answer), answer.body["count"]) == (["event 2", "event 1"], 5)
    answer = filled.ask("POST", "/v1/events/export", {"project": "p", **body})
    assert (names(answer), answer.body["totalEvents"]) == (["event 2", "event 1"], 5)
    start, end = "2026-01-01T10:00:01Z", "2026-01-01T10:00:02Z"
    dates = {"filters": tools, "dateRange": {"start_time": start, "end_time": end}}
    assert names(filled.ask("POST", "/v1/events/search", dates)) == ["event 2", "event 1"]
    dates = {"project": "p", "filters": tools, "dateRange": {"$gte": start, "$lte": end}}
    answer = filled.ask("POST", "/v1/events/export", {**dates, "projections": ["event_id"]})
    assert [list(event) for event in answer.body["events"]] == [["event_id"], ["event_id"]]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/events/search", {"projections": []}),
        ("/v1/events/search", {"limit": 1001}),
        ("/v1/events/search", {"limit": 0}),
        ("/v1/events/search", {"page": 0}),
        ("/v1/events/search", {"filters": {}}),
        ("/v1/events/search", {"filters": [{"field": "a", "operator": "like"}]}),
        ("/v1/events/search", {"filters": [{}]}),
        ("/v1/events/search", {"dateRange": {"start_time": "soon"}}),
        ("/v1/events/search", {"dateRange": {"start_time": 5}}),
        ("/v1/events/export", {"filters": []}),
        ("/v1/events/export", {"project": "p"}),
        ("/v1/events/export", {"project": "p", "filters": [], "limit": 7501}),
    ],
)
def test_odd_questions_are_refused(filled: HoneyHiveEmulator, path: str, body: Any) -> None:
    assert filled.ask("POST", path, body).status == 400


def test_one_event_is_read_by_its_id(filled: HoneyHiveEmulator) -> None:
    event_id = next(iter(filled.events))
    answer = filled.ask("GET", f"/v1/events/{event_id}")
    assert answer.body == {"event": filled.events[event_id]}
    [event] = VENDOR.parse(answer.body)
    assert event.id == event_id
    assert filled.ask("GET", f"/v1/events/{SESSION}").body["event"]["event_type"] == "session"
    assert filled.ask("GET", f"/v1/events/{A}").status == 404
    assert filled.ask("GET", "/v1/events/abc").status == 400


def test_clearing_forgets(filled: HoneyHiveEmulator) -> None:
    filled.clear()
    assert (filled.events, filled.sessions) == ({}, {})
