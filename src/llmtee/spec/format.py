"""`Format`: a foreign shape that llmtee reads, and writes where it is a provider's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmtee.model import Item, ModelCall
from llmtee.spec.stream import StreamAccumulator


@dataclass(frozen=True, kw_only=True)
class Traces:
    """How the parts of a trace that stand in several records, files or batches are put together. Pure functions.

    ``decode`` of a format that has it is ``join`` of all that ``split`` finds in the one record.
    """

    split: Callable[[Any], list[tuple[str | None, Any]]]
    """The parts in a record, each with the id of its trace; ``None`` for a part that belongs to none.
    Raises ``InputError`` as ``decode`` does; what it gives can always be joined."""
    join: Callable[[Sequence[Any]], list[Item]]
    """The events of some parts, whichever records they came in. Formats that share it share their traces."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """One foreign shape. Registered by an entry point in the group ``llmtee.formats``. All functions are pure."""

    name: str
    """As registered and as typed: ``openai-chat``."""
    title: str
    dialect: str | None = None
    """What ``Native.dialect`` calls this shape; ``None`` where it is not one provider's request and response."""
    decode: Callable[[Any], list[Item]]
    """One record to items. Ids are derived from the record, so that the same record always gives the same ids.
    Raises ``InputError`` with the JSON path of what is wrong."""
    encode: Callable[[ModelCall], dict[str, Any]] | None = None
    """A model call as ``{"request": …, "response": …}``; ``None`` where the shape is only read."""
    detect: Callable[[Any], str | None]
    """Why a record is surely of this format, in a few words; ``None`` if it is not."""
    stream: Callable[[], StreamAccumulator] | None = None
    """A new accumulator for one streamed answer; ``None`` where the shape is not streamed. ``decode`` of a format that
    has one also reads records whose response is a list of chunks, or the text of server-sent events."""
    traces: Traces | None = None
    """Where a record may be a part of a trace: how a reader of many records joins them."""
    cannot: Mapping[str, str] = field(default_factory=dict)
    """What ``encode`` loses or changes, and why: selectors of values of a model call (see `llmtee.fidelity`), each with a
    reason. A ledger of an encoding is computed; this gives its entries their reasons, and a difference that is not
    declared here is a bug."""
