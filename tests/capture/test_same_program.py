"""The application sees what it would have seen without llmtee, and so does the provider."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Sequence
from typing import Any

import pytest
from capture_clients import PLAIN, STREAMS, WAYS, Notebook, Stage, Way, named

from llmtee.testing.providers import Answer, ProviderServer

HTML = "<html><body>502 Bad Gateway</body></html>"
TROUBLES: dict[str, Answer] = {
    "none": Answer(),
    "tools": Answer(calls=[("lookup", {"order": 17})]),
    "status 400": Answer(status=400),
    "status 401": Answer(status=401),
    "rate limit": Answer(status=429, headers={"retry-after": "0"}),
    "status 500": Answer(status=500),
    "html": Answer(body=HTML),
    "html 502": Answer(body=HTML, status=502),
    "empty": Answer(body=""),
    "cut": Answer(cut_after=3),
}
# What varies from request to request by itself.
VARYING = {
    "x-stainless-read-timeout",
    "idempotency-key",
    "x-stainless-idempotency-key",
    "traceparent",
}


def outcome(stage: Stage, way: Way, trouble: Sequence[Answer], **options: Any) -> Any:
    """What an application can see of one run, and what the provider sees; of the wrapped client and of the plain one."""
    seen = []
    for wrapped in (True, False):
        client = stage.client(way, wrapped=wrapped, **options)
        stage.provider.requests.clear()
        stage.provider.script(*trouble)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the oldest SDKs, under the newest pydantic
                result = way.run(client, stage.runner)
        except BaseException as error:  # noqa: BLE001 - whatever it is, both must have it
            result = _error(error)
        else:
            result = [_plain(item) for item in (result if way.streams else [result])]
        seen.append((result, _requests(stage.provider)))
    return seen


def _plain(item: Any) -> Any:
    shown = item.model_dump() if hasattr(item, "model_dump") else item
    if isinstance(shown, dict):
        for name in ("id", "responseId", "response_id", "_request_id", "sdk_http_response"):
            shown.pop(name, None)
    return type(item), _without_numbers(shown)


def _without_numbers(value: Any) -> Any:
    """The server counts what it answers: its ids are not those of the other run."""
    if isinstance(value, dict):
        return {key: _without_numbers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_numbers(inner) for inner in value]
    if isinstance(value, str) and ("_" in value or "-" in value):
        return value.rstrip("0123456789_")
    return value


def _error(error: BaseException | None, depth: int = 0) -> Any:
    if error is None or depth > 5:
        return None
    status = getattr(error, "status_code", getattr(error, "code", None))
    return (
        type(error),
        [str(arg) for arg in error.args],
        status,
        str(getattr(error, "body", getattr(error, "details", None))),
        _error(error.__cause__, depth + 1),
        _error(error.__context__, depth + 1),
        error.__suppress_context__,
    )


def _requests(provider: ProviderServer) -> Any:
    return [
        (
            request.method,
            request.path,
            {key: value for key, value in request.headers.items() if key not in VARYING},
            request.body,
        )
        for request in provider.requests
    ]


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("way", WAYS, ids=named)
def test_nothing_changes(way: Way, trouble: str, stage: Stage) -> None:
    wrapped, plain = outcome(stage, way, [TROUBLES[trouble]])
    assert wrapped == plain
    assert len(plain[1]) == 1
    assert len(stage.notebook.records) == 1
    assert stage.notebook.formats == [way.format]
    seen, _ = plain
    # Google's SDK reads the body of a plain answer when the call is over.
    if isinstance(seen, tuple) and seen[0] is not json.JSONDecodeError:
        assert stage.notebook.records[0]["error"]["type"] == seen[0].__name__
        assert stage.notebook.records[0]["error"].get("status") == seen[2]


@pytest.mark.parametrize("way", STREAMS, ids=named)
def test_a_failure_told_within_a_stream(way: Way, stage: Stage) -> None:
    wrapped, plain = outcome(stage, way, [Answer(error_after=4)])
    assert wrapped == plain
    assert stage.notebook.call.error is not None
    assert stage.notebook.call.error.message


@pytest.mark.parametrize("way", [way for way in PLAIN if way.format != "gemini"], ids=named)
def test_retries_are_those_of_the_sdk(way: Way, stage: Stage) -> None:
    failing = Answer(status=500, headers={"retry-after-ms": "1"})
    wrapped, plain = outcome(stage, way, [failing, failing, Answer()], max_retries=2)
    assert wrapped == plain
    assert len(plain[1]) == 3
    assert stage.notebook.call.metrics == {"sdk_retries": 2}
    assert stage.notebook.call.error is None


@pytest.mark.parametrize("way", [way for way in PLAIN if way.name != "gemini-async"], ids=named)
def test_a_provider_that_nobody_answers_at(way: Way, notebook: Notebook) -> None:
    with ProviderServer() as provider:
        client = notebook.wrap(way.client(provider))
    with asyncio.Runner() as runner, pytest.raises(Exception) as raised:  # noqa: PT011 - of whichever library
        way.run(client, runner)
    call = notebook.call
    assert call.error is not None
    assert call.error.type == raised.type.__name__
    assert call.input[0].text == "Where is order 17?"
