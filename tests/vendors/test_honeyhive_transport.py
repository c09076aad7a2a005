from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from llmtee.errors import ConfigError
from llmtee.model import (
    Agent,
    Choice,
    Event,
    MediaPart,
    Message,
    ModelCall,
    Person,
    Step,
    TextPart,
    ToolRun,
)
from llmtee.spec import (
    Delivered,
    Exchange,
    Failure,
    Rejected,
    Request,
    Retry,
    TooLarge,
    Unauthorised,
    Unknown,
    WireItem,
)
from llmtee.testing import strategies
from llmtee.vendors.honeyhive import VENDOR, HoneyHive

LEGACY = HoneyHive(api_key="k", project="p")
V1 = HoneyHive(api_key="k", api="v1")
MIXED = HoneyHive(api_key="k", sessions="mixed")


def wires(events: Sequence[Event], settings: HoneyHive = LEGACY) -> list[WireItem]:
    return [VENDOR.render(event, settings) for event in events]


def pack(events: Sequence[Event], settings: HoneyHive = LEGACY) -> list[Request]:
    return VENDOR.pack(wires(events, settings), settings, {})


def ids(request: Request) -> list[str]:
    return [item.id for item in request.items]


# ── packing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_holds_one_session() -> None:
    events = [ToolRun(id=f"{session}{n}", session=session) for n in range(2) for session in "ab"]
    requests = pack(events)
    assert [ids(request) for request in requests] == [["a0", "a1"], ["b0", "b1"]]
    for request in requests:
        assert request.body["is_single_session"] is True
        about = request.body["session_properties"]
        assert {event["session_id"] for event in request.body["events"]} == {about["session_id"]}


def test_session_properties_say_what_the_events_share() -> None:
    def run(name: str, **more: Any) -> ToolRun:
        return ToolRun(name=name, session="s-1", agent=Agent(name="support"), **more)

    person = Person(id="p-1", properties={"plan": "pro"})
    [shared] = pack([run("a", person=person, source="web"), run("b", person=person, source="web")])
    assert shared.body["session_properties"] == {
        "session_name": "support",
        "session_id": shared.body["events"][0]["session_id"],
        "source": "web",
        "user_properties": {"user_id": "p-1", "plan": "pro"},
        "metadata": {"session_id": "s-1", "agent": {"name": "support"}},
    }
    [differing] = pack([run("a", person=person), run("b", source="web")])
    assert {"source", "user_properties"}.isdisjoint(differing.body["session_properties"])


def test_a_session_step_becomes_the_session_properties() -> None:
    step = Step(
        session="s-1",
        step_type="session",
        name="Checkout",
        inputs={"q": 1},
        started_at="2026-01-01T10:00:00Z",
    )
    run = ToolRun(id="run", session="s-1")
    for settings, flag in ((LEGACY, "is_single_session"), (V1, "single_session")):
        [request] = pack([run, step], settings)
        assert ids(request) == [step.id, "run"]
        assert len(request.body["events"]) == 1
        assert request.body[flag] is True
        about = request.body["session_properties"]
        assert (about["session_name"], about["inputs"]) == ("Checkout", {"q": 1})
        assert about["start_time"] == 1767261600000
        back = VENDOR.parse(request.body)
        assert [event.id for event in back] == [step.id, "run"]
        assert back[0].started_at == step.started_at


def test_a_session_step_alone_travels_as_an_event() -> None:
    step = Step(id="step", session="s-1", step_type="session", inputs={"q": 1})
    [request] = pack([step])
    [event] = request.body["events"]
    assert event["event_type"] == "session"
    assert event["event_id"] == request.body["session_properties"]["session_id"]
    [back] = VENDOR.parse(request.body)
    assert (back.id, back.inputs) == ("step", {"q": 1})


def test_mixed_sessions_share_a_request_sessions_first() -> None:
    events = [
        ToolRun(id="a", session="a"),
        ToolRun(id="b", session="b"),
        Step(id="s", session="b", step_type="session"),
    ]
    [request] = pack(events, MIXED)
    assert ids(request) == ["s", "a", "b"]
    assert request.body["is_single_session"] is False
    assert "session_properties" not in request.body
    assert request.body["events"][0]["event_type"] == "session"


