from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from pydantic import SecretStr

from llmtee.errors import ConfigError
from llmtee.model import Conversation, Message, TextPart
from llmtee.spec import (
    Delivered,
    Env,
    Exchange,
    Failure,
    Rejected,
    Retry,
    TooLarge,
    Unauthorised,
    Unknown,
)
from llmtee.vendors.inkeep import VENDOR, Inkeep

SETTINGS = Inkeep(api_key=SecretStr("key-1"))
NOON = dt.datetime(2026, 1, 1, 12, 0, tzinfo=dt.UTC)
PROBLEM = {
    "title": "Unprocessable Entity",
    "status": 422,
    "detail": "messages.0.role is invalid",
    "requestId": "req_1",
    "code": "unprocessable_entity",
    "error": {"code": "unprocessable_entity", "message": "Invalid body"},
}


def exchange(status: int | None = None, body: Any = b"", **fields: Any) -> Exchange:
    conversation = Conversation(
        id="c1", messages=(Message(role="user", parts=(TextPart(text="Hi"),)),)
    )
    [request] = VENDOR.pack([VENDOR.render(conversation, SETTINGS)], SETTINGS, {})
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Exchange(request, status=status, content=content, **fields)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (exchange(200, {"id": "c1", "messages": []}), Delivered(vendor_id="c1")),
        (exchange(201, {"id": "c1"}), Delivered(vendor_id="c1")),
        (
            exchange(200, {"status": "ok"}, headers={"content-type": "application/json"}),
            Unauthorised(
                "200: the answer is not Inkeep's, which names the conversation, but application/json; "
                'is base_url right? {"status": "ok"}'
            ),
        ),
        (exchange(200, b'{"id": "c1", "mess'), Unknown("200: the answer was cut short")),
        (exchange(429, headers={"retry-after": "3"}), Retry("429", after=3.0)),
        (
            exchange(
                429, headers={"retry-after": "Thu, 01 Jan 2026 12:00:10 GMT"}, received_at=NOON
            ),
            Retry("429", after=10.0),
        ),
        (
            exchange(500, {"code": "internal_server_error", "title": "Oops"}),
            Retry("500: Oops (code internal_server_error)"),
        ),
        (exchange(503, b"busy"), Retry("503: busy")),
        (exchange(413, b"too large"), TooLarge("413: too large")),
        (
            exchange(422, PROBLEM),
            Rejected(
                "422: Invalid body (Unprocessable Entity, messages.0.role is invalid, "
                "code unprocessable_entity, request req_1)"
            ),
        ),
        (exchange(400, {"detail": "bad"}), Rejected("400: bad")),
        (exchange(401, {"title": "No"}), Unauthorised("401: No")),
        (exchange(403, b"no"), Unauthorised("403: no")),
        (
            exchange(failure=Failure.NOT_SENT, failure_text="refused"),
            Retry("not sent: refused"),
        ),
        (exchange(failure=Failure.UNANSWERED, failure_text="reset"), Unknown("no answer: reset")),
    ],
)
def test_verdicts(answer: Exchange, verdict: Any) -> None:
    assert VENDOR.judge(answer, SETTINGS) == [verdict]


@pytest.mark.parametrize(
    "answer",
    [
        exchange(200, b"<!doctype html><p>Sign in</p>", headers={"content-type": "text/html"}),
        exchange(200, b""),
        exchange(200, b'["a list"]'),
        exchange(302, b""),
        exchange(404, {"code": "not_found", "title": "Not Found"}),
    ],
)
def test_a_wrong_address_pauses_and_says_so(answer: Exchange) -> None:
    [verdict] = VENDOR.judge(answer, SETTINGS)
    assert isinstance(verdict, Unauthorised)
    assert "base_url" in verdict.reason


@pytest.mark.parametrize("key", ["key-1", "Bearer key-1", " Bearer  key-1 "])
def test_the_bearer_prefix_stands_once(key: str) -> None:
    assert VENDOR.auth(Inkeep(api_key=SecretStr(key))) == {"Authorization": "Bearer key-1"}


@pytest.mark.parametrize("key", [None, "", "Bearer "])
def test_a_missing_key_names_argument_and_variables(key: str | None) -> None:
    with pytest.raises(ConfigError, match=r"api_key=.*INKEEPANALYTICS_API_INTEGRATION_KEY"):
        VENDOR.auth(Inkeep(api_key=key and SecretStr(key)))


def test_settings_name_their_variables() -> None:
    fields = Inkeep.model_fields
    assert fields["api_key"].metadata == [
        Env("INKEEPANALYTICS_API_INTEGRATION_KEY", "INKEEPANALYTICS_WEB_INTEGRATION_KEY")
    ]
    assert fields["base_url"].metadata == [Env("LLMTEE_INKEEP_BASE_URL")]
    assert Inkeep().base_url == "https://api.analytics.inkeep.com"


def test_the_check_only_reads() -> None:
    assert VENDOR.check is not None
    request = VENDOR.check(SETTINGS)
    assert (request.method, request.path, request.query) == (
        "GET",
        "/conversations",
        {"limit": "1"},
    )


def test_the_vendor_upserts_the_newest_state_after_a_quiet_time() -> None:
    assert (VENDOR.grain, VENDOR.semantics, VENDOR.send_when) == (
        "conversation",
        "upsert",
        "changed",
    )
    assert (VENDOR.quiet, VENDOR.patience) == (2.0, 30.0)
    assert (VENDOR.limits.items, VENDOR.limits.bytes) == (1, 2_000_000)
    assert VENDOR.capabilities(SETTINGS).idempotent_by == "id"
