"""First stage: a record as it was logged becomes events as they are kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from llmtee import jsontext, registry
from llmtee.assembly import fit
from llmtee.eventlog import CANONICAL, END, SUPPLEMENT, Entry, Record
from llmtee.model import Conversation, Event, Item, load_supplement
from llmtee.model.snapshot import taken

Decoder = Callable[[str, object], list[Item]]


def decode_by_registry(format_name: str, raw: object) -> list[Item]:
    """The items of a raw record, by the format of that name."""
    return registry.format(format_name).decode(raw)


def decode(record: Record, decoder: Decoder = decode_by_registry) -> list[Entry]:
    """The entries that a record becomes. Never raises, and never gives none: nothing that was logged vanishes.

    Args:
        record: from the journal.
        decoder: raw JSON of a named format to items.
    """
    if record.format == END:
        session = jsontext.loads(record.payload)
        return [Entry(record.id, session, "end", END, b"", record.recorded_at)]
    try:
        if record.format == SUPPLEMENT:
            return [_supplement_entry(record)]
        items = decoder(record.format, taken(jsontext.loads(record.payload)))
        events = [_timed(event, record) for event in events_of(items)]
    except Exception as error:  # noqa: BLE001 - formats may be third-party, and input may be anything
        return [_undecodable(record, f"{record.format}: {error}")]
    if not events:
        return [_undecodable(record, f"{record.format}: the record holds no event")]
    if len(events) == 1 and not any(isinstance(item, Conversation) for item in items):
        # The caller was given this id.
        events = [events[0].model_copy(update={"id": record.id})]
    return [_entry(event, record) for event in events]


def events_of(items: list[Item]) -> list[Event]:
    """The events that items are, or are made of."""
    return [item for item in fit(items, "event") if not isinstance(item, Conversation)]


def _timed(event: Event, record: Record) -> Event:
    """A live event without any time ended when it was recorded; history keeps its gaps."""
    if not record.live or event.started_at or event.ended_at or event.first_token_at:
        return event
    at = dt.datetime.fromtimestamp(record.recorded_at, dt.UTC)
    return event.model_copy(update={"ended_at": at})


def _entry(event: Event, record: Record) -> Entry:
    return Entry(
        id=event.id,
        session=event.session or event.id,
        kind="event",
        format=CANONICAL,
        payload=event.to_json_text(),
        recorded_at=record.recorded_at,
        event=event,
    )


def _supplement_entry(record: Record) -> Entry:
    supplement = load_supplement(jsontext.loads(record.payload))
    return Entry(
        id=record.id,
        session=supplement.order,
        kind="event",
        format=SUPPLEMENT,
        payload=record.payload,
        recorded_at=record.recorded_at,
    )


def _undecodable(record: Record, reason: str) -> Entry:
    return Entry(
        id=record.id,
        session=record.id,
        kind="undecodable",
        format=record.format,
        payload=record.payload,
        recorded_at=record.recorded_at,
        error=reason,
    )
