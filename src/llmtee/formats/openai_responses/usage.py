"""Token counts and the end of a response as OpenAI Responses tells them, to canonical ones and back.

Names of counts are in `conventions`. Totals include caches and reasoning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.formats._openai_usage import UsageBlock
from llmtee.formats.conventions import OPENAI_RESPONSES

_BLOCK = UsageBlock(OPENAI_RESPONSES)
decode_usage, encode_usage = _BLOCK.decode, _BLOCK.encode

_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}
_STATUSES = {
    "completed": "stop",
    "in_progress": "pause",
    "queued": "pause",
    "failed": "error",
    "cancelled": "error",
}
_WORDS: Mapping[str, dict[str, Any]] = {
    "stop": {"status": "completed"},
    "tool_call": {"status": "completed"},
    "length": {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
    "content_filter": {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
    "pause": {"status": "in_progress"},
    "error": {"status": "failed"},
}


def finish_of(response: Mapping[str, Any], calls: bool) -> tuple[str | None, str | None]:
    """Why a response ended: the canonical word, and the provider's (``incomplete_details.reason``, else ``status``)."""
    status = response.get("status")
    if not isinstance(status, str):
        return None, None
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, Mapping) else None
    if status == "incomplete" and isinstance(reason, str):
        return _REASONS.get(reason), reason
    if status == "completed" and calls:
        return "tool_call", status
    return _STATUSES.get(status), status


def encode_finish(reason: str | None, word: str | None) -> dict[str, Any]:
    """``status`` and ``incomplete_details`` of a response that ended so; nothing where nobody knows."""
    if reason is not None and reason in _WORDS:
        return dict(_WORDS[reason])
    return {} if word is None else {"status": word}
