"""Tells records of OpenAI Responses from those whose requests have an ``input``, too (embeddings, observations)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.formats._detect import told_by

_SURE = {
    *("instructions", "max_output_tokens", "reasoning", "text", "store", "include", "truncation"),
    *(
        "previous_response_id",
        "conversation",
        "background",
        "max_tool_calls",
        "parallel_tool_calls",
    ),
}
"""Parameters that an embeddings or moderation request does not have."""

_REQUEST = {
    *("model", "input", "tools", "tool_choice", "temperature", "top_p", "top_logprobs", "stream"),
    *("stream_options", "metadata", "user", "safety_identifier", "prompt_cache_key", "prompt"),
    *("prompt_cache_retention", "service_tier", "context_management", *_SURE),
}
_OTHER_REQUESTS = {
    "messages": "with 'messages' it is a request of Chat Completions or Anthropic Messages",
    "contents": "with 'contents' it is a request of Gemini",
}


def detect(raw: Any) -> str | None:
    """Why a record is surely of this format; ``None`` if it is not."""
    return told_by(raw, response=_response_reason, chunk=_chunk_reason, request=_request_reason)


def _response_reason(response: Any) -> str | None:
    if not isinstance(response, Mapping):
        return None
    if response.get("object") == "response":
        return "the response's object is response"
    name = response.get("id")
    if (
        isinstance(name, str)
        and name.startswith("resp_")
        and isinstance(response.get("output"), list)
    ):
        return "the response has an id of Responses and output items"
    return None


def _chunk_reason(chunk: Any) -> str | None:
    match chunk:
        case {"type": str(kind)} if kind.startswith("response."):
            return f"its type is {kind}"
        case {"type": "error", "sequence_number": int()}:
            return "it is an error with a sequence_number"
    return None


def _request_reason(request: Any) -> str | None:
    if not isinstance(request, Mapping) or not request.keys() <= _REQUEST:
        return None
    if not isinstance(request.get("model"), str) and "prompt" not in request:
        return None
    match request.get("input"):
        case [{**first}, *_] if "role" in first or isinstance(first.get("type"), str):
            return "the request has input items"
        case str() if _SURE & request.keys():
            return "the request has an input and parameters of Responses"
    return None


def looks_like_request(request: Mapping[str, Any]) -> str | None:
    """Whose request one without ``input`` is, in words; ``None`` if there is no sign."""
    return next((what for key, what in _OTHER_REQUESTS.items() if key in request), None)
