"""Sends what is staged, through the engine that delivers live traffic; stops anywhere and goes on from there.

The directory holds an event log of its own. Units are put into it a thousand at a time, and the next thousand when most
of those are settled, so it stays small whatever the history; how far that is stands in the staging. An event log knows
its entries by id, so what is put in again after a crash is not sent again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from llmtee.delivery import Exporter, Tuning
from llmtee.delivery.claim import in_batches
from llmtee.eventlog import CANONICAL, SUPPLEMENT, WHOLE, Counts, Entry, Retention, SqliteLog
from llmtee.migrate.counting import supplements_of
from llmtee.migrate.fitting import Times, fitted
from llmtee.migrate.staging import Cursor, Staging
from llmtee.model import Conversation, Item, Supplement, SupplementBase
from llmtee.tee import Tee

LOG = "log"
"""The event log, in the directory of the migration."""
_UNITS = 1000
_LOOK_SECONDS = 0.25
_DAYS = 24 * 3600.0
_RETENTION = Retention(keep_seconds=365 * _DAYS)
"""Dead letters are kept with what they are about, for as long as anybody may want to mend them."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far sending is, at one look."""

    total: int | None
    """Units in all, where a plan has counted them."""
    counts: Counts
    """Of those that were put into the event log."""
    rate: float | None
    """Units a second, lately."""
    trouble: str | None
    """The last error, while there is something pending."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the units."""

    counts: Counts
    complete: bool
    """Whether all were put into the event log, and none is pending."""
    requests: int
    """Of this run."""
    retries: int
    refused: str | None
    """Why the target refuses everything, such as for a wrong key; what was not sent is kept."""
    letters: tuple[tuple[str, str], ...]
    """Ids of units that the target does not take, with the reasons."""


def send(
    staging: Staging,
    directory: Path,
    exporter: Exporter,
    *,
    times: Times,
    total: int | None,
    progress: Callable[[Progress], None],
    grace: float,
    tuning: Tuning | None,
) -> Sent:
    """Puts everything into the event log, a part at a time, and waits until it is settled.

    Args:
        staging: all of it was read.
        directory: of the migration.
        exporter: the target.
        times: as the user chose.
        total: units in all, for the progress.
        progress: is told now and then.
        grace: seconds for what is under way, when a Ctrl-C ends it.
        tuning: of delivery.
    """
    most = in_batches(_UNITS, exporter.max_items)
    log = SqliteLog(directory / LOG, retention=_RETENTION)
    try:
        log.register(exporter.subscription)
        with_tee = Tee(
            [exporter.settings], dir=directory / LOG, retention=_RETENTION, tuning=tuning
        )
        sending = _Sending(with_tee, exporter, total, progress)
        try:
            parts = _parts(staging, exporter, times, most)
            for batch, cursor in parts:
                if batch:
                    log.absorb((), batch)
                staging.advance(cursor)
                # The next part joins what is left of this one. Supplements wait until all they may be about is there.
                if not sending.wait(0 if cursor.part == "supplements" else most // 2):
                    break
            sending.wait(0)
            return sending.result(done=staging.cursor.part == "done")
        except KeyboardInterrupt:
            with_tee.close(timeout=grace)
            raise
        finally:
            with_tee.close(timeout=0)
    finally:
        log.close()


def _parts(
    staging: Staging, exporter: Exporter, times: Times, most: int
) -> Iterator[tuple[list[Entry], Cursor]]:
    """What is still to be put into the event log, in parts, each with where the next begins."""
    cursor = staging.cursor
    if cursor.part == "items":
        units = _units(staging, exporter, times, cursor)
        while batch := list(islice(units, most)):
            yield [entry for entry, _ in batch], batch[-1][1]
        cursor = Cursor("supplements", 0)
        yield [], cursor
    if cursor.part == "supplements":
        found = _supplements(staging, exporter, cursor.place)
        while batch := list(islice(found, most)):
            yield [entry for entry, _ in batch], batch[-1][1]
        yield [], Cursor("done")


def _units(
    staging: Staging, exporter: Exporter, times: Times, cursor: Cursor
) -> Iterator[tuple[Entry, Cursor]]:
    skip = cursor.unit
    for place, items in staging.queued(cursor.place):
        for number, unit in enumerate(fitted(items, exporter.vendor.grain, times), 1):
            if number > skip:
                yield entry_of(unit, time.time()), Cursor("items", place, number)
        skip = 0


def _supplements(
    staging: Staging, exporter: Exporter, after: int
) -> Iterator[tuple[Entry, Cursor]]:
    for number, found in supplements_of(staging, exporter, after):
        if not isinstance(found, str):
            yield entry_of(found, time.time()), Cursor("supplements", number)


def entry_of(unit: Item | Supplement, now: float) -> Entry:
    """A unit as the event log holds it."""
    if isinstance(unit, SupplementBase):
        session, form = unit.order, SUPPLEMENT
    elif isinstance(unit, Conversation):
        # Not the session's own name: it is no event of a session that is still to be assembled.
        session, form = f"{WHOLE}:{unit.id}", WHOLE
    else:
        session, form = unit.session or unit.id, CANONICAL
    return Entry(unit.id, session, "event", form, unit.to_json_text(), now)


class _Sending:
    """Watches a Tee deliver."""

    def __init__(
        self, tee: Tee, exporter: Exporter, total: int | None, progress: Callable[[Progress], None]
    ) -> None:
        self._tee, self._name, self._total = tee, exporter.name, total
        self._progress = progress
        self._refused: str | None = None
        self._worked = False
        """Whether this process delivered anything; else what it says of requests is an earlier one's."""

    def wait(self, left: int) -> bool:
        """Waits until no more than so many units are pending; false when it is of no use to wait."""
        while True:
            report = self._tee.flush(timeout=_LOOK_SECONDS)
            seen = self._tee.stats()
            self._worked |= seen.delivering
            stats = seen[self._name]
            pending = stats.counts.pending
            trouble = stats.last_error if pending else None
            self._progress(Progress(self._total, stats.counts, stats.rate, trouble))
            if report or pending <= left:
                return True
            if stats.paused:
                self._refused = stats.last_error or "the target refuses the key"
                return False

    def result(self, *, done: bool) -> Sent:
        """Where everything stands now."""
        stats = self._tee.stats()[self._name]
        letters = [*self._tee.dead_letters(), *self._tee.dead_letters(state="unknown")]
        return Sent(
            counts=replace(stats.counts),
            complete=done and not stats.counts.pending,
            requests=stats.requests if self._worked else 0,
            retries=stats.retries if self._worked else 0,
            refused=self._refused,
            letters=tuple((letter.id, letter.reason) for letter in letters[:1000]),
        )
