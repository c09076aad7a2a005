"""Sixth stage: what the verdicts of one exchange make of each parcel. Pure, apart from the jitter's randomness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from llmtee.delivery.exporter import Exporter
from llmtee.delivery.letter import dead, unknown
from llmtee.delivery.pack import shrink
from llmtee.delivery.parcel import Packet, Parcel, halves
from llmtee.delivery.retry import is_exhausted, seconds_until_next
from llmtee.eventlog import Settlement
from llmtee.spec import (
    Delivered,
    Exchange,
    Failure,
    Rejected,
    Retry,
    TooLarge,
    Unauthorised,
    Unknown,
    Verdict,
)

_GATEWAY = frozenset({502, 503, 504})
"""What a host says that has no say in the matter. 500 is also what a vendor says to an item it stumbles over."""


@dataclass(slots=True)
class Plan:
    """What to do after an exchange."""

    settlements: list[Settlement] = field(default_factory=list)
    again: list[tuple[Parcel, ...]] = field(default_factory=list)
    """To be sent at once, in smaller groups or smaller, or after ``refresh``."""
    release: list[Parcel] = field(default_factory=list)
    """To be kept as they were."""
    refresh: bool = False
    """Whether what ``prepare`` made must be made anew."""
    refused: str | None = None
    """Why the vendor refuses the exporter as a whole."""
    trouble: str | None = None
    """Why something has to be tried again, for the log."""
    retries: int = 0


def judge(exporter: Exporter, exchange: Exchange) -> list[Verdict]:
    """The vendor's verdicts, one for each item.

    Raises:
        ValueError: the vendor gave another number of verdicts.
    """
    verdicts = exporter.vendor.judge(exchange, exporter.settings)
    if len(verdicts) != len(exchange.request.items):
        raise ValueError(
            f"judge of {exporter.vendor.name} gave {len(verdicts)} verdicts for {len(exchange.request.items)} items"
        )
    return verdicts


def plan(
    exporter: Exporter,
    packet: Packet,
    exchange: Exchange,
    verdicts: Sequence[Verdict],
    *,
    started: float,
    now: float,
    since: float = 0.0,
    probe: bool = False,
) -> Plan:
    """What to do with each parcel.

    Args:
        exporter: whose parcels they are.
        packet: what was sent.
        exchange: how it went.
        verdicts: one for each parcel, by position.
        started: unix seconds when it was sent.
        now: unix seconds.
        since: unix seconds when the vendor was last found to take requests again; what went before does not count
            towards giving up.
        probe: whether it was sent to see if the host is back; if it is not, that is no try of the items in it.
    """
    planner = _Planner(
        exporter, packet, exchange, started=started, now=now, since=since, probe=probe
    )
    return planner.run(verdicts)


class _Planner:
    def __init__(
        self,
        exporter: Exporter,
        packet: Packet,
        exchange: Exchange,
        *,
        started: float,
        now: float,
        since: float,
        probe: bool,
    ) -> None:
        self._exporter, self._packet, self._exchange = exporter, packet, exchange
        self._started, self._now, self._since = started, now, since
        # What surely did not arrive cannot be the fault of an item.
        self._excused = exchange.failure is Failure.NOT_SENT or (
            probe and (exchange.failure is not None or exchange.status in _GATEWAY)
        )
        self._waits: dict[tuple[int, float | None], float] = {}
        self._plan = Plan()
        self._refreshed: list[Parcel] = []
        self._too_large: list[Parcel] = []

    def run(self, verdicts: Sequence[Verdict]) -> Plan:
        parcels = self._packet.parcels
        if len(parcels) > 1 and all(isinstance(verdict, Rejected) for verdict in verdicts):
            # The vendor refused the request as a whole: halving it finds the item at fault and saves its neighbours.
            self._plan.again.extend(halves(parcels))
            return self._plan
        for parcel, verdict in zip(parcels, verdicts, strict=True):
            self._weigh(parcel, verdict)
        if self._refreshed:
            self._plan.refresh = True
            self._plan.retries += len(self._refreshed)
            self._plan.again.append(tuple(self._refreshed))
        self._make_smaller(self._too_large)
        return self._plan

    def _weigh(self, parcel: Parcel, verdict: Verdict) -> None:
        match verdict:
            case Delivered(vendor_id):
                self._settle(Settlement(parcel.work, "delivered", vendor_id=vendor_id))
            case Retry(reason, refresh=True) if not parcel.refreshed:
                self._plan.trouble = reason
                self._refreshed.append(replace(parcel, refreshed=True))
            case Retry(reason, refresh=True):
                self._bury(parcel, f"{reason}, even after it was prepared anew")
            case Retry(reason, after):
                self._retry(parcel, reason, after)
            case Rejected(reason):
                self._bury(parcel, reason)
            case TooLarge():
                self._too_large.append(parcel)
            case Unauthorised(reason):
                self._plan.refused = reason
                self._plan.release.append(parcel)
            case Unknown(reason) if self._exporter.repeatable:
                self._retry(parcel, reason, self._exchange.retry_after)
            case Unknown(reason):
                self._plan.trouble = reason
                now, packet = self._now, self._packet
                self._settle(
                    unknown(self._exporter, parcel.work, reason, now, packet, self._exchange)
                )

    def _settle(self, settlement: Settlement) -> None:
        self._plan.settlements.append(settlement)

    def _retry(self, parcel: Parcel, reason: str, after: float | None) -> None:
        policy, work = self._exporter.retry, parcel.work
        attempts = work.attempts + (not self._excused)
        first_at = work.first_at
        if not self._excused:
            first_at = self._started if first_at is None else max(first_at, self._since)
            first_at = min(first_at, self._now)  # a clock that was put back gives no further time
        self._plan.trouble = reason
        if (
            first_at is not None
            and not self._excused
            and is_exhausted(policy, attempts, self._now - first_at)
        ):
            self._bury(parcel, f"given up after {attempts} tries: {reason}")
            return
        # One wait for all that failed together, so that they travel together again.
        if (attempts, after) not in self._waits:
            self._waits[attempts, after] = seconds_until_next(
                policy, max(1, attempts), self._exporter.tuning.random, after
            )
        due_at = self._now + self._waits[attempts, after]
        self._plan.retries += 1
        self._settle(
            Settlement(
                work,
                "pending",
                reason,
                due_at,
                dated_at=self._now,
                attempts=attempts,
                first_at=first_at,
            )
        )

    def _make_smaller(self, parcels: list[Parcel]) -> None:
        if len(self._packet.parcels) > 1:
            self._plan.again.extend(halves(parcels))
            return
        for parcel in parcels:
            smaller = shrink(self._exporter, parcel, parcel.wire.size * 3 // 4)
            if smaller is None:
                self._bury(parcel, f"too large for {self._exporter.vendor.title}, even on its own")
            else:
                self._plan.again.append((smaller,))

    def _bury(self, parcel: Parcel, reason: str) -> None:
        self._settle(
            dead(
                self._exporter,
                parcel.work,
                reason,
                self._now,
                packet=self._packet,
                exchange=self._exchange,
            )
        )
