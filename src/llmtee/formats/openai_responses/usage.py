"""Token counts and the end of a response as OpenAI Responses tells them, to canonical ones and back.

Names of counts are in `conventions`. Totals include caches and reasoning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.errors import InputError
from llmtee.formats.conventions import OPENAI_RESPONSES
from llmtee.jsonfields import as_count, as_object
from llmtee.model import Usage

_TOTALS, _DETAILS = OPENAI_RESPONSES.totals, OPENAI_RESPONSES.details

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


def decode_usage(raw: Any, path: str) -> Usage | None:
    """The counts of a ``usage`` block, which is kept whole beside them; what it leaves out stays ``None``.

    Raises:
        InputError: a count is not a whole number; the error names its JSON path.
    """
    if raw is None:
        return None
    raw = as_object(raw, path)
    counts = {name: as_count(raw.get(key), f"{path}.{key}") for key, name in _TOTALS.items()}
    for block, names in _DETAILS.items():
        where = f"{path}.{block}"
        details = as_object(raw.get(block) or {}, where)
        counts |= {
            name: as_count(details.get(key), f"{where}.{key}") for key, name in names.items()
        }
    return Usage(**counts, raw=raw)


def encode_usage(usage: Usage) -> dict[str, Any]:
    """A ``usage`` block: the one that was read, where it was of this shape, else one made of the counts."""
    if usage.raw is not None and _reads_as(usage.raw, usage):
        return usage.raw
    out: dict[str, Any] = _counts(usage, _TOTALS)
    if "total_tokens" not in out and len(out) == len(_TOTALS) - 1:
        out["total_tokens"] = out["input_tokens"] + out["output_tokens"]
    for block, names in _DETAILS.items():
        if details := _counts(usage, names):
            out[block] = details
    return out


def _reads_as(raw: Any, usage: Usage) -> bool:
    try:
        return decode_usage(raw, "usage") == usage
    except InputError:
        return False


def _counts(usage: Usage, names: Mapping[str, str]) -> dict[str, Any]:
    found = {key: getattr(usage, name) for key, name in names.items()}
    return {key: value for key, value in found.items() if value is not None}


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
