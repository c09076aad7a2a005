"""What only the delivering process knows of each exporter, left in the event log for all others."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmtee.delivery.chain import Chain
from llmtee.delivery.report import ExporterStats, HostStats, PaceStats, Stats
from llmtee.errors import EventLogError
from llmtee.eventlog import Counts, EventLog, disk, leader

_WINDOW_SECONDS = 10.0
_TOLD = ("requests", "retries", "paused", "last_error", "last_error_at", "rate")
_NOTHING = ExporterStats(counts=Counts(), position=0)


class Meter:
    """How fast a counter grows, over the last ten seconds. Pure: time is passed in."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def see(self, now: float, count: int) -> float:
        """Takes a look at the counter; returns how much it grows in a second."""
        if self._seen and (now < self._seen[-1][0] or count < self._seen[-1][1]):
            self._seen.clear()  # the clock was put back, or something is delivered again
        self._seen.append((now, count))
        while len(self._seen) > 2 and now - self._seen[1][0] >= _WINDOW_SECONDS:
            self._seen.popleft()
        first, before = self._seen[0]
        return 0.0 if now <= first else round((count - before) / (now - first), 2)


class Notes:
    """Writes the notes, of what has changed since the last ones."""

    def __init__(self, log: EventLog, clock: Callable[[], float]) -> None:
        self._log, self._clock = log, clock
        self._meters: dict[str, Meter] = {}
        self._told: dict[str, dict[str, Any]] = {}
        self._before: dict[str, tuple[float, dict[str, Any]]] | None = None

    def tell(self, chains: Iterable[Chain]) -> None:
        """For now and then, while this process delivers.

        Args:
            chains: as they are now.

        Raises:
            EventLogError: the log cannot be read or written.
        """
        now = self._clock()
        if self._before is None:
            self._before = self._log.health()
        delivered = self._log.delivered()
        notes = {}
        for chain in chains:
            name = chain.exporter.name
            chain.rate = self._meters.setdefault(name, Meter()).see(now, delivered.get(name, 0))
            notes[name] = note_of(chain.add_to(_NOTHING), now)
            if notes[name]["last_error"] is None:  # the newest one is of a process before this one
                _, old = self._before.get(name, (0.0, {}))
                notes[name] |= {key: old.get(key) for key in ("last_error", "last_error_at")}
        changed = {name: note for name, note in notes.items() if note != self._told.get(name)}
        if changed and self._log.directory is not None:
            self._log.note_health(changed, now)
        self._told |= changed


def note_of(stats: ExporterStats, now: float) -> dict[str, Any]:
    """What is told of an exporter. Waits are told by their end, so that a note does not age while they last."""
    note = {name: getattr(stats, name) for name in _TOLD}
    if stats.pace is not None:
        note["pace"] = _until(dataclasses.asdict(stats.pace), "held", now)
    if stats.host is not None:
        note["host"] = _until(dataclasses.asdict(stats.host), "probe_in", now)
    return note


def _until(values: dict[str, Any], name: str, now: float) -> dict[str, Any]:
    return {**values, name: round(now + values[name], 1) if values[name] else 0.0}


def with_note(
    stats: ExporterStats, note: Mapping[str, Any], now: float, *, alive: bool
) -> ExporterStats:
    """``stats`` with what was told of it.

    Args:
        stats: what the log says.
        note: as `note_of` made it, perhaps by another version of llmtee.
        now: unix seconds.
        alive: whether the process that told it still delivers; otherwise how it was doing means nothing now.
    """
    told = {name: note[name] for name in _TOLD if name in note}
    if not alive:
        return replace(stats, **{**told, "rate": None})
    return replace(
        stats,
        **told,
        pace=_left(PaceStats, note.get("pace"), "held", now),
        host=_left(HostStats, note.get("host"), "probe_in", now),
    )


def _left(kind: type[Any], values: Mapping[str, Any] | None, name: str, now: float) -> Any:
    fields = {field.name for field in dataclasses.fields(kind)}
    if values is None or fields - values.keys():
        return None
    known = {key: value for key, value in values.items() if key in fields}
    return kind(**{**known, name: max(0.0, values[name] - now)})


def look(log: EventLog, now: float, exporters: Sequence[str] | None = None) -> Stats:
    """All that the log says to any process.

    Args:
        log: to look at.
        now: unix seconds.
        exporters: whose stats; by default all that were ever registered.

    Raises:
        EventLogError: the log cannot be read.
    """
    standings = log.standing(log.exporters() if exporters is None else exporters)
    try:
        who = None if log.directory is None else leader(log.directory)
        files = disk(log.directory)
    except OSError as error:
        raise EventLogError(f"event log in {log.directory}: {error}") from error
    notes = log.health()
    found = {}
    for name, standing in standings.exporters.items():
        since = standing.pending_since
        stats = ExporterStats(
            counts=standing.counts,
            position=standing.position,
            behind=standing.behind,
            lag=standing.counts.pending,
            lag_seconds=0.0 if since is None else max(0.0, now - since),
        )
        _, note = notes.get(name, (0.0, {}))
        found[name] = with_note(stats, note, now, alive=who is not None and who.alive)
    return Stats(
        exporters=found,
        directory=log.directory,
        delivering=False,
        at=now,
        leader=who,
        journal=standings.journal,
        disk=files,
        lost=standings.lost,
        discarded_states=log.discarded(),
    )
