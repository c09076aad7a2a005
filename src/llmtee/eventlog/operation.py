"""The plain values that those exchange with the log who operate it: what to mend or replay, and where an event stands."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which dead letters, or items of unknown outcome. By default all dead letters."""

    state: Literal["dead", "unknown"] = "dead"
    exporter: str | None = None
    ids: Collection[str] | None = None
    """Of events, or names of sessions; ``None`` for all."""
    reason: str | None = None
    """A part of the reason; capitals do not matter."""
    since: float | None = None
    """Unix seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """What became of the selected items."""

    changed: int = 0
    """Items that are pending again, or dropped."""
    unreadable: tuple[str, ...] = ()
    """Ids of records that cannot be read, which does not change by trying again."""
    gone: tuple[str, ...] = ()
    """Ids of what the log does not hold any more, because it was finished with and old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Events by the time when they were recorded."""

    start: float
    """Unix seconds."""
    end: float | None = None
    """Unix seconds, left out itself; ``None`` for no end."""
    session: str | None = None
    """Only those of one session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What an exporter gets once more, or at last."""

    again: int = 0
    """Events that were delivered, and are pending again."""
    added: int = 0
    """Events from before the exporter was added, which are pending now."""
    conversations: int = 0
    """Conversations that they belong to, for a vendor that takes conversations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where one event stands at one exporter."""

    outcome: str | None
    """In the words of `Counts`; ``None``: it was recorded before the exporter was added."""
    vendor_id: str | None = None
    """The vendor's own id of what holds it, as far as its answer named one."""
    reason: str | None = None
    """Why it is not delivered, as far as that is known."""
    attempts: int = 0
    """Tries so far, of what is pending."""
    due_at: float | None = None
    """Unix seconds before which it is not tried; 0: as soon as possible."""
    segment: int | None = None
    """Which part of its session, for a vendor that takes conversations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Where one event stands."""

    id: str
    session: str | None
    """``None`` while it waits in the journal."""
    recorded_at: float | None
    """Unix seconds; likewise."""
    exporters: Mapping[str, Location]
    """By the exporter's name; all that the log knows."""

    def to_json(self) -> dict[str, Any]:
        """It as a JSON object."""
        return asdict(self)
