"""Where the event log of a Tee is: in its directory; or in memory, until the directory can be used."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from pathlib import Path

from llmtee.delivery import Exporter
from llmtee.errors import EventLogError, NewerEventLog
from llmtee.eventlog import Retention, SqliteLog

logger = logging.getLogger("llmtee")

_LONGEST_WAIT = 60.0
"""Seconds between two tries to move, where the first ones failed: each interrupts delivery for a moment."""


class Home:
    """Opens the log, and knows the way from memory to the directory."""

    def __init__(
        self,
        directory: Path,
        exporters: Iterable[Exporter],
        *,
        bound: int,
        retention: Retention | None,
        fsync: bool,
    ) -> None:
        """Opens the log in the directory, or one in memory where that cannot be used, with a warning.

        Args:
            directory: as ``config.event_log_dir`` gives it.
            exporters: are registered in the log.
            bound: of the one in memory: how many events it keeps at most.
            retention: of the one on disk.
            fsync: whether `append` returns only when the record is on the disk itself.
        """
        self._directory = directory
        self._exporters = list(exporters)
        self._retention, self._fsync = retention, fsync
        self._wait, self._not_before = 1.0, 0.0
        self.is_away = False
        """Whether the log is in memory, and may still come to the directory."""
        try:
            self.log = self._open()
        except EventLogError as error:
            self.is_away = not isinstance(error, NewerEventLog)
            ends = (
                "Until it works"
                if self.is_away
                else "Until this process is started again with that mended"
            )
            logger.warning(
                "%s. %s, events are kept in memory only (at most %d) and are lost when this process ends; "
                "make the directory writable, or name another with Tee(dir=…) or LLMTEE_DIR",
                error,
                ends,
                bound,
            )
            self.log = SqliteLog(None, bound=bound, warn=logger.warning)
            self.register()

    def register(self) -> None:
        """Makes the exporters known to the log."""
        for exporter in self._exporters:
            self.log.register(exporter.subscription)

    def look(self) -> SqliteLog | None:
        """The log in the directory, opened, when that can be used by now; it is to be given to `move`."""
        if not self.is_away or time.monotonic() < self._not_before:
            return None
        try:
            return self._open()
        except NewerEventLog as error:
            self.is_away = False
            logger.warning("%s. Events stay in memory until this process is started again", error)
        except EventLogError:
            pass  # said when the log was opened; and nothing has changed since
        return None

    def move(self, found: SqliteLog) -> bool:
        """Moves what is in memory; returns whether that succeeded. Nobody may deliver from it meanwhile."""
        try:
            for exporter in self._exporters:
                self.log.recover(exporter.name, repeat=exporter.repeatable)
            moved = found.adopt(self.log)
        except EventLogError as error:
            found.close()
            self._not_before = time.monotonic() + self._wait
            self._wait = min(2 * self._wait, _LONGEST_WAIT)
            logger.warning("%s; events stay in memory for now", error)
            return False
        # The other is not closed, because another thread may read it just now; it goes when nobody holds it any more.
        self.log, self.is_away = found, False
        logger.warning(
            "the event log is in %s by now, and so are the %d events that were in memory only",
            found.place,
            moved,
        )
        return True

    def _open(self) -> SqliteLog:
        log = SqliteLog(
            self._directory, retention=self._retention, fsync=self._fsync, warn=logger.warning
        )
        try:
            for exporter in self._exporters:
                log.register(exporter.subscription)
        except EventLogError:
            log.close()
            raise
        return log
