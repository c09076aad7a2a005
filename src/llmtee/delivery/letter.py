"""The end of what will never arrive, or perhaps did: a letter with the reason, the request and the answer."""

from __future__ import annotations

from typing import Any, Literal

from llmtee.delivery.exporter import Exporter
from llmtee.delivery.parcel import Packet
from llmtee.eventlog import DeadLetter, Settlement, Work
from llmtee.spec import Exchange

_TEXT_BYTES = 4000
"""How much of an answer a dead letter keeps."""


def dead(
    exporter: Exporter,
    work: Work,
    reason: str,
    now: float,
    *,
    packet: Packet | None = None,
    exchange: Exchange | None = None,
) -> Settlement:
    """The settlement of a unit that will never arrive, with a letter that says why."""
    return _settled("dead", exporter, work, reason, now, packet, exchange)


def unknown(
    exporter: Exporter, work: Work, reason: str, now: float, packet: Packet, exchange: Exchange
) -> Settlement:
    """The settlement of a unit that perhaps arrived, with a letter for whoever decides what to do about it."""
    return _settled("unknown", exporter, work, reason, now, packet, exchange)


def _settled(
    state: Literal["dead", "unknown"],
    exporter: Exporter,
    work: Work,
    reason: str,
    now: float,
    packet: Packet | None,
    exchange: Exchange | None,
) -> Settlement:
    letter = DeadLetter(
        exporter=exporter.name,
        id=work.key.partition(":")[2],
        segment=work.segment,
        at=now,
        reason=reason,
        request=None if packet is None else _request(packet, work),
        answer=None if exchange is None else _answer(exchange),
        state=state,
    )
    return Settlement(work, state, reason, letter=letter)


def _request(packet: Packet, work: Work) -> dict[str, Any]:
    request = packet.request
    # Of a batch, only the item's own part: its neighbours may have arrived.
    own = [parcel.wire.body for parcel in packet.parcels if parcel.work == work]
    body = request.body if len(packet.parcels) == 1 else own[0]
    return {"method": request.method, "path": request.path, "body": body}


def _answer(exchange: Exchange) -> dict[str, Any]:
    if exchange.failure is not None:
        return {"failure": exchange.failure.value, "text": exchange.failure_text}
    text = exchange.content[:_TEXT_BYTES].decode("utf-8", "replace")
    return {"status": exchange.status, "text": text}
