"""Langfuse's disjoint buckets of tokens and money, in its API, its exports, and on spans that it was sent.

Each key is priced and summed on its own, so ``input`` leaves out what stands in ``input_cached_tokens``, and ``output``
what stands in ``output_reasoning``. The keys are in two spellings: those of OpenAI's model definitions and those of
Anthropic's. ``total`` is no bucket.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from llmtee.formats._traced.fields import tokens
from llmtee.formats.conventions import LANGFUSE
from llmtee.jsonfields import as_amount, as_object, join
from llmtee.model import Usage

_NAMES = LANGFUSE.totals
_WRITES = [
    key
    for name in ("cache_write", "cache_write_5m", "cache_write_1h")
    for key in LANGFUSE.counts[name]
]
_SUMS = ("total", "total_tokens")


def read_buckets(raw: Any, path: str) -> Usage:
    """The counts of ``usageDetails``.

    Raises:
        InputError: a count is not a whole number; the error names its JSON path.
    """
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
    return next((side for side, starts in LANGFUSE.sides.items() if key.startswith(starts)), None)


def read_amounts(raw: Any, path: str) -> tuple[Decimal | None, dict[str, Decimal]]:
    """The total and the parts of ``costDetails``.

    Raises:
        InputError: an amount is not a number; the error names its JSON path.
    """
    parts = {
        key: as_amount(value, join(path, key))
        for key, value in as_object(raw or {}, path).items()
        if value is not None
    }
    return parts.pop("total", None), parts
