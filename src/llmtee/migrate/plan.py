"""What a migration means, as a value."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from typing import Any

from llmtee.fidelity import Ledger
from llmtee.migrate.fitting import PROPERTY, Times
from llmtee.migrate.samples import Sample
from llmtee.migrate.staging import Held


@dataclass(frozen=True, slots=True)
class TooLarge:
    """An item that exceeds what the target takes."""

    id: str
    session: str | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a migration means, before anything is sent."""

    source: str
    target: str
    url: str
    grain: str
    since: dt.datetime | None
    until: dt.datetime
    held: Held
    """What was read."""
    units: int
    """Events or conversations, and supplements, that are handed to delivery."""
    requests: int
    """That are sent when all goes well."""
    bytes: int
    """Of their bodies, before compression."""
    seconds: float
    """At the target's pace: its ``rate`` where one is set, else so many at a time, a quarter of a second each."""
    rate: float | None
    concurrency: int
    first: dt.datetime | None
    last: dt.datetime | None
    undated: int
    """Units without any time."""
    times: Times
    keeps_times: bool
    """Whether the target can date an item in the past."""
    keeps_properties: bool
    """Whether the target has a place for properties."""
    idempotent_by: str | None
    skipped: Counter[str]
    """Units that the target has no place for or the settings leave out, by reason."""
    supplements: int
    """Feedback and the like that is sent."""
    left_out: Counter[str]
    """Supplements that the target has no place for, by reason."""
    too_large: tuple[TooLarge, ...]
    """Those that become dead letters; the first hundred."""
    too_large_count: int
    cut: int
    """Units that are cut to the size that the target takes."""
    ledger: Ledger
    explained: int
    """Sessions that the ledger is of: all, or so many at even distances where there are more than ten thousand."""
    samples: tuple[Sample, ...]
    failures: tuple[str, ...]
    """Records of the source that could not be read; the first hundred."""
    notes: tuple[str, ...] = ()

    @property
    def problem(self) -> str | None:
        """Why it is not to be run as it is, and the choices; ``None`` when nothing stands in its way."""
        if self.keeps_times or self.times != "stop" or self.first is None:
            return None
        return no_times(self.target, self.first, keeps_properties=self.keeps_properties)

    def to_json(self) -> dict[str, Any]:
        """The plan as a JSON object."""
        return {
            "source": self.source,
            "target": self.target,
            "url": self.url,
            "since": _iso(self.since),
            "until": _iso(self.until),
            "sessions": self.held.sessions,
            "read": {
                "events": self.held.events,
                "conversations": self.held.conversations,
                "supplements": self.held.supplements,
                "failures": self.held.failures,
            },
            "units": self.units,
            "requests": self.requests,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 1),
            "rate": self.rate,
            "concurrency": self.concurrency,
            "first": _iso(self.first),
            "last": _iso(self.last),
            "undated": self.undated,
            "times": self.times,
            "idempotent_by": self.idempotent_by,
            "skipped": dict(self.skipped),
            "supplements": self.supplements,
            "supplements_left_out": dict(self.left_out),
            "too_large": {
                "count": self.too_large_count,
                "items": [
                    {"id": one.id, "session": one.session, "reason": one.reason}
                    for one in self.too_large
                ],
            },
            "cut": self.cut,
            "ledger": self.ledger.to_json(),
            "ledger_sessions": self.explained,
            "samples": [sample.to_json() for sample in self.samples],
            "failures": list(self.failures),
            "notes": list(self.notes),
            "problem": self.problem,
        }


def no_times(target: str, first: dt.datetime, *, keeps_properties: bool) -> str:
    """What there is to choose where a target cannot date anything in the past.

    Args:
        target: its title.
        first: when the oldest of it happened.
        keeps_properties: whether it has a place for properties.
    """
    properties = (
        f"writes each one's own times into its properties, as {PROPERTY}"
        if keeps_properties
        else f"does not help here: {target} has no place for properties"
    )
    return (
        f"{target} has no field for times: all of this, from {first:%Y-%m-%d} on, would appear there as if it happened "
        f'on the day on which it is sent. Choose the times: "drop" accepts that; "properties" {properties}; '
        "or leave it, and send it to a vendor that keeps times"
    )


def _iso(time: dt.datetime | None) -> str | None:
    return None if time is None else time.isoformat()
