"""Keeps records apart that say the same, when they do not say who they are."""

from __future__ import annotations

from collections import Counter
from typing import Any

from llmtee import jsontext
from llmtee.model import Item, ModelCall
from llmtee.model.ids import derive_id
from llmtee.model.snapshot import to_json_value


class Repetitions:
    """Counts what one source repeats.

    An event without an id of its own gets one derived from its content, so two equal records would become one
    event. The second occurrence mixes its ordinal in, and so on: reading the source again gives the same ids again.

    A response's id is an id: the same call logged twice stays one event. But some local servers give every
    response the same id; calls that differ stay apart.
    """

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()
        self._calls: dict[str, list[str]] = {}

    def told_apart(self, item: Item, raw: Any, *, single: bool) -> Item:
        """``item``, with another id where an earlier record of the source has taken it.

        Args:
            item: what was read.
            raw: the record that it was read from.
            single: whether the record is one event, and not a batch.
        """
        if _names_itself(item, raw):
            return item
        if item.source_ids:
            ordinal = self._variant(item) if single else 0
        else:
            ordinal = self._seen[item.id]
            self._seen[item.id] += 1
        if ordinal == 0:
            return item
        return item.model_copy(update={"id": derive_id(item.id, str(ordinal))})

    def _variant(self, item: Item) -> int:
        if not isinstance(item, ModelCall) or item.native is None:
            return 0
        exchange = jsontext.dumps_sorted([item.native.request, item.native.response])
        variants = self._calls.setdefault(item.id, [])
        digest = derive_id(exchange.decode())
        if digest not in variants:
            variants.append(digest)
        return variants.index(digest)


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
