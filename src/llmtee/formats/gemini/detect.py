"""Tells records of Gemini from those of other providers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from llmtee.formats._detect import told_by


def kind(raw: Mapping[str, Any]) -> Literal["request", "response"] | None:
    """What a record without an envelope is."""
    answers = ("candidates", "promptFeedback", "prompt_feedback", "usageMetadata", "usage_metadata")
    if any(raw.get(key) is not None for key in answers):
        return "response"
    if "contents" in raw:
        return "request"
    return "response" if raw.keys() == {"error"} and isinstance(raw["error"], Mapping) else None


def detect(raw: Any) -> str | None:
    """Why a record is surely of this format; ``None`` if it is not."""
    return told_by(raw, response=_response_reason, chunk=_chunk_reason, request=_request_reason)


def _response_reason(response: Any) -> str | None:
    if not isinstance(response, Mapping):
        return None
    match response.get("candidates"):
        case [{"content": Mapping()}, *_]:
            return "the response has candidates[].content"
        case [{"finishReason": str()} | {"finish_reason": str()}, *_]:
            return "the response has candidates[] with a finish reason"
    match response.get("promptFeedback") or response.get("prompt_feedback"):
        case {"blockReason": _} | {"block_reason": _}:
            return "the response has a blocked prompt"
    usage = response.get("usageMetadata") or response.get("usage_metadata")
    if isinstance(usage, Mapping) and {"promptTokenCount", "prompt_token_count"} & usage.keys():
        return "the response has usageMetadata with promptTokenCount"
    return None


def _chunk_reason(chunk: Any) -> str | None:
    match chunk:
        case {"error": {"code": int(), "status": str()}}:
            return "it is an error of Google's shape"
    return _response_reason(chunk)


def _request_reason(request: Any) -> str | None:
    if not isinstance(request, Mapping) or {"messages", "input"} & request.keys():
        return None
    contents = request.get("contents")
    if isinstance(contents, Mapping):
        contents = [contents]
    if isinstance(contents, list) and contents and all(_is_content(one) for one in contents):
        return "the request has contents[].parts"
    model = request.get("model")
    named = isinstance(model, str) and "gemini" in model
    if named and contents and isinstance(contents, str | list):
        return "the request has contents for a Gemini model"
    return None


def _is_content(raw: Any) -> bool:
    return isinstance(raw, Mapping) and isinstance(raw.get("parts"), list)
