"""How a provider's format tells its records, whichever provider it is: the answer first, the request where there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from llmtee.formats._stored import first_chunks, is_stream

Reason: TypeAlias = Callable[[Any], str | None]
"""Why a part of a record is surely of a format, in a few words; ``None`` if it is not."""


def told_by(
    raw: Any, *, response: Reason, chunk: Reason, request: Reason, error: str | None = None
) -> str | None:
    """Why a record is surely of a format, by what tells of its response, of a chunk of a stream, and of its request.

    An answer with nothing but ``error`` does not tell whose it is, nor one with the provider's own key for failures,
    which ``error`` names: then the request has to.
    """
    if is_stream(raw):
        raw = {"response": raw}
    if not isinstance(raw, Mapping) or "kind" in raw:  # our own events have a kind
        return None
    enveloped = "request" in raw or "response" in raw
    asked = raw.get("request") if enveloped else raw
    answered = raw.get("response") if enveloped else raw
    chunks = list(first_chunks(answered))
    if reason := next((why for one in chunks if (why := chunk(one))), None):
        return f"a chunk of the stream: {reason}"
    if not chunks and (reason := response(answered)):
        return reason
    answers: list[Any] = [*chunks] or [answered]
    failed = answered in (None, []) or all(_is_error(one, error) for one in answers)
    if enveloped and not failed:
        return None  # another provider's answer, to a request that may look alike
    return request(asked)


def _is_error(answer: Any, key: str | None) -> bool:
    return isinstance(answer, Mapping) and (answer.keys() == {"error"} or key in answer)
