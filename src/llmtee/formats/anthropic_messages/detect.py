"""Tells records of Anthropic Messages from those of providers whose requests look alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.formats._detect import told_by

_BLOCKS = ("tool_use", "tool_result", "thinking", "redacted_thinking", "server_tool_use")
_OTHER_REQUESTS = {"input", "contents", "inferenceConfig", "modelId", "toolConfig"}
_OTHER_MESSAGE = {"tool_calls", "function_call", "tool_call_id", "refusal"}


def detect(raw: Any) -> str | None:
    """Why a record is surely of this format; ``None`` if it is not."""
    return told_by(raw, response=_response_reason, chunk=_chunk_reason, request=_request_reason)


def _response_reason(response: Any) -> str | None:
    match response:
        case {"type": "message", "content": list(), "stop_reason": _}:
            return "the response is a message with a stop_reason"
        case {"type": "error", "error": {"type": str(), "message": str()}}:
            return "the response is an error of Anthropic's shape"
    return None


def _chunk_reason(chunk: Any) -> str | None:
    match chunk:
        case (
            {"type": "message_start", "message": Mapping()}
            | {"type": "content_block_start", "content_block": Mapping()}
            | {"type": "content_block_delta", "delta": Mapping()}
            | {"type": "message_delta", "delta": Mapping()}
        ):
            return f"its type is {chunk['type']}"
    return _response_reason(chunk)


def _request_reason(request: Any) -> str | None:
    if not isinstance(request, Mapping) or _OTHER_REQUESTS & request.keys():
        return None
    messages = request.get("messages")
    if not isinstance(messages, list) or not all(map(_may_be_ours, messages)):
        return None
    blocks = [block for message in messages for block in _blocks(message)]
    if isinstance(request.get("anthropic_version"), str):
        return "the request has an anthropic_version"
    tools = request.get("tools")
    if any(isinstance(t, Mapping) and "input_schema" in t for t in _listed(tools)):
        return "the request has tools with an input_schema"
    if any(map(_is_ours, blocks)):
        return "the request has content blocks of Anthropic's shape"
    if "max_tokens" not in request or not messages:
        return None
    named = [key for key in ("system", "stop_sequences") if request.get(key) is not None]
    return f"the request has messages, max_tokens and {named[0]}" if named else None


def _may_be_ours(message: Any) -> bool:
    if not isinstance(message, Mapping) or message.get("role") not in (
        "user",
        "assistant",
        "system",
    ):
        return False
    if _OTHER_MESSAGE & message.keys():
        return False
    content = message.get("content")
    return isinstance(content, str) or (
        isinstance(content, list)
        and all(isinstance(block, Mapping) and "type" in block for block in content)
    )


def _is_ours(block: Any) -> bool:
    match block:
        case {"type": "image" | "document", "source": {"type": str()}}:
            return True
        case {"type": str(kind)}:
            return kind in _BLOCKS
    return False


def _blocks(message: Mapping[str, Any]) -> list[Any]:
    return _listed(message.get("content"))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
