"""Keeps records apart that say the same, when they do not say who they are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from llmtee import jsontext
from llmtee.model import Item, ModelCall
from llmtee.model.ids import derive_id
from llmtee.model.snapshot import to_json_value


@dataclass(frozen=True, slots=True)
class Claim:
    """What tells a record apart from others that would get the same id. Hashes of 64 bits, signed."""

    key: int
    """Of the id, within one source."""
    content: int
    """Of what was asked and answered; 0 where the id was made of the content, so that each record is another one."""


def claim(item: Item, raw: Any, *, single: bool, scope: int = 0) -> Claim | None:
    """What an item claims as its own; ``None`` where it surely has an id of its own.

    An event without an id of its own gets one derived from its content, so two equal records would become one
    event. The second occurrence mixes its ordinal in, and so on: reading the source again gives the same ids again.

    A response's id is an id: the same call logged twice stays one event. But some local servers give every
    response the same id; calls that differ stay apart.

    Args:
        item: what was read.
        raw: the record that it was read from.
        single: whether the record is one event, and not a batch.
        scope: number of the source: each counts for itself.
    """
    native = item.native if isinstance(item, ModelCall) else None
    if item.source_ids and (not single or native is None):
        return None
    if _names_itself(item, raw):
        return None
    if native is None or not item.source_ids:
        return Claim(_hash(f"{scope}\x1f{item.id}".encode()), 0)
    exchange = jsontext.dumps_sorted([native.request, native.response])
    return Claim(_hash(f"{scope}\x1e{item.id}".encode()), _hash(exchange) or 1)


def _hash(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), signed=True)


def renamed(item: Item, ordinal: int) -> Item:
    """``item`` under the id of its ordinal among those that claim the same; the first keeps its own."""
    if ordinal == 0:
        return item
    return item.model_copy(update={"id": derive_id(item.id, str(ordinal))})


class Repetitions:
    """Ordinals of claims, in memory: of what one reader reads."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._contents: dict[int, dict[int, int]] = {}

    def ordinal(self, claimed: Claim | None) -> int:
        """How many others came before that claim the same."""
        if claimed is None:
            return 0
        if claimed.content == 0:
            self._counts[claimed.key] += 1
            return self._counts[claimed.key] - 1
        variants = self._contents.setdefault(claimed.key, {})
        return variants.setdefault(claimed.content, len(variants))


def _names_itself(item: Item, raw: Any) -> bool:
    """Whether the item's id stands in the record, or was made of an id that does."""
    if not isinstance(raw, dict):
        return False
    own = raw.get("id")
    if "request" in raw or "response" in raw or "kind" in raw:
        return own is not None
    return _holds(to_json_value(raw), item.id)


def _holds(value: Any, text: str) -> bool:
    if isinstance(value, dict):
        return any(_holds(inner, text) for inner in value.values())
    if isinstance(value, list):
        return any(_holds(inner, text) for inner in value)
    return bool(value == text)