@pytest.mark.parametrize("settings", [LEGACY, MIXED], ids=["each", "mixed"])
def test_parents_come_before_their_children(settings: HoneyHive) -> None:
    parents = {"leaf": "mid", "other": None, "mid": "root", "leaf2": "mid", "root": None}
    events = [ToolRun(id=name, session="s", parent=up) for name, up in parents.items()]
    [request] = pack(events, settings)
    assert ids(request) == ["root", "mid", "leaf", "other", "leaf2"]


def test_parents_in_a_circle_are_sent_all_the_same() -> None:
    events = [ToolRun(id=a, session="s", parent=b) for a, b in ("ab", "bc", "ca", "dd")]
    [request] = pack(events)
    assert sorted(ids(request)) == ["a", "b", "c", "d"]


@given(
    parents=st.lists(st.integers(-1, 9), min_size=1, max_size=10),
    most=st.integers(1, 4),
)
def test_each_event_once_and_parents_first_whatever_the_tree(parents: list[int], most: int) -> None:
    # An event's parent stands anywhere among the events, but the links make no circle: parent < own number.
    order = sorted(range(len(parents)), key=lambda n: (parents[n] * 7 + n) % 5)
    events = [
        ToolRun(id=f"e{n}", session="s", parent=f"e{parents[n]}" if parents[n] < n else None)
        for n in order
    ]
    requests = pack(events, LEGACY.model_copy(update={"max_items": most}))
    sent = [name for request in requests for name in ids(request)]
    assert sorted(sent) == sorted(event.id for event in events)
    assert all(1 <= len(request.items) <= most for request in requests)
    place = {name: index for index, name in enumerate(sent)}
    for event in events:
        assert place.get(event.parent or "", -1) < place[event.id]


def test_a_request_holds_at_most_a_hundred_events() -> None:
    requests = pack([ToolRun(session="s") for _ in range(201)])
    assert [len(request.items) for request in requests] == [100, 100, 1]


@given(
    sizes=st.lists(st.integers(0, 800), min_size=1, max_size=8),
    sessions=st.lists(st.sampled_from("ab"), min_size=8, max_size=8),
    limit=st.integers(800, 4000),
    with_step=st.booleans(),
    mixed=st.booleans(),
)
def test_the_whole_body_keeps_to_the_limit_in_bytes(
    sizes: list[int], sessions: list[str], limit: int, with_step: bool, mixed: bool
) -> None:
    settings = HoneyHive(max_bytes=limit, sessions="mixed" if mixed else "each")
    events: list[Event] = [
        ToolRun(session=session, result="ü" * size)
        for session, size in zip(sessions, sizes, strict=False)
    ]
    if with_step:
        events.append(Step(session="a", step_type="session", inputs={"text": "é" * 300}))
    requests = pack(events, settings)
    assert sum(len(request.items) for request in requests) == len(events)
    for request in requests:
        assert len(request.content) <= limit or len(request.items) == 1


def test_requests_are_filled_to_the_last_byte() -> None:
    events = [ToolRun(id=f"e{n}", session="s", result="x" * 500) for n in range(3)]
    [request] = pack(events)
    exact = len(request.content)
    assert len(pack(events, LEGACY.model_copy(update={"max_bytes": exact}))) == 1
    assert len(pack(events, LEGACY.model_copy(update={"max_bytes": exact - 1}))) == 2


def test_a_session_that_leaves_no_room_travels_as_an_event() -> None:
    step = Step(id="step", session="s", step_type="session", inputs={"text": "x" * 2000})
    run = ToolRun(id="run", session="s", result="x" * 1000)
    requests = pack([step, run], LEGACY.model_copy(update={"max_bytes": 3200}))
    assert [ids(request) for request in requests] == [["step"], ["run"]]
    assert requests[0].body["events"][0]["inputs"] == {"text": "x" * 2000}


@given(events=st.lists(strategies.events(), max_size=4))
def test_packing_changes_nothing(events: list[Event]) -> None:
    items = wires(events)
    before = json.dumps([item.body for item in items])
    first = [request.content for request in VENDOR.pack(items, LEGACY, {})]
    assert [request.content for request in VENDOR.pack(items, LEGACY, {})] == first
    assert json.dumps([item.body for item in items]) == before


# ── judging ─────────────────────────────────────────────────────────────────────────────────────────────────────

A = "7f22137a-6911-4ed3-bc36-110f1dde6b66"
B = "7F22137A-6911-4ED3-BC36-110F1DDE6B67"
SESSION = "caf77ace-3417-4da4-944d-f4a0688f3c23"


