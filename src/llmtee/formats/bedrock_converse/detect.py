"""Tells records of Bedrock Converse from those of other providers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.formats._detect import told_by
from llmtee.formats._stored import first_chunks
from llmtee.formats.bedrock_converse.stream import EVENTS, FAILURES

_CONFIGS = ("inferenceConfig", "toolConfig", "additionalModelRequestFields", "guardrailConfig")


def detect(raw: Any) -> str | None:
    """Why a record is surely of this format; ``None`` if it is not."""
    return told_by(
        raw,
        response=_response_reason,
        chunk=_chunk_reason,
        request=_request_reason,
        error="Error",
    )


def _response_reason(response: Any) -> str | None:
    match response:
        case {"output": {"message": {"content": list()}}}:
            return "the response has output.message"
        case {"stream": events}:  # boto3's own object around them
            return next(filter(None, map(_chunk_reason, first_chunks(events))), None)
    return None


def _chunk_reason(chunk: Any) -> str | None:
    found = [key for key in (*EVENTS[:-1], *FAILURES) if isinstance(chunk.get(key), Mapping)]
    return f"it has {found[0]}" if found else None


def _request_reason(request: Any) -> str | None:
    if not isinstance(request, Mapping) or not isinstance(request.get("messages"), list):
        return None
    if not request["messages"] or not all(_has_blocks(one) for one in request["messages"]):
        return None
    sign = next((key for key in ("modelId", *_CONFIGS) if request.get(key) is not None), None)
    return None if sign is None else f"the request has {sign} and messages of blocks"


def _has_blocks(message: Any) -> bool:
    """Whether the content is a list of objects that name what they hold by their key, not by a ``type``."""
    content = message.get("content") if isinstance(message, Mapping) else None
    return isinstance(content, list) and all(
        isinstance(block, Mapping) and "type" not in block for block in content
    )
