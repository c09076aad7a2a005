"""How an item waits in a file for the others of its session: as the text that it was read from, or as canonical JSON.

To read a record again costs a third of what it costs to write an event and read that, and takes half of the space.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TypeAlias

from llmtee import jsontext
from llmtee.bulk._identity import renamed
from llmtee.bulk._records import Raw, of_line
from llmtee.decoders import Choice, choice
from llmtee.formats import canonical
from llmtee.model import Conversation, Item

Span: TypeAlias = tuple[int, int]
"""Where an item waits in the file: offset and length, in bytes."""


@dataclass(frozen=True, slots=True)
class Text:
    """The text of a record that holds one item and nothing else."""

    content: bytes
    format: str
    """What reads it; empty for the mapping of the conversion."""

    def waiting(self, ordinal: int) -> bytes:
        """The item as it waits; ``ordinal`` is its own among those that claim the same."""
        return b"%d %b\n%b" % (ordinal, self.format.encode(), self.content)


@dataclass(frozen=True, slots=True)
class Gathered:
    """An item that waits for the others of its session."""

    key: str
    data: bytes


def gathered(item: Item, text: Text | None, ordinal: int) -> Gathered:
    """An item as it waits.

    Args:
        item: under the id of its ordinal.
        text: what it was read from, where that holds nothing else.
        ordinal: among the items that claim the same.
    """
    if isinstance(item, Conversation):
        key = f"conversation\x1f{item.id}"
    elif item.session is not None:
        key = f"session\x1f{item.session}"
    else:
        key = f"event\x1f{item.id}"
    if text is None:
        return Gathered(key, jsontext.dumps(item.to_json()))
    return Gathered(key, text.waiting(ordinal))


def read_span(descriptor: int, span: Span) -> bytes:
    """What stands there. Several processes may read by one descriptor: none moves its position."""
    at, length = span
    return os.pread(descriptor, length, at)


def restored(data: bytes, mapped: Choice) -> list[Item]:
    """The item that waited, in a list; ``mapped`` reads what no format was named for."""
    if data.startswith(b"{"):
        return canonical.decode(jsontext.loads(data))
    head, _, content = data.partition(b"\n")
    ordinal, _, name = head.decode().partition(" ")
    items: list[Item] = []
    for raw in of_line((1, content), ""):
        if not isinstance(raw, Raw):
            raise TypeError(f"was read before, and cannot be read again: {raw}")
        how, _ = (choice(name) if name else mapped)(raw.value)
        items += [renamed(item, int(ordinal)) for item in how.decode(raw.value)]
    return items
