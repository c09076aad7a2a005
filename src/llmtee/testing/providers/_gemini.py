"""Answers in the shape of Google's ``generateContent``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmtee.testing.providers._answers import Answer

_USAGE = {"promptTokenCount": 12, "candidatesTokenCount": 7, "totalTokenCount": 19}


def error(answer: Answer) -> dict[str, Any]:
    """The body of an HTTP error."""
    word = "RESOURCE_EXHAUSTED" if answer.status == 429 else "INTERNAL"
    return {"error": {"code": answer.status, "message": "not now", "status": word}}


def failure() -> dict[str, Any]:
    """An event that tells of a failure within a stream."""
    return {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}


def content(answer: Answer, model: str, number: int) -> dict[str, Any]:
    """A whole answer."""
    parts = [*_thoughts(answer)]
    if answer.words:
        parts.append({"text": answer.said})
    return _chunk([*parts, *_calls(answer)], model, number, answer, last=True)


def events(answer: Answer, model: str, number: int) -> Iterator[tuple[str | None, Any]]:
    """The events of a streamed answer."""
    parts = [*_thoughts(answer), *({"text": word} for word in answer.words), *_calls(answer)]
    for i, part in enumerate(parts):
        yield None, _chunk([part], model, number, answer, last=i == len(parts) - 1)


def _thoughts(answer: Answer) -> list[dict[str, Any]]:
    return [] if answer.reasoning is None else [{"text": answer.reasoning, "thought": True}]


def _calls(answer: Answer) -> list[dict[str, Any]]:
    return [
        {"functionCall": {"name": name, "args": dict(arguments)}}
        for name, arguments in answer.calls
    ]


def _chunk(
    parts: list[dict[str, Any]], model: str, number: int, answer: Answer, *, last: bool
) -> dict[str, Any]:
    candidate: Mapping[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    body: dict[str, Any] = {
        "candidates": [{**candidate, "finishReason": "STOP"} if last else candidate]
    }
    if last and answer.usage:
        body["usageMetadata"] = _USAGE
    return {**body, "modelVersion": model, "responseId": f"gemini-{number}"}
