"""What travels through the stages: a unit of work in the vendor's shape, and a request with some of them in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmtee.eventlog import Work
from llmtee.spec import Request, WireItem


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
        """Bytes of the body, not compressed."""
        return len(self.request.content)


def halves(parcels: Sequence[Parcel]) -> list[tuple[Parcel, ...]]:
    """Two halves, in order; of one parcel, itself."""
    middle = len(parcels) // 2
    return [half for half in (tuple(parcels[:middle]), tuple(parcels[middle:])) if half]
