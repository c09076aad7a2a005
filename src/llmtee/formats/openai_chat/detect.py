"""Tells records of Chat Completions from those of providers whose requests look alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OTHER_REQUESTS = {
    "input": "with 'input' it is a request of OpenAI Responses",
    "contents": "with 'contents' it is a request of Gemini",
    "prompt": "with 'prompt' it is a legacy completion",
}
_OTHER_FIELDS = {"system", "anthropic_version", "stop_sequences", "thinking", "inferenceConfig"}
_OTHER_PARTS = {"tool_use", "tool_result", "thinking", "redacted_thinking", "image", "document"}


def detect(raw: Any) -> str | None:
    """Why a record is surely of this format; ``None`` if it is not."""
    if (
        not isinstance(raw, Mapping) or "kind" in raw
    ):  # our own events have choices with messages, too
        return None
    enveloped = "request" in raw or "response" in raw
    request = raw.get("request") if enveloped else raw
    response = raw.get("response") if enveloped else raw
    if reason := _response_reason(response):
        return reason
    failed = isinstance(response, Mapping) and response.keys() == {"error"}
    if enveloped and response is not None and not failed:
        return None  # another provider's answer, to a request that may look alike
    return _request_reason(request)


def _response_reason(response: Any) -> str | None:
    first = response[0] if isinstance(response, list) and response else response
    if not isinstance(first, Mapping):
        return None
    if first.get("object") in ("chat.completion", "chat.completion.chunk"):
        return f"the response's object is {first['object']}"
    match first.get("choices"):
        case [{"message": Mapping()}, *_]:
            return "the response has choices[].message"
    return None


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
