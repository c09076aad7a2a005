"""Token counts as Anthropic Messages reports them, to canonical ones and back.

Names of counts are in `conventions`. ``input_tokens`` of the wire leaves both caches out, so they are added;
``cache_creation`` is a breakdown of ``cache_creation_input_tokens``. Thinking is part of ``output_tokens``.
"""

from __future__ import annotations

from typing import Any

from llmtee.errors import InputError
from llmtee.formats.conventions import ANTHROPIC
from llmtee.jsonfields import as_count, as_object
from llmtee.model import Usage

_TOTALS, _DETAILS = ANTHROPIC.totals, ANTHROPIC.details


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
    if counts["cache_write"] is None:
        counts["cache_write"] = _sum(counts["cache_write_5m"], counts["cache_write_1h"])
    if counts["input_tokens"] is not None:
        beside = (counts[name] for name in ANTHROPIC.beside_input)
        counts["input_tokens"] = _sum(counts["input_tokens"], *beside)
    return Usage(**counts, raw=raw)


def _sum(*counts: int | None) -> int | None:
    """The sum of the counts that were reported; ``None`` where none was."""
    told = [count for count in counts if count is not None]
    return sum(told) if told else None


def encode_usage(usage: Usage) -> dict[str, Any]:
    """A ``usage`` block: the one that was read, where it was of this shape, else one made of the counts."""
    if usage.raw is not None and _reads_as(usage.raw, usage):
        return usage.raw
    write = usage.cache_write
    if write is None:
        write = _sum(usage.cache_write_5m, usage.cache_write_1h)
    cached = _sum(usage.cache_read, write) or 0
    if usage.input_tokens is not None and cached > usage.input_tokens:
        # Caches that exceed the total have no such form, as the rest would be negative: the total goes before.
        none = dict.fromkeys(("cache_read", "cache_write", "cache_write_5m", "cache_write_1h"))
        usage, write, cached = usage.model_copy(update=none), None, 0
    out: dict[str, Any] = {}
    if usage.input_tokens is not None:
        out["input_tokens"] = usage.input_tokens - cached
    out |= {"cache_creation_input_tokens": write, "cache_read_input_tokens": usage.cache_read}
    out["output_tokens"] = usage.output_tokens
    for block, names in _DETAILS.items():
        details = {key: getattr(usage, name) for key, name in names.items()}
        out[block] = {key: value for key, value in details.items() if value is not None} or None
    return {key: value for key, value in out.items() if value is not None}


def _reads_as(raw: Any, usage: Usage) -> bool:
    try:
        return decode_usage(raw, "usage") == usage
    except InputError:
        return False
