"""Token counts as Bedrock Converse reports them, to canonical ones and back.

Names of counts are in `conventions`. Models differ in whether ``inputTokens`` holds the tokens read
from and written to a cache; the total tells which.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.errors import InputError
from llmtee.formats.bedrock_converse.blocks import without_nones
from llmtee.formats.conventions import BEDROCK
from llmtee.jsonfields import as_count, as_list, as_object
from llmtee.model import Usage

UNCLEAR = "usage: nothing tells whether inputTokens includes the caches"
_TTLS = {"5m": "cache_write_5m", "1h": "cache_write_1h"}


def decode_usage(raw: Any, path: str) -> Usage | None:
    """The counts of a ``usage`` block, which is kept whole beside them; what it leaves out stays ``None``.

    Raises:
        InputError: a count is not a whole number; the error names its JSON path.
    """
    if raw is None:
        return None
    raw = as_object(raw, path)
    counts = {name: as_count(raw.get(key), f"{path}.{key}") for key, name in BEDROCK.totals.items()}
    asked, caches = (
        counts["input_tokens"],
        (counts["cache_read"] or 0) + (counts["cache_write"] or 0),
    )
    if asked is not None and _exclusive(
        asked, counts["output_tokens"] or 0, counts["total_tokens"], caches
    ):
        counts["input_tokens"] = asked + caches
    return Usage(
        **counts,
        **_by_ttl(raw.get("cacheDetails"), f"{path}.cacheDetails"),
        raw=raw,
    )


def _exclusive(asked: int, said: int, total: int | None, caches: int) -> bool:
    """Whether the caches come on top of the input: the total says so, or they are more than the input."""
    if caches == 0 or total == asked + said:
        return False
    return total == asked + said + caches or caches > asked


def _by_ttl(raw: Any, path: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for i, one in enumerate(as_list(raw, path)):
        entry = as_object(one, f"{path}[{i}]")
        count = as_count(entry.get("inputTokens"), f"{path}[{i}].inputTokens")
        ttl = entry.get("ttl")
        name = _TTLS.get(ttl) if isinstance(ttl, str) else None
        if name is not None and count is not None:
            found[name] = found.get(name, 0) + count
    return found


def usage_flags(usage: Usage | None) -> tuple[str, ...]:
    """What is wrong with the counts, or cannot be told from them."""
    if usage is None:
        return ()
    caches = (usage.cache_read or 0) + (usage.cache_write or 0)
    silent = usage.total_tokens is None and usage.input_tokens is not None and caches > 0
    unclear = silent and caches <= as_whole(usage.raw, "inputTokens")
    problems = tuple(f"usage: {problem}" for problem in usage.problems())
    return (UNCLEAR, *problems) if unclear else problems


def as_whole(raw: Mapping[str, Any] | None, key: str) -> int:
    """A count that was read already; 0 where there is none."""
    return as_count((raw or {}).get(key), key) or 0


def encode_usage(usage: Usage) -> dict[str, Any]:
    """A ``usage`` block: the one that was read, where it was of this shape, else one made of the counts."""
    if usage.raw is not None and _reads_as(usage.raw, usage):
        return usage.raw
    asked, said, total = usage.input_tokens, usage.output_tokens, usage.total_tokens
    caches = (usage.cache_read or 0) + (usage.cache_write or 0)
    if asked is not None and (caches > asked or total not in (None, asked + (said or 0))):
        # Such caches would be read as standing beside the input: the total goes before.
        none = dict.fromkeys(("cache_read", "cache_write"))
        usage, caches = usage.model_copy(update=none), 0
    if asked is not None and total is None:
        total = asked + (said or 0)
    asked = None if asked is None else asked - caches
    by_ttl = {ttl: getattr(usage, name) for ttl, name in _TTLS.items()}
    details = [
        {"ttl": ttl, "inputTokens": count} for ttl, count in by_ttl.items() if count is not None
    ]
    return without_nones(
        {
            "inputTokens": asked,
            "outputTokens": said,
            "totalTokens": total,
            "cacheReadInputTokens": usage.cache_read,
            "cacheWriteInputTokens": usage.cache_write,
            "cacheDetails": details or None,
        }
    )


def _reads_as(raw: Any, usage: Usage) -> bool:
    try:
        return bool(raw) and decode_usage(raw, "usage") == usage
    except InputError:
        return False
