"""The part of a Tee for people: looking into the event log, and mending what stands there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Literal

from llmtee.errors import UnknownName
from llmtee.eventlog import DeadLetter, Located, Mended, Period, Replayed, Selection
from llmtee.tee._running import Running


class Operating(Running):
    """Finds what became of events, and makes them pending again."""

    def dead_letters(
        self, exporter: str | None = None, *, state: Literal["dead", "unknown"] = "dead"
    ) -> list[DeadLetter]:
        """What will never arrive at an exporter (or at any), with reason, request and answer, oldest first.

        Args:
            exporter: whose; by default those of all.
            state: ``unknown`` for what perhaps arrived, because the answer was lost.
        """
        return self._log.letters(Selection(exporter=exporter, state=state))

    def retry_dead(
        self,
        ids: Iterable[str] | None = None,
        *,
        exporter: str | None = None,
        state: Literal["dead", "unknown"] = "dead",
    ) -> Mended:
        """Makes dead letters pending again, as if they had never been tried; say, after a setting was mended.

        Args:
            ids: of the letters; by default all.
            exporter: whose; by default those of all.
            state: ``unknown`` to send again what perhaps arrived; where the vendor does not recognise a repetition, it
                may hold it twice then.

        Returns:
            How many; and what cannot be tried again: unreadable records, and what the log does not hold any more.

        Raises:
            EventLogError: the event log cannot be written.
        """
        mended = self._log.retry(_selection(ids, exporter, state))
        if self._engine is not None:
            self._engine.wake()
        return mended

    def drop_dead(
        self,
        ids: Iterable[str] | None,
        *,
        exporter: str | None = None,
        state: Literal["dead", "unknown"] = "dead",
    ) -> Mended:
        """Gives dead letters up for good: they count as ``dropped`` from now on.

        A conversation that goes on is sent all the same, whole, after its next event.

        Args:
            ids: of the letters; ``None`` for all, which has to be said.
            exporter: whose; by default those of all.
            state: ``unknown`` for what perhaps arrived.

        Raises:
            EventLogError: the event log cannot be written.
        """
        return self._log.drop(_selection(ids, exporter, state))

    def replay(
        self,
        exporter: str,
        start: dt.datetime,
        end: dt.datetime | None = None,
        *,
        session: str | None = None,
        dry_run: bool = False,
    ) -> Replayed:
        """Makes events pending again that an exporter has delivered, and those of before it was added.

        Conversations go whole. What is dead or unknown there is left alone: see `retry_dead`. A vendor that does not
        recognise a repetition (``llmtee vendors show``) holds them twice then.

        Args:
            exporter: its name; one of this Tee's.
            start: events that were recorded since then.
            end: and before that; by default no end.
            session: only those of one session.
            dry_run: whether to say only how many there are.

        Raises:
            UsageError: this Tee has no such exporter.
            EventLogError: the event log cannot be written.
        """
        found = {one.name: one.subscription for one in self._exporters}
        if exporter not in found:
            raise UnknownName("exporter", exporter, found)
        period = Period(
            start=start.timestamp(), end=None if end is None else end.timestamp(), session=session
        )
        replayed = self._log.replay(found[exporter], period, dry_run=dry_run)
        if self._engine is not None:
            self._engine.wake()
        return replayed

    def locate(self, event_id: str) -> Located | None:
        """Where one event stands at each exporter, with the vendor's own id; ``None`` if it is not in the log.

        Raises:
            EventLogError: the event log cannot be read.
        """
        return self._log.locate(event_id)

    def vacuum(self) -> None:
        """Makes the file of the event log as small as it can be, after much was forgotten.

        Delivery waits meanwhile, a second of the processor for some 100 MB, and the disk needs as much room again. What
        ``retention`` lets go gives its room back by itself, so that this is seldom needed. A log in memory is left as
        it is.

        Raises:
            EventLogError: the log is closed, there is no room, or another process is busy with it.
        """
        self._log.vacuum()


def _selection(
    ids: Iterable[str] | None, exporter: str | None, state: Literal["dead", "unknown"]
) -> Selection:
    found = None if ids is None else frozenset([ids] if isinstance(ids, str) else ids)
    return Selection(ids=found, exporter=exporter, state=state)
