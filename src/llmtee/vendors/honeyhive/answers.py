"""What HoneyHive's read endpoints answer, and the events in it that were asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from llmtee.errors import InputError
from llmtee.jsonfields import as_list, as_object
from llmtee.model import Item
from llmtee.model.times import from_unix_ms
from llmtee.spec import CarrySlot, Exchange, Position, with_carry
from llmtee.vendors.honeyhive import spans
from llmtee.vendors.honeyhive.metadata import CARRY_KEY
from llmtee.vendors.honeyhive.parse import parse, time_of

CARRY: Final = CarrySlot(f"metadata.{CARRY_KEY}", items=("", "[]", "event", "events[]"))

_parse: Callable[[Any], list[Item]] = with_carry(parse, CARRY)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Answer:
    """One page."""

    events: list[dict[str, Any]]
    """As they came, newest first."""
    count: int
    """Of all events that were asked for, as HoneyHive tells it."""

    @property
    def ids(self) -> set[str]:
        """Of the events."""
        return {event["event_id"] for event in self.events}

    @property
    def adds_up(self) -> bool:
        """Whether it holds as many different events as it counts."""
        return self.count == len(self.events) == len(self.ids)


def read_answer(exchange: Exchange, counts: Sequence[str]) -> Answer:
    """An answer of ``/v1/events/export`` or ``/v1/events/search``.

    Args:
        exchange: a successful one.
        counts: the fields of which one tells how many events there are.

    Raises:
        InputError: it is none.
    """
    body, path = exchange.json, exchange.request.path
    if not isinstance(body, dict) or "events" not in body:
        raise InputError(f"is no answer of HoneyHive's {path}: {exchange.excerpt}", path="body")
    count = next((body[key] for key in counts if type(body.get(key)) is int), None)
    if count is None:
        raise InputError(f"is missing: HoneyHive's {path} tells how many there are", path=counts[0])
    events = [
        dict(as_object(raw, f"events[{number}]"))
        for number, raw in enumerate(as_list(body["events"], "events"))
    ]
    for number, event in enumerate(events):
        if not isinstance(event.get("event_id"), str):
            raise InputError("is missing", path=f"events[{number}].event_id")
    return Answer(events, count)


def items_of(
    events: Sequence[dict[str, Any]], position: Position, span: spans.Span | None = None
) -> list[Item]:
    """The events that are in the window and began in a span, without its end, oldest first.

    Without a span: the events that have no time.
    """
    wanted = []
    for raw in reversed(events):
        started = time_of(raw, "start_time", "")
        if started is None or span is None:
            is_wanted = started is None and span is None
        else:
            begin, end = map(from_unix_ms, span)
            is_wanted = begin <= started < end and spans.holds(position, started)
        if is_wanted:
            wanted.append((started or _EPOCH, raw))
    # A session begins with its first event, and is said before it.
    wanted.sort(key=lambda one: (one[0], one[1].get("event_type") != "session"))
    return _parsed([raw for _, raw in wanted])


def _parsed(events: Sequence[dict[str, Any]]) -> list[Item]:
    try:
        return _parse({"events": events})
    except InputError:
        for raw in events:
            try:
                _parse(raw)
            except InputError as error:
                raise error.at(source=f"HoneyHive's event {raw['event_id']}") from None
        raise
