from __future__ import annotations

import datetime as dt
import pickle

import pytest

from llmtee.errors import InputError, UnknownName
from llmtee.spec import (
    Exchange,
    Failure,
    Rejected,
    Request,
    Retry,
    TooLarge,
    Unauthorised,
    Unknown,
    error_text,
    judge_plainly,
)

REQUEST = Request("POST", "/events", {"a": "é"})
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:30 GMT"}, 30),
        ({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9),
    ],
)
def test_retry_after_is_read_in_every_spelling(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert Exchange(REQUEST, status=429, headers=headers, received_at=NOON).retry_after == seconds


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b'{"error": {"message": "no model"}}', "no model"),
        (b'{"error": "plain"}', "plain"),
        (b'{"message": "top"}', "top"),
        (b'{"detail": {"type": "x"}, "title": "Bad"}', "Bad"),
        (b"<html>gateway</html>", "<html>gateway</html>"),
        (b"", ""),
    ],
)
def test_the_reason_is_found_where_vendors_put_it(content: bytes, text: str) -> None:
    assert error_text(Exchange(REQUEST, status=400, content=content)) == text


@pytest.mark.parametrize(
    ("exchange", "repeatable", "kind"),
    [
        (Exchange(REQUEST, status=200), True, type(None)),
        (Exchange(REQUEST, failure=Failure.NOT_SENT), False, Retry),
        (Exchange(REQUEST, failure=Failure.UNANSWERED), True, Unknown),
        (Exchange(REQUEST, status=301), True, Unauthorised),
        (Exchange(REQUEST, status=400), True, Rejected),
        (Exchange(REQUEST, status=401), True, Unauthorised),
        (Exchange(REQUEST, status=404), True, Unauthorised),
        (Exchange(REQUEST, status=413), True, TooLarge),
        (Exchange(REQUEST, status=429), False, Retry),
        (Exchange(REQUEST, status=500), True, Retry),
        (Exchange(REQUEST, status=500), False, Unknown),
        (Exchange(REQUEST, status=503), False, Retry),
        (Exchange(REQUEST, status=507), True, Retry),
    ],
)
def test_plain_http_is_judged_by_what_a_repetition_would_do(
    exchange: Exchange, repeatable: bool, kind: type
) -> None:
    assert isinstance(judge_plainly(exchange, repeatable=repeatable), kind)


def test_a_request_measures_its_bytes() -> None:
    assert REQUEST.content == '{"a":"é"}'.encode()
    assert Request("GET", "/").content == b""


def test_errors_say_where_and_survive_pickling() -> None:
    error = InputError("must be text", path="request.model").at(source="a.jsonl", line=3)
    assert str(error) == "a.jsonl:3: request.model: must be text"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    unknown = UnknownName("vendor", "inkep", ["inkeep", "roark"])
    assert str(unknown) == "no vendor is named 'inkep'; did you mean 'inkeep'? known: inkeep, roark"
    assert str(pickle.loads(pickle.dumps(unknown))) == str(unknown)