def two() -> Request:
    [request] = pack([ToolRun(id=A, session=SESSION), ToolRun(id=B, session=SESSION)])
    return request


def with_session() -> Request:
    step = Step(session=SESSION, step_type="session")
    [request] = pack([step, ToolRun(id=A, session=SESSION)])
    return request


def judge(request: Request, status: int | None, body: Any = None, **more: Any) -> list[Any]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return VENDOR.judge(Exchange(request, status=status, content=content, **more), LEGACY)


@pytest.mark.parametrize(
    ("status", "body", "verdicts"),
    [
        (200, {"event_ids": [B.lower(), A], "success": True}, [Delivered, Delivered]),
        (201, {"event_ids": [A, B, "more"], "success": True}, [Delivered, Delivered]),
        (200, {"event_ids": [A], "success": True}, [Delivered, Retry]),
        (200, {"event_ids": [5, None, A], "success": True}, [Delivered, Retry]),
        (200, {"event_ids": [], "success": True}, [Retry, Retry]),
        (200, {"success": True}, [Delivered, Delivered]),
        (200, {"success": False, "message": "busy"}, [Retry, Retry]),
        (200, {}, [Unauthorised, Unauthorised]),
        (200, b"<!doctype html><title>Hello</title>", [Unauthorised, Unauthorised]),
        (204, b"", [Unauthorised, Unauthorised]),
        (
            500,
            {"event_ids": [B], "errors": ["Could not create event"], "success": True},
            [Retry, Delivered],
        ),
        (500, {"event_ids": [], "errors": [], "success": True}, [Retry, Retry]),
        (500, {"message": "internal"}, [Retry, Retry]),
        (500, b"<html>", [Retry, Retry]),
        (502, b"<html>", [Retry, Retry]),
        (408, {}, [Retry, Retry]),
        (429, {}, [Retry, Retry]),
        (400, {"message": "events[1].duration"}, [TooLarge, TooLarge]),
        (422, {"message": "no"}, [TooLarge, TooLarge]),
        (413, b"", [TooLarge, TooLarge]),
        (401, {"message": "bad key"}, [Unauthorised, Unauthorised]),
        (403, {"message": "bad key"}, [Unauthorised, Unauthorised]),
        (404, b"", [Unauthorised, Unauthorised]),
        (302, b"", [Unauthorised, Unauthorised]),
    ],
)
def test_what_answers_mean_for_a_batch(status: int, body: Any, verdicts: list[type]) -> None:
    assert [type(verdict) for verdict in judge(two(), status, body)] == verdicts


def test_a_refused_batch_is_split_and_a_refused_event_is_rejected() -> None:
    [verdict, _] = judge(two(), 400, {"message": "events[1].duration"})
    assert verdict.reason == (
        "400: events[1].duration (a batch of 2: split to find the event at fault)"
    )
    [alone] = pack([ToolRun(id=A, session=SESSION)])
    assert judge(alone, 400, {"message": "bad duration"}) == [Rejected("400: bad duration")]


def test_a_missing_event_is_tried_again_with_what_the_answer_says() -> None:
    body = {"event_ids": [A], "errors": ["missing inputs", "missing source"], "success": True}
    delivered, retry = judge(two(), 500, body, headers={"retry-after": "3"})
    assert delivered == Delivered(vendor_id=A)
    assert isinstance(retry, Retry)
    assert "missing inputs; missing source" in retry.reason
    assert retry.after == 3


@pytest.mark.parametrize(
    ("status", "event_ids", "verdicts"),
    [
        (200, [A], [Delivered, Delivered]),
        (200, [], [Delivered, Retry]),
        (500, [A], [Delivered, Delivered]),
        (500, [], [Retry, Retry]),
    ],
)
def test_a_session_is_delivered_with_its_batch(
    status: int, event_ids: list[str], verdicts: list[type]
) -> None:
    body = {"event_ids": event_ids, "session_id": SESSION, "success": True}
    assert [type(verdict) for verdict in judge(with_session(), status, body)] == verdicts


def test_failures_of_the_connection() -> None:
    request = two()
    for failure, kind in ((Failure.NOT_SENT, Retry), (Failure.UNANSWERED, Unknown)):
        verdicts = judge(request, None, b"", failure=failure, failure_text="reset")
        assert [type(verdict) for verdict in verdicts] == [kind, kind]


