"""Tells records of Chat Completions from those of providers whose requests look alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.formats._detect import told_by

_OTHER_REQUESTS = {
    "input": "with 'input' it is a request of OpenAI Responses",
    "contents": "with 'contents' it is a request of Gemini",
    "prompt": "with 'prompt' it is a legacy completion",
}
_OTHER_FIELDS = {"system", "anthropic_version", "stop_sequences", "thinking", "inferenceConfig"}
_OTHER_PARTS = {"tool_use", "tool_result", "thinking", "redacted_thinking", "image", "document"}


def detect(raw: Any) -> str | None:
    """Why a record is surely of this format; ``None`` if it is not."""
    return told_by(raw, response=_response_reason, chunk=_chunk_reason, request=_request_reason)


def _response_reason(response: Any) -> str | None:
    if not isinstance(response, Mapping):
        return None
    if response.get("object") in ("chat.completion", "chat.completion.chunk"):
        return f"the response's object is {response['object']}"
    match response.get("choices"):
        case [{"message": Mapping()}, *_]:
            return "the response has choices[].message"
    return None


def _chunk_reason(chunk: Any) -> str | None:
    match chunk:
        case {"object": "chat.completion.chunk"}:
            return "its object is chat.completion.chunk"
        case {"choices": [{"delta": Mapping()}, *_]}:
            return "it has choices[].delta"
    return _response_reason(chunk)


def _request_reason(request: Any) -> str | None:
    if not isinstance(request, Mapping) or not isinstance(request.get("model"), str):
        return None
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages or _OTHER_FIELDS & request.keys():
        return None
    tools = request.get("tools")
    if isinstance(tools, list) and any(
        isinstance(t, Mapping) and "input_schema" in t for t in tools
    ):
        return None
    if all(_is_chat_message(message) for message in messages):
        return "the request has a model and chat messages"
    return None


def _is_chat_message(message: Any) -> bool:
    if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
        return False
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return not any(
        isinstance(part, Mapping) and part.get("type") in tuple(_OTHER_PARTS) for part in parts
    )


def looks_like_request(request: Mapping[str, Any]) -> str | None:
    """Whose request one without ``messages`` is, in words; ``None`` if there is no sign."""
    return next((what for key, what in _OTHER_REQUESTS.items() if key in request), None)
