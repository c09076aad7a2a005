"""Second stage: claimed work becomes items in the vendor's shape, and fits into requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from llmtee import jsontext
from llmtee.assembly import assemble, following
from llmtee.delivery.exporter import Exporter
from llmtee.eventlog import Entry, EventLog, Settlement, Work
from llmtee.model import Conversation, Event, conversation_id, load_event
from llmtee.spec import Request, State, WireItem, outgoing


@dataclass(frozen=True, slots=True)
class Parcel:
    """A unit of work in the vendor's shape, on its way."""

    work: Work
    wire: WireItem
    refreshed: bool = False
    """Whether what ``prepare`` made was already made anew for it."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A request and the parcels in it, by position."""

    request: Request
    parcels: tuple[Parcel, ...]

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return len(self.request.content)


def render(exporter: Exporter, log: EventLog, work: Work) -> Parcel | Settlement:
    """The parcel of a unit of work, or its settlement where it is filtered out or the vendor has no place for it."""
    item = event_of(log, work) if work.session is None else conversation_of(log, work)
    if item is None:
        reason = "nothing to send: the session holds no message that was not sent before"
        return Settlement(work, "skipped", reason)
    outgoing_item = outgoing(exporter.vendor, item, exporter.settings)
    exporter.complaints.add(outgoing_item.failures)
    wire = outgoing_item.wire
    if wire.body is None:
        return Settlement(work, "skipped", wire.skip or "the vendor has no place for it")
    return Parcel(work, wire)


def event_of(log: EventLog, work: Work) -> Event:
    """The event of a unit of work."""
    return _load(log.entries(work)[0])


def conversation_of(log: EventLog, work: Work) -> Conversation | None:
    """The conversation of a unit of work as it stands now: all of it, or what earlier segments did not have."""
    assert work.session is not None  # noqa: S101 - says to the type checker what the caller asked
    before = [_in_session(entry) for entry in log.entries(work, before=True)]
    whole = _only([*before, *(_in_session(entry) for entry in log.entries(work))])
    if whole is None or work.segment == 0:
        return whole
    if (sent := _only(before)) is not None:
        return following(whole, sent, work.segment)
    return whole.model_copy(
        update={"id": conversation_id(work.session, work.segment), "segment": work.segment}
    )


def _only(events: Sequence[Event]) -> Conversation | None:
    return next((item for item in assemble(events) if item.messages or item.tool_runs), None)


def _load(entry: Entry) -> Event:
    return load_event(jsontext.loads(entry.payload))


def _in_session(entry: Entry) -> Event:
    event = _load(entry)
    return event if event.session else event.model_copy(update={"session": entry.session})


def pack(exporter: Exporter, parcels: Sequence[Parcel], state: State) -> list[Packet]:
    """Parcels as requests.

    Raises:
        ValueError: the vendor's ``pack`` dropped, doubled or invented an item.
    """
    by_wire = {id(parcel.wire): parcel for parcel in parcels}
    requests = exporter.vendor.pack([parcel.wire for parcel in parcels], exporter.settings, state)
    packets = [
        Packet(request, tuple(by_wire[id(wire)] for wire in request.items if id(wire) in by_wire))
        for request in requests
    ]
    packed = [id(parcel.wire) for packet in packets for parcel in packet.parcels]
    if sorted(packed) != sorted(by_wire) or any(
        len(packet.parcels) != len(packet.request.items) for packet in packets
    ):
        raise ValueError(f"pack of {exporter.vendor.name} did not keep every item once")
    return packets


def shrink(exporter: Exporter, parcel: Parcel, limit: int) -> Parcel | None:
    """The parcel with an item of at most ``limit`` bytes or, at the least, a smaller one; ``None`` if it cannot be."""
    wire = exporter.vendor.shrink(parcel.wire, limit, exporter.settings)
    if wire is None or wire.body is None or wire.size >= parcel.wire.size:
        return None
    return replace(parcel, wire=wire)


def halves(parcels: Sequence[Parcel]) -> list[tuple[Parcel, ...]]:
    """Two halves, in order."""
    middle = len(parcels) // 2
    return [tuple(parcels[:middle]), tuple(parcels[middle:])]
