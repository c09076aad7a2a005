"""Token counts and cost in telemetry, in all their spellings, to canonical ones."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from llmtee.errors import InputError
from llmtee.formats._traced.buckets import read_amounts, read_buckets
from llmtee.formats._traced.fields import usage_flags
from llmtee.formats.conventions import OTEL
from llmtee.formats.otel_genai.attributes import Attributes, whole
from llmtee.jsonfields import as_amount
from llmtee.model import Cost, Usage

_BLOCKS = ("gen_ai.usage.", "llm.token_count.", "llm.usage.", "ai.usage.")
_DETAILS, _COSTS = "langfuse.observation.usage_details", "langfuse.observation.cost_details"
_EXCLUSIVE = "usage: input was reported without caches; they were added"


def read_usage(attributes: Attributes) -> tuple[Usage | None, tuple[str, ...]]:
    """The counts, and what a reader should know of them.

    A total is taken to hold its caches, as the conventions ask. Where they exceed it, or where the reported total is
    the sum of all, it cannot: emitters for Anthropic copied that provider's counts, and the caches are added.
    """
    raw = {
        k: v for k, v in attributes.values.items() if k.startswith(_BLOCKS) and whole(v) is not None
    }
    if not raw:
        return _buckets(attributes)
    counts = {name: attributes.count(*keys) for name, keys in OTEL.counts.items()}
    attributes.take(*raw)  # the others are in the raw block
    flags: tuple[str, ...] = ()
    given, caches = (
        counts["input_tokens"],
        (counts["cache_read"] or 0) + (counts["cache_write"] or 0),
    )
    if given is not None and caches > 0:
        everything = given + caches + (counts["output_tokens"] or 0)
        if caches > given or counts["total_tokens"] == everything:
            counts["input_tokens"] = given + caches
            flags = (_EXCLUSIVE,)
    usage = Usage(**counts, raw=raw)
    return usage, (*flags, *usage_flags(usage))


def _buckets(attributes: Attributes) -> tuple[Usage | None, tuple[str, ...]]:
    """The counts that an application sends to Langfuse, which are disjoint."""
    details = attributes.object(_DETAILS)
    try:
        usage = read_buckets(details, _DETAILS) if details else None
    except InputError:
        attributes.keep(_DETAILS)
        return None, ()
    return usage, usage_flags(usage)


def read_cost(attributes: Attributes) -> Cost | None:
    """What an instrumentation says that the call cost, in US dollars. OpenTelemetry itself has no such attribute."""
    keys = {"input": "llm.cost.prompt", "output": "llm.cost.completion"}
    totals = ("llm.cost.total", "gen_ai.usage.cost", "operation.cost")
    details: dict[str, Decimal] = {}
    for name, key in keys.items():
        if (amount := _amount(attributes.values.get(key))) is not None:
            details[name] = amount
            attributes.take(key)
    total = None
    for key in totals:
        if total is None and (total := _amount(attributes.values.get(key))) is not None:
            attributes.take(key)
    if total is None and not details:
        total, details = _amounts(attributes)
    if total is None and not details:
        return None
    # Emitters that price the two sides and not the whole mean the sum.
    amount = sum(details.values(), Decimal(0)) if total is None else total
    return Cost(amount=amount, source="computed", details=details)


def _amounts(attributes: Attributes) -> tuple[Decimal | None, dict[str, Decimal]]:
    found = attributes.object(_COSTS)
    try:
        return read_amounts(found, _COSTS)
    except InputError:
        attributes.keep(_COSTS)
        return None, {}


def _amount(value: Any) -> Decimal | None:
    try:
        return None if value is None else as_amount(value, "")
    except InputError:
        return None
