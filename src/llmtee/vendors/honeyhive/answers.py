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
_FIRST: Final = dt.datetime.min.replace(tzinfo=dt.UTC)


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


def items_of(events: Sequence[dict[str, Any]], position: Position, span: spans.Span) -> list[Item]:
    """The events that are in the window and began in a span, without its end, oldest first."""
    begin, end = map(from_unix_ms, span)
    dated = [
        (started, raw)
        for raw in reversed(events)
        if (started := time_of(raw, "start_time", "")) is not None
        and begin <= started < end
        and spans.holds(position, started)
    ]
    return _in_order(dated)


def undated_of(events: Sequence[dict[str, Any]], position: Position) -> tuple[list[Item], int]:
    """The events without a ``start_time``: those that ended in the window, oldest first.

    Those without any time are among them, before the others, where the window has no beginning; else they are counted.
    """
    found, timeless = [], 0
    for raw in reversed(events):
        ended = time_of(raw, "end_time", "")
        if time_of(raw, "start_time", "") is not None:
            continue  # it has one since it was asked for, and is read by that
        if ended is not None and spans.holds(position, ended):
            found.append((ended, raw))
        elif ended is None and position["since"] is None:
            found.append((_FIRST, raw))
        elif ended is None:
            timeless += 1
    return _in_order(found), timeless


def _in_order(dated: list[tuple[dt.datetime, dict[str, Any]]]) -> list[Item]:
    # A session begins with its first event, and is said before it. Within a millisecond HoneyHive knows no order: the
    # id makes it the same each time.
    dated.sort(key=lambda one: (one[0], one[1].get("event_type") != "session", one[1]["event_id"]))
    return _parsed([raw for _, raw in dated])


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
