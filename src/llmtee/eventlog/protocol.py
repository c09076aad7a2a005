"""What an event log is: the protocol that Tee and the delivery engine speak, and the plain values they exchange.

A record goes through three places: the *journal* (as it was logged), the *events* (decoded, stored once for all
exporters), and per exporter a *position* in the events and a table of unfinished *work*. Each method is one
transaction: a crash between any two of them repeats work, and never loses any.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

CANONICAL = "llmtee"
"""The format of what is stored as canonical JSON."""
SUPPLEMENT = "supplement"
"""The format of a supplement (see ``llmtee.model.supplement``): delivered by itself, also where conversations are."""
END = "end-of-session"
"""The format of the marker that closes the session of its payload."""

Outcome = Literal["delivered", "pending", "dead", "unknown", "skipped"]


@dataclass(frozen=True, slots=True)
class Record:
    """What was logged, as it was logged. Holds no credentials."""

    id: str
    format: str
    """Name of a registered format, or `END`."""
    payload: bytes
    """JSON."""
    recorded_at: float
    """Unix seconds."""
    live: bool = True
    """Whether it just happened; history keeps its missing times."""


class Place(NamedTuple):
    """Where in the journal's segments a record stands."""

    segment: str
    """Name of the file."""
    end: int
    """Where the next record begins."""
    torn: int = 0
    """Damaged records that were skipped just before it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One decoded event of a record, a record that cannot be decoded, or the end of a session."""

    id: str
    session: str
    """The event's own id where it names no session: it is a conversation of its own."""
    kind: Literal["event", "undecodable", "end"]
    format: str
    payload: bytes
    recorded_at: float
    error: str | None = None
    """Why it cannot be decoded."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """How an exporter consumes the log."""

    exporter: str
    grain: Literal["event", "conversation"]
    send_when: Literal["changed", "ended"] = "changed"
    quiet: float = 0.0
    """Seconds without a new event before a conversation is due."""
    patience: float | None = None
    """Seconds that a changing conversation may be held back at most."""
    ordered: bool = False
    """Whether an event waits until those before it in its session are settled, retries included."""
    replay: bool = False
    """Whether it begins with what the log still holds when it is new, instead of with what comes."""


@dataclass(frozen=True, slots=True)
class Work:
    """One unit of an exporter's work, claimed: an event, or a conversation (one segment of a session)."""

    key: str
    segment: int
    after_seq: int
    """Events up to here belong to earlier segments."""
    last_seq: int
    """The newest event it covers."""
    events: int
    """How many events of the log it covers, delivered ones included."""
    attempts: int
    first_at: float | None
    """Unix seconds of the first try."""

    @property
    def session(self) -> str | None:
        """The session, for a conversation."""
        kind, _, name = self.key.partition(":")
        return name if kind == "session" else None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What a vendor will never take, with the reason, the request and the answer. Holds no credentials."""

    exporter: str
    id: str
    """Of the event, or the name of the session."""
    segment: int
    at: float
    """Unix seconds."""
    reason: str
    request: dict[str, Any] | None = None
    """``method``, ``path`` and ``body``; ``None`` when it never came to a request."""
    answer: dict[str, Any] | None = None
    """``status`` and ``text``, or ``failure``."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one unit of work."""

    work: Work
    outcome: Outcome
    reason: str | None = None
    due_at: float | None = None
    """For ``pending``: not before this time."""
    attempts: int = 0
    first_at: float | None = None
    letter: DeadLetter | None = None
    vendor_id: str | None = None
    """For ``delivered``: the vendor's own id of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What a log on disk keeps, and how much. The policy when it is full: what is new is refused, aloud and counted.

    Events with which all exporters are finished are deleted by whole sessions, the oldest first: when they are older
    than ``keep_seconds``, and earlier where the room is needed. What is pending is never deleted.
    """

    keep_seconds: float = 7 * 24 * 3600.0
    """How long finished events stay, for exporters that are added later (``replay=True``) and for questions."""
    database_bytes: int = 4 * 2**30
    """Of events and work. When all of it is needed for what is pending, the journal begins to fill."""
    journal_bytes: int = 2**30
    """Of records that no process has taken into the database yet. Beyond it, new records wait in memory and are then
    refused."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of the recorded events stand where, at one exporter. Each event stands in exactly one place."""

    delivered: int = 0
    pending: int = 0
    open: int = 0
    """In conversations that are sent once, when they end, and have not ended."""
    dead: int = 0
    unknown: int = 0
    """The answer was lost, and the vendor cannot recognise a repetition."""
    skipped: int = 0
    """The vendor has no place for them, or the exporter's settings leave them out."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.delivered + self.pending + self.open + self.dead + self.unknown + self.skipped


class EventLog(Protocol):
    """The durable log. All methods may be called from any thread and raise ``EventLogError`` when the log fails."""

    directory: Path | None
    """``None``: in memory only, bounded, gone with the process."""

    @property
    def appended(self) -> int:
        """Records that this process has appended, ends of sessions left out."""

    def append(self, record: Record) -> None:
        """Adds a record to the journal; when this returns it survives the process. Wakes whoever delivers."""

    def try_again(self) -> None:
        """The next `append` tries to write even though the last one failed just now."""

    def journal(self, limit: int) -> list[tuple[int | Place, Record]]:
        """The oldest records that are not decoded yet, each with its place."""

    def absorb(self, places: Iterable[int | Place], entries: Sequence[Entry]) -> int:
        """Replaces records by what they decode to; returns how many entries were there already, by id."""

    def tidy(self, now: float) -> None:
        """Deletes what is not needed any more, a little at a time. For the process that delivers, now and then."""

    def register(self, subscription: Subscription) -> None:
        """Makes an exporter known. A new one starts at the end of the log, or as ``replay`` says at its beginning."""

    def recover(self, exporter: str, *, repeat: bool) -> int:
        """Takes back what a crash left claimed.

        What had been sent without an answer is repeated, or else counted as unknown. Returns how many of those.
        """

    def take(self, subscription: Subscription, limit: int) -> int:
        """Moves the exporter's position over at most ``limit`` entries, turning them into work; returns how many."""

    def hasten(self, subscription: Subscription) -> None:
        """Makes changed conversations due at once, unless a retry has to wait."""

    def behind(self, exporter: str) -> bool:
        """Whether there are entries that the exporter has not taken."""

    def claim(self, subscription: Subscription, now: float, limit: int) -> list[Work]:
        """At most ``limit`` units that are due, oldest first. They are claimed until released or settled."""

    def entries(self, work: Work, *, before: bool = False) -> list[Entry]:
        """The events that ``work`` covers; with ``before`` those of the session's earlier segments instead."""

    def event(self, event_id: str) -> Entry | None:
        """The event of that id, as far as it was decoded and is kept."""

    def newest(self, session: str, before: int) -> str | None:
        """The id of the newest event of a session that was taken in before the ``before``-th."""

    def sending(self, exporter: str, works: Iterable[Work]) -> None:
        """Notes that a request with these leaves now."""

    def release(self, exporter: str, works: Iterable[Work]) -> None:
        """Gives claimed work back untouched."""

    def settle(self, exporter: str, settlements: Iterable[Settlement]) -> None:
        """Stores what became of claimed work."""

    def next_due(self, exporter: str, after: float) -> float | None:
        """When the next unit is due that was not due at ``after``, as far as there is one."""

    def unfinished(self, exporter: str) -> bool:
        """Whether there is work that is neither settled nor open."""

    def counts(self, exporter: str) -> Counts:
        """How many events stand where."""

    def position(self, exporter: str) -> int:
        """The newest entry that the exporter has taken; 0 at the start."""

    def recorded(self, exporter: str) -> int:
        """How many events were recorded since the exporter was registered, waiting records included."""

    def outcome(self, exporter: str, event_id: str) -> str | None:
        """Where one event stands, in the words of `Counts`; ``None`` if it is not in the log."""

    def vendor_id(self, exporter: str, event_id: str) -> str | None:
        """The vendor's own id of what holds an event, as far as its answer named one."""

    def lost(self) -> dict[str, int]:
        """What the log has lost since it was made, by cause."""

    def dead_letters(self, exporter: str | None = None) -> list[DeadLetter]:
        """The dead letters of one exporter, or of all, oldest first."""

    def close(self) -> None:
        """Closes the log. Closing twice is fine."""

    def after_fork(self) -> None:
        """Called in a forked child: lets go of the parent's connection, which must not be used, nor closed."""