# ── shrinking ───────────────────────────────────────────────────────────────────────────────────────────────────


def shrunk(event: Event, limit: int, settings: HoneyHive = LEGACY) -> WireItem | None:
    return VENDOR.shrink(VENDOR.render(event, settings), limit, settings)


def test_media_goes_first() -> None:
    parts = (
        TextPart(text="t" * 1000),
        MediaPart(media="image", mime="image/png", data="A" * 9000),
        MediaPart(media="audio", mime="audio/wav", data="B" * 9000),
    )
    call = ModelCall(session="s", input=(Message(role="user", parts=parts),))
    item = shrunk(call, 4000)
    assert item is not None
    assert item.size <= 4000
    text, image, audio = item.body["inputs"]["chat_history"][0]["content"]
    assert text["text"] == "t" * 1000
    assert image["image_url"]["url"] == "<dropped: image/png, 9022 characters>"
    assert audio["input_audio"]["data"] == "<dropped: media, 9000 characters>"
    dropped = [note for note in item.notes if note.action == "dropped"]
    assert [note.path for note in dropped] == ["input", "input"]
    assert "inputs.chat_history[0].content[1].image_url.url" in dropped[0].reason
    assert VENDOR.parse(item.body)


def test_then_the_longest_texts_are_cut_in_the_middle() -> None:
    call = ModelCall(
        session="s",
        input=(Message(role="user", parts=(TextPart(text="short " * 20),)),),
        choices=(
            Choice(
                message=Message(role="assistant", parts=(TextPart(text="<" + "ü" * 9000 + ">"),))
            ),
        ),
    )
    item = shrunk(call, 4000)
    assert item is not None
    assert item.size <= 4000
    assert item.size > 3900
    content = item.body["outputs"]["content"]
    assert content.startswith("<ü")
    assert content.endswith("ü>")
    assert " characters cut by llmtee …]" in content
    assert item.body["inputs"]["chat_history"][0]["content"] == "short " * 20
    [note] = [note for note in item.notes if note.action == "trimmed"]
    assert note.path == "choices"


def test_the_original_stays_and_what_fits_is_left_alone() -> None:
    run = ToolRun(session="s", result="x" * 5000)
    item = VENDOR.render(run, LEGACY)
    before = json.dumps(item.body)
    assert VENDOR.shrink(item, 2000, LEGACY) is not None
    assert json.dumps(item.body) == before
    assert VENDOR.shrink(item, 100_000, LEGACY) is item


def test_what_cannot_be_cut_is_given_up() -> None:
    run = ToolRun(session="s", result=list(range(5000)))
    assert shrunk(run, 2000) is None


@pytest.mark.parametrize("settings", [LEGACY, V1, MIXED], ids=["legacy", "v1", "mixed"])
def test_a_session_shrinks_like_an_event(settings: HoneyHive) -> None:
    step = Step(session="s", step_type="session", inputs={"text": "x" * 5000})
    item = shrunk(step, 2000, settings)
    assert item is not None
    assert item.size <= 2000


# ── settings, key, card ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_key_goes_into_the_bearer_token() -> None:
    assert VENDOR.auth(LEGACY) == {"Authorization": "Bearer k"}
    with pytest.raises(ConfigError, match=r"api_key.*HH_API_KEY"):
        VENDOR.auth(HoneyHive())


def test_settings_refuse_what_cannot_work() -> None:
    for wrong in ({"api": "v2"}, {"sessions": "all"}, {"project": ""}, {"projct": "x"}):
        with pytest.raises(ValidationError):
            HoneyHive.model_validate(wrong)


@pytest.mark.parametrize(
    ("settings", "path"), [(LEGACY, "/v1/events/export"), (V1, "/v1/events/search")]
)
def test_the_check_only_reads(settings: HoneyHive, path: str) -> None:
    assert VENDOR.check is not None
    request = VENDOR.check(settings)
    assert (request.method, request.path, request.items) == ("POST", path, ())
    assert request.body["limit"] == 1
    assert ("project" in request.body) == (settings.api == "legacy")


def test_the_capability_card() -> None:
    card = VENDOR.capabilities(LEGACY)
    assert card.past_times
    assert card.idempotent_by == "event_id"
    assert card.partial_answers
    assert card.reads_back
