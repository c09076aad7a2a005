"""What an event log is: the protocol that Tee and the delivery engine speak, and the plain values they exchange.

A record goes through three places: the *journal* (as it was logged), the *events* (decoded, stored once for all
exporters), and per exporter a *position* in the events and a table of unfinished *work*. Each method is one
transaction: a crash between any two of them repeats work, and never loses any.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from llmtee.eventlog.operation import Located, Mended, Period, Replayed, Selection
from llmtee.model import Event

CANONICAL = "llmtee"
"""The format of what is stored as canonical JSON."""
SUPPLEMENT = "supplement"
"""The format of a supplement (see ``llmtee.model.supplement``): delivered by itself, also where conversations are."""
WHOLE = "conversation"
"""The format of a conversation that is complete, such as history: where conversations are delivered, it is by itself,
at once and as it stands. Vendors of the event grain skip it."""
ALONE = frozenset({SUPPLEMENT, WHOLE})
"""The formats of entries that are work by themselves also where conversations are delivered."""
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
    event: Event | None = field(default=None, compare=False, repr=False)
    """What ``payload`` says, where it was decoded just now. Not stored."""


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


class Mark(NamedTuple):
    """Up to which event a session is known, and of which log."""

    log: bytes
    """Of the database: one that is begun anew has another, and other numbers."""
    seq: int


@dataclass(frozen=True, slots=True)
class State:
    """What was assembled of a session up to some event. The log does not look into it."""

    session: str
    mark: Mark
    content: bytes


@dataclass(frozen=True, slots=True)
class Story:
    """What is needed to have a session up to some event."""

    mark: Mark
    """How far it goes."""
    entries: list[Entry]
    """The events after what was known, or else after ``state``, or else all."""
    state: State | None = None
    goes_on: bool = False
    """Whether it goes on where the session was known; if not, what was known must be dropped."""


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
    state: State | None = field(default=None, compare=False, repr=False)
    """How far its session was assembled, to be stored when it is settled."""

    @property
    def id(self) -> str:
        """Of the event, or the name of the session."""
        return self.key.partition(":")[2]

    @property
    def session(self) -> str | None:
        """The session, for a conversation."""
        return self.id if self.key.startswith("session:") else None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What a vendor will never take, with the reason, the request and the answer. Holds no credentials.

    Likewise what perhaps arrived: its answer was lost, and nobody decided yet.
    """

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
    state: Literal["dead", "unknown"] = "dead"

    def to_json(self) -> dict[str, Any]:
        """The letter as a JSON object."""
        return asdict(self)


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
    dated_at: float | None = None
    """When ``due_at`` was set: a clock that shows less was put back since."""


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
    dropped: int = 0
    """Dead or unknown ones that somebody gave up by hand."""

    @property
    def total(self) -> int:
        """All of them."""
        given_up = self.skipped + self.dropped
        return self.delivered + self.pending + self.open + self.dead + self.unknown + given_up


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one exporter stands in the log."""

    counts: Counts
    """How many events stand where."""
    position: int
    """The newest entry that it has taken; 0 at the start."""
    behind: int
    """Events that are recorded and that it has not taken into work, those in the journal included. A part of
    ``counts.pending``."""
    pending_since: float | None
    """When the oldest pending event was recorded, in unix seconds; ``None`` when nothing is pending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standings:
    """All that the log says about its exporters at one moment."""

    exporters: Mapping[str, Standing]
    """By the exporter's name."""
    lost: Mapping[str, int]
    """What the log has lost since it was made, by cause."""
    journal: int = 0
    """Events that stand in the journal and are not decoded yet."""


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

    def look(self) -> None:
        """Notices that the directory, or a file in it, was deleted, and makes it anew with what this process still has.

        To be called now and then, by every process.
        """

    def journal(self, limit: int) -> list[tuple[int | Place, Record]]:
        """The oldest records that are not decoded yet, each with its place."""

    def absorb(self, places: Iterable[int | Place], entries: Sequence[Entry]) -> int:
        """Replaces records by what they decode to; returns how many entries were there already, by id."""

    def tidy(self, now: float) -> None:
        """Deletes what is not needed any more, a little at a time. For the process that delivers, now and then."""

    def vacuum(self) -> None:
        """Makes the file as small as it can be. Takes a while, and as much room again, when it is large."""

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

    def redate(self, exporter: str, now: float) -> None:
        """What was dated later than ``now``, by a clock that was put back since, waits anew. `claim` does so too."""

    def entry(self, work: Work) -> Entry:
        """The event of a unit of work that is one."""

    def story(self, session: str, upto: int, known: Mark | None = None) -> Story:
        """What is needed to have a session as far as ``upto``, from where it is ``known`` or its newest state is."""

    def discard(self, state: State) -> None:
        """Deletes a state that cannot be read, and counts it."""

    def discarded(self) -> int:
        """How many states could not be read since the log was made."""

    def event(self, event_id: str) -> Entry | None:
        """The event of that id, as far as it was decoded and is kept."""

    def newest(self, session: str, before: int) -> str | None:
        """The id of the newest event of a session that was taken in before the ``before``-th."""

    def sending(self, exporter: str, works: Iterable[Work]) -> None:
        """Notes that a request with these leaves now."""

    def release(self, exporter: str, works: Iterable[Work]) -> None:
        """Gives claimed work back untouched."""

    def settle(self, exporter: str, settlements: Iterable[Settlement]) -> None:
        """Stores what became of claimed work, and in the same step the states that came of it."""

    def next_due(self, exporter: str, after: float) -> float | None:
        """When the next unit is due that was not due at ``after``, as far as there is one."""

    def unfinished(self, exporter: str) -> bool:
        """Whether there is work that is neither settled nor open."""

    def standing(self, exporters: Iterable[str]) -> Standings:
        """Where each of these exporters stands: counts, position, lag and losses, all of the same moment.

        Read in one snapshot, so that the numbers fit together whatever other threads and processes do meanwhile. For
        an exporter that nobody registered, all is 0 but what waits in the journal.
        """

    def counts(self, exporter: str) -> Counts:
        """How many events stand where, at one exporter; see `standing` for all that belongs together."""

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

    # -- for those who operate it -----------------------------------------------------------------

    def letters(self, selection: Selection, *, whole: bool = True) -> list[DeadLetter]:
        """The selected letters, oldest first; with ``whole`` false without requests and answers."""

    def letter_entries(self, letter: DeadLetter) -> list[Entry]:
        """The events that a letter is about, as far as the log still holds them."""

    def retry(self, selection: Selection) -> Mended:
        """Makes the selected items pending again, as if they had never been tried. Wakes whoever delivers."""

    def drop(self, selection: Selection) -> Mended:
        """Gives the selected items up for good; they count as dropped."""

    def replay(
        self, subscription: Subscription, period: Period, *, dry_run: bool = False
    ) -> Replayed:
        """Makes events of a time pending again that were delivered, for conversations all of each. Wakes whoever delivers.

        The exporter gets events of before it was added too; one that is new to the log is added.
        """

    def locate(self, event_id: str) -> Located | None:
        """Where an event stands at each exporter; ``None`` if it is not in the log."""

    def exporters(self) -> list[str]:
        """The names of all exporters that were ever registered, sorted."""

    def note_health(self, notes: Mapping[str, Mapping[str, Any]], now: float) -> None:
        """Stores what the delivering process tells of exporters, by their names."""

    def health(self) -> dict[str, tuple[float, dict[str, Any]]]:
        """What was told last, with the time in unix seconds, by the exporter's name."""

    def delivered(self) -> dict[str, int]:
        """How many events each exporter has delivered since it was added. Cheap: for looks in short intervals."""

    def touched(self) -> bool:
        """Whether another process, or another ``EventLog``, has changed the database since the last call."""

    def close(self) -> None:
        """Closes the log, even when it raises ``EventLogError``. Closing twice is fine."""

    def leave(self) -> None:
        """While the process exits: closes the log, but for `append` where it is on disk."""

    def before_fork(self, seconds: float) -> bool:
        """Lets no thread begin a step, when none runs within so many seconds; returns whether that is so."""

    def after_fork_in_parent(self) -> None:
        """Goes on, when `before_fork` returned true. To be called by the same thread."""

    def after_fork(self) -> None:
        """Called in a forked child: lets go of the parent's connection, which must not be used, nor closed."""
