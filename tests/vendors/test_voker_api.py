"""Voker's management API as values: requests, answers and refusals, without any I/O."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtee import registry
from llmtee._data_files import data_dir
from llmtee.errors import (
    ApiError,
    ApiNotFound,
    ApiRejected,
    ApiUnauthorised,
    ApiUnavailable,
    ApiUnreachable,
    UsageError,
)
from llmtee.model import VendorRequest
from llmtee.spec import (
    Delivered,
    Exchange,
    Failure,
    Rejected,
    Retry,
    Unauthorised,
    supplement_out,
)
from llmtee.testing import strategies
from llmtee.testing.emulators import VokerEmulator
from llmtee.vendors.voker import VENDOR, Voker, api
from llmtee.vendors.voker.api.background import OPERATIONS, event_of

SETTINGS = Voker(api_key="k")
SEED = json.loads((data_dir("fixtures") / "vendors" / "voker" / "seed.json").read_text("utf-8"))
ODD_NAMES = ("a/b?x#y", "50% ü 名", "..", ".", "a b+c", "%2F", "x\x00y", "\udce9")


EMULATOR = VokerEmulator()


@pytest.fixture(autouse=True)
def _fresh():
    EMULATOR.clear()
    EMULATOR.errors_in_detail = True


def ask(emulator: VokerEmulator, request) -> Exchange:
    """What the emulator answers, without HTTP."""
    answer = emulator.ask(request.method, request.path, request.content)
    return Exchange(request, status=answer.status, content=answer.content)


def failure_of(operation, exchange) -> ApiError | None:
    try:
        operation.result(exchange)
    except ApiError as error:
        return error
    return None


def names() -> st.SearchStrategy[str]:
    return st.text(min_size=1, max_size=12) | st.sampled_from(ODD_NAMES)


@settings(max_examples=20)
@given(agent=names(), version=names(), description=st.none() | st.text())
def test_any_name_reaches_its_own_record(agent, version, description) -> None:
    emulator = EMULATOR
    emulator.clear()

    def call(operation):
        return operation.result(ask(emulator, operation.request))

    made = call(api.create_agent(agent, description))
    assert call(api.get_agent(agent)) == made
    created = call(api.create_agent_version(agent, version, description))
    assert call(api.get_agent_version(agent, version)) == created
    person = call(api.create_person(version))
    assert call(api.get_person(version)) == person
    assert list(emulator.agents) == [made.agent_name]
    assert list(emulator.people) == [person.person_id]
    assert list(emulator.versions) == [(made.agent_name, created.agent_version_name)]


@settings(max_examples=20)
@given(properties=strategies.json_objects() | st.just({"a": float("nan"), "b": {1, 2}}))
def test_any_properties_are_stored(properties) -> None:
    emulator = EMULATOR
    emulator.clear()
    for operation in (
        api.create_person("p", properties),
        api.update_person("p", properties),
        api.get_person("p"),
    ):
        person = operation.result(ask(emulator, operation.request))
    assert person.properties == emulator.people["p"]["properties"]


OPERATIONS_THAT_NAME = (
    api.create_agent("a"),
    api.get_agent("a"),
    api.create_agent_version("a", "v"),
    api.get_agent_version("a", "v"),
    api.create_person("p"),
    api.get_person("p"),
    api.update_person("p", {}),
    api.create_fingerprint(SETTINGS),
    api.create_event("llm", {"api": "openai-chat-completions"}, "s", "f"),
)
BODIES = (
    *(b"", b"null", b"[]", b"{}", b"<html>no</html>", b'{"type": 3}', b'{"detail": 3}'),
    b'{"type": "agent-not-found"}',
    b'{"detail": [{"loc": ["body", "session"], "msg": "required"}]}',
)


@given(
    operation=st.sampled_from(OPERATIONS_THAT_NAME),
    status=st.sampled_from((200, 201, 302, 400, 401, 403, 404, 405, 409, 413, 422, 429, 500, 503)),
    content=st.sampled_from(BODIES),
)
def test_any_answer_is_a_result_or_an_error_with_its_place(operation, status, content) -> None:
    exchange = Exchange(operation.request, status=status, content=content)
    error = failure_of(operation, exchange)
    assert error is not None or 200 <= status < 300
    if error is not None:
        assert error.status == status
        assert (error.method, error.path) == (operation.request.method, operation.request.path)
        assert operation.request.path in str(error)
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize("in_detail", [True, False])
def test_refusals_are_errors_by_name(in_detail) -> None:
    emulator = EMULATOR
    emulator.errors_in_detail = in_detail
    emulator.ask("PUT", "/api/v1/agents", {"agent_name": "known"})
    event = {"api": "openai-chat-completions", "inputs": {}, "output": {}}
    expected = {
        api.AgentNotFound: api.get_agent("no"),
        api.AgentVersionNotFound: api.get_agent_version("known", "no"),
        api.PersonNotFound: api.update_person("no", {}),
        api.FingerprintNotFound: api.create_event("llm", event, "s", "f", agent="a"),
        api.SessionIdEmpty: api.create_event("llm", event, "", "f", agent="a"),
    }
    for kind, operation in expected.items():
        with pytest.raises(kind) as caught:
            operation.result(ask(emulator, operation.request))
        assert caught.value.type is not None
        assert caught.value.status in (404, 422)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"status": 401}, ApiUnauthorised),
        ({"status": 404}, ApiNotFound),
        ({"status": 422}, ApiRejected),
        ({"status": 429}, ApiUnavailable),
        ({"status": 500}, ApiUnavailable),
        ({"status": 302}, ApiUnreachable),
        ({"status": 200, "content": b"<html>"}, ApiUnreachable),
        ({"failure": Failure.NOT_SENT, "failure_text": "refused"}, ApiUnreachable),
        ({"failure": Failure.UNANSWERED, "failure_text": "timeout"}, ApiUnreachable),
    ],
)
def test_what_plain_http_says_is_an_error_by_its_kind(answer, kind) -> None:
    operation = api.get_agent("a")
    with pytest.raises(kind):
        operation.result(Exchange(operation.request, **answer))


def test_only_what_is_safe_is_repeated() -> None:
    put, post = api.create_agent("a"), OPERATIONS_THAT_NAME[-1]

    def may(operation, **answer):
        return operation.may_repeat(Exchange(operation.request, **answer))

    for operation in (put, post):
        assert may(operation, failure=Failure.NOT_SENT)
        assert may(operation, status=429)
        assert may(operation, status=503)
        assert not may(operation, status=404)
        assert not may(operation, status=200)
    assert may(put, status=500)
    assert may(put, failure=Failure.UNANSWERED)
    assert not may(post, status=500)
    assert not may(post, failure=Failure.UNANSWERED)


@pytest.mark.parametrize("name", ["", None, 3])
def test_a_name_that_leads_elsewhere_is_refused(name) -> None:
    for make in (api.create_agent, api.get_agent, api.create_person, api.get_person):
        with pytest.raises(UsageError, match="must"):
            make(name)


def test_fields_that_nobody_documents_are_kept() -> None:
    operation = api.get_person("p")
    body = {"person_id": "p", "created_at": "2026-01-02T03:04:05Z", "plan": "pro"}
    person = operation.result(
        Exchange(operation.request, status=200, content=json.dumps(body).encode())
    )
    assert person.model_extra == {"plan": "pro"}
    assert person.properties is None


# ── in the background ───────────────────────────────────────────────────────────────────────────────────────────


def pack(request: VendorRequest, state=None):
    wire = supplement_out(registry.vendor("voker"), request, SETTINGS).wire
    [packed] = VENDOR.pack([wire], SETTINGS, state or {})
    return packed


def test_a_background_call_makes_the_same_request_as_a_direct_one() -> None:
    for operation, arguments, direct in (
        ("agents.create", {"agent_name": "a/b"}, api.create_agent("a/b")),
        (
            "agent_versions.create",
            {"agent_name": "a/b", "agent_version_name": "v?"},
            api.create_agent_version("a/b", "v?"),
        ),
        ("people.create", {"person_id": "p"}, api.create_person("p")),
        (
            "people.update",
            {"person_id": "p#", "properties": {"x": 1}},
            api.update_person("p#", {"x": 1}),
        ),
    ):
        request = pack(api.vendor_request(operation, **arguments), {"fingerprint_id": "f"})
        assert (request.method, request.path, request.body) == (
            direct.request.method,
            direct.request.path,
            direct.request.body,
        )


@settings(max_examples=20)
@given(
    request=st.builds(
        VendorRequest,
        vendor=st.sampled_from(("voker", "honeyhive")),
        operation=st.sampled_from((*OPERATIONS, "people.delete")),
        arguments=strategies.json_objects()
        | st.just({"agent_name": "a"})
        | st.just({"person_id": "p", "properties": {}}),
    )
)
def test_any_request_renders_or_says_why_not(request) -> None:
    before = request.model_copy(deep=True)
    wire = supplement_out(registry.vendor("voker"), request, SETTINGS).wire
    assert (wire.body is None) == (wire.skip is not None)
    assert request == before
    for name in ("honeyhive", "inkeep", "roark"):
        other = supplement_out(registry.vendor(name), request, SETTINGS).wire
        assert other.skip


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [("people.delete", {}), ("agents.create", {}), ("agents.create", {"agent_name": ""})],
)
def test_what_cannot_be_sent_is_refused_at_once(operation, arguments) -> None:
    with pytest.raises(UsageError):
        api.vendor_request(operation, **arguments)


def test_verdicts_of_a_put() -> None:
    request = pack(api.vendor_request("people.update", person_id="p", properties={}))

    def judge(**answer):
        [verdict] = VENDOR.judge(Exchange(request, **answer), SETTINGS)
        return verdict

    assert isinstance(judge(status=200, content=b"{}"), Delivered)
    not_there = judge(status=404, content=b'{"detail": {"type": "person-not-found"}}')
    assert not_there == Rejected("404: person-not-found")
    assert isinstance(judge(status=404, content=b"<html>"), Unauthorised)
    assert isinstance(judge(status=401), Unauthorised)
    for lost in ({"status": 500}, {"failure": Failure.UNANSWERED}, {"status": 200}):
        assert isinstance(judge(**lost), Retry)


def test_an_event_that_others_can_read_becomes_an_event() -> None:
    body = {key: value for key, value in SEED.items() if key != "fingerprint_id"}
    event = event_of(body)
    again = VENDOR.render(event, SETTINGS).body
    assert {key: again[key] for key in body} == body
    assert event_of(body).id != event.id  # the same call twice is two calls
    assert event_of({**body, "properties": {"mine": 1}}) is None
    assert event_of({**body, "session": ""}) is None
    without = {key: value for key, value in body.items() if key != "agent"}
    assert event_of(without).agent.name is None


def test_an_event_that_only_voker_can_read_is_sent_as_it_is() -> None:
    request = api.vendor_request(
        "events.create", event_name="custom", properties={"mine": 1}, session="s"
    )
    packed = pack(request, {"fingerprint_id": "f"})
    assert packed.path == "/api/v1/events"
    assert packed.body == {
        "agent": "default",
        "event_name": "custom",
        "properties": {"mine": 1},
        "session": "s",
        "fingerprint_id": "f",
    }
