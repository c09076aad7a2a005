"""Token counts and cost of a Langfuse observation.

Langfuse keeps disjoint buckets: each key is priced and summed on its own, so ``input`` leaves out what stands in
``input_cached_tokens``, and ``output`` what stands in ``output_reasoning``. The keys are in two spellings: those of
OpenAI's model definitions and those of Anthropic's. ``total`` is no bucket.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from llmtee.formats._traced.fields import Row, tokens, unwrapped
from llmtee.formats.conventions import LANGFUSE, LANGFUSE_OLDER
from llmtee.jsonfields import as_amount, as_object, join
from llmtee.model import Cost, Usage

_NAMES = LANGFUSE.totals
_WRITES = [
    key
    for name in ("cache_write", "cache_write_5m", "cache_write_1h")
    for key in LANGFUSE.counts[name]
]
_SUMS = ("total", "total_tokens")
_OUTPUTS = ("output", "completion", "reasoning")
_INPUTS = ("input", "prompt", "cache_", "ephemeral_")


def decode_usage(row: Row) -> Usage | None:
    """The counts of an observation: ``usageDetails``, else the older ``usage``, whose numbers are totals.

    Raises:
        InputError: a count is not a whole number; the error names its JSON path.
    """
    details, older = unwrapped(row.get("usageDetails")), unwrapped(row.get("usage"))
    if details not in (None, {}, ""):
        return _decode_details(details, row.path("usageDetails"))
    if older in (None, {}, "") or as_object(older, row.path("usage")).get("unit") not in (
        None,
        "TOKENS",
    ):
        return None  # characters, seconds and the like are no tokens
    return _decode_older(older, row.path("usage"))


def _decode_details(raw: Any, path: str) -> Usage | None:
    counts = {
        key: tokens(value, join(path, key))
        for key, value in as_object(raw, path).items()
        if not isinstance(value, Mapping)
    }
    buckets = {key: n for key, n in counts.items() if n is not None and key not in _SUMS}
    found: dict[str, int] = {}
    for key, n in buckets.items():
        if key in _NAMES:
            found[_NAMES[key]] = found.get(_NAMES[key], 0) + n
        side = _side(key)
        if side is not None:
            found[side] = found.get(side, 0) + n
    writes = [n for key, n in buckets.items() if key in _WRITES]
    if writes:
        found["cache_write"] = sum(writes)
    sums = (counts[key] for key in _SUMS if counts.get(key) is not None)
    return Usage(**found, total_tokens=next(sums, None), raw=raw)


def _side(key: str) -> str | None:
    if key.startswith(_OUTPUTS):
        return "output_tokens"
    return "input_tokens" if key.startswith(_INPUTS) else None


def _decode_older(raw: Mapping[str, Any], path: str) -> Usage | None:
    counts = {
        name: tokens(raw[key], join(path, key))
        for key, name in LANGFUSE_OLDER.totals.items()
        if raw.get(key) is not None
    }
    return Usage(**counts, raw=raw) if counts else None


def decode_cost(row: Row) -> Cost | None:
    """What Langfuse says that an observation cost, in US dollars.

    Where it knows no price it keeps no parts and writes the sum 0, which is no amount.

    Raises:
        InputError: an amount is not a number; the error names its JSON path.
    """
    raw = unwrapped(row.get("costDetails"))
    where = row.path("costDetails")
    parts = {
        key: as_amount(value, join(where, key))
        for key, value in as_object(raw or {}, where).items()
        if value is not None
    }
    told = parts.pop("total", None)
    names = ("totalCost", "calculatedTotalCost")
    sums = [
        as_amount(value, row.path(name)) for name in names if (value := row.get(name)) is not None
    ]
    amount = sums[0] if sums else told if told is not None else sum(parts.values(), Decimal(0))
    if not parts and told is None and (not sums or (raw == {} and amount == 0)):
        return None
    return Cost(amount=amount, source="vendor", details=parts)
