"""Third stage: items fit into requests. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from llmtee.delivery.exporter import Exporter
from llmtee.delivery.letter import dead
from llmtee.delivery.parcel import Packet, Parcel, halves
from llmtee.eventlog import Settlement
from llmtee.spec import State


@dataclass(slots=True)
class Packed:
    """What became of some parcels."""

    packets: list[Packet] = field(default_factory=list)
    """In order; each within the byte limit."""
    settlements: list[Settlement] = field(default_factory=list)
    """Of those that fit into no request."""


def pack(exporter: Exporter, parcels: Sequence[Parcel], state: State) -> Packed:
    """Parcels as requests within the exporter's limits. One that is too large on its own is shrunk if the vendor can.

    Raises:
        ValueError: the vendor's ``pack`` dropped, doubled or invented an item.
    """
    packed = Packed()
    todo = deque([tuple(parcels)])
    while todo:
        smaller: list[tuple[Parcel, ...]] = []
        for packet in _packets(exporter, todo.popleft(), state):
            if packet.size <= exporter.max_bytes:
                packed.packets.append(packet)
            elif len(packet.parcels) > 1:
                smaller += halves(packet.parcels)
            else:
                smaller += _shrunk(exporter, packet, packed)
        todo.extendleft(reversed(smaller))
    return packed


def _shrunk(exporter: Exporter, packet: Packet, packed: Packed) -> list[tuple[Parcel, ...]]:
    limit, (parcel,) = exporter.max_bytes, packet.parcels
    around = packet.size - parcel.wire.size
    smaller = shrink(exporter, parcel, limit - around)
    if smaller is not None:
        return [(smaller,)]
    reason = f"{packet.size} bytes; {exporter.vendor.title} takes at most {limit}"
    now = exporter.tuning.clock()
    packed.settlements.append(dead(exporter, parcel.work, reason, now, packet=packet))
    return []


def _packets(exporter: Exporter, parcels: Sequence[Parcel], state: State) -> list[Packet]:
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
