"""Token counts and cost as Chat Completions reports them, to canonical ones and back.

Names of counts are in `conventions`; ``cost`` is OpenRouter's, in US dollars.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.errors import InputError
from llmtee.formats.conventions import OPENAI_CHAT
from llmtee.jsonfields import as_amount, as_count, as_object
from llmtee.model import Cost, Usage

_TOTALS, _DETAILS = OPENAI_CHAT.totals, OPENAI_CHAT.details


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
    out = _counts(usage, _TOTALS)
    if "total_tokens" not in out and len(out) == len(_TOTALS) - 1:
        out["total_tokens"] = out["prompt_tokens"] + out["completion_tokens"]
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


def decode_cost(raw: Any, path: str) -> Cost | None:
    """What the provider says that the call cost, from its ``usage`` block.

    Raises:
        InputError: the amount is not a number; the error names its JSON path.
    """
    amount = raw.get("cost") if isinstance(raw, Mapping) else None
    return None if amount is None else Cost(amount=as_amount(amount, path), source="provider")
