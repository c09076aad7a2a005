"""Token counts and cost of a Langfuse observation, in the buckets of today and in the older totals."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from llmtee.formats._traced.buckets import read_amounts, read_buckets
from llmtee.formats._traced.fields import Row, tokens, unwrapped
from llmtee.formats.conventions import LANGFUSE_OLDER
from llmtee.jsonfields import as_amount, as_object, join
from llmtee.model import Cost, Usage


def decode_usage(row: Row) -> Usage | None:
    """The counts of an observation: ``usageDetails``, else the older ``usage``, whose numbers are totals.

    Raises:
        InputError: a count is not a whole number; the error names its JSON path.
    """
    details, older = unwrapped(row.get("usageDetails")), unwrapped(row.get("usage"))
    if details not in (None, {}, ""):
        return read_buckets(details, row.path("usageDetails"))
    if older in (None, {}, "") or as_object(older, row.path("usage")).get("unit") not in (
        None,
        "TOKENS",
    ):
        return None  # characters, seconds and the like are no tokens
    return _decode_older(older, row.path("usage"))


def _decode_older(raw: Mapping[str, Any], path: str) -> Usage | None:
    counts: dict[str, int | None] = {}
    for key, name in LANGFUSE_OLDER.totals.items():
        if raw.get(key) is not None:
            counts.setdefault(name, tokens(raw[key], join(path, key)))
    return Usage(**counts, raw=raw) if counts else None


def decode_cost(row: Row) -> Cost | None:
    """What Langfuse says that an observation cost, in US dollars.

    Where it knows no price it keeps no parts and writes the sum 0, which is no amount.

    Raises:
        InputError: an amount is not a number; the error names its JSON path.
    """
    raw = unwrapped(row.get("costDetails"))
    told, parts = read_amounts(raw, row.path("costDetails"))
    names = ("totalCost", "calculatedTotalCost")
    sums = [
        as_amount(value, row.path(name)) for name in names if (value := row.get(name)) is not None
    ]
    amount = sums[0] if sums else told if told is not None else sum(parts.values(), Decimal(0))
    if not parts and told is None and (not sums or (raw == {} and amount == 0)):
        return None
    return Cost(amount=amount, source="vendor", details=parts)
