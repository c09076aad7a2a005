"""The way into the event log, for the threads of the application: nothing raised, nothing lost in silence."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from llmtee.errors import EventLogError
from llmtee.eventlog import END, EventLog, Record

logger = logging.getLogger("llmtee")


class Inbox:
    """Appends records to the event log, and holds them in memory while the log cannot take them."""

    def __init__(self, log: EventLog, bound: int) -> None:
        """``bound`` is how many records are held at most."""
        self.refused = 0
        """Records that neither the log nor memory had room for."""
        self._log = log
        self._appended_before = 0
        self._is_moving = False
        self._bound = bound
        self._held: deque[Record] = deque()
        self._moving = False
        self._lock = threading.RLock()

    @property
    def held(self) -> int:
        """Records that wait for the log, ends of sessions left out."""
        return sum(record.format != END for record in tuple(self._held))

    @property
    def recorded(self) -> int:
        """Records taken, refused ones included and ends of sessions left out."""
        return self._appended_before + self._log.appended + self.held + self.refused

    def put(self, record: Record) -> None:
        """Takes a record."""
        if self._held:
            self._move()
        try:
            if not self._held:
                self._log.append(record)
                return
            reason = "earlier records wait"
        except EventLogError as error:
            reason = str(error)
        self._hold(record, reason)

    def retry(self) -> None:
        """Appends what is held, as far as the log takes it."""
        if self._held:
            self._log.try_again()
            self._move()

    @contextmanager
    def moving(self) -> Iterator[None]:
        """While the log moves from memory to the disk: what neither of them takes just now is held."""
        self._is_moving = True
        try:
            yield
        finally:
            self._is_moving = False

    def switch(self, log: EventLog) -> None:
        """From now on records go into ``log``."""
        with self._lock:
            self._appended_before += self._log.appended
            self._log = log

    def give_up(self) -> None:
        """At the end: what is still held has nowhere to go, and is lost."""
        with self._lock:
            lost = self.held
            self._held.clear()
            self.refused += lost
        if lost:
            logger.error("%d records were held in memory only, and are lost", lost)

    def after_fork(self) -> None:
        """In a forked child: what the parent holds is the parent's."""
        self._lock = threading.RLock()
        self._moving = False
        self._is_moving = False
        self._held.clear()
        self.refused = self._appended_before = 0

    def _move(self) -> None:
        with self._lock:
            if self._moving:
                return  # a signal handler that records: whoever it interrupted goes on with it
            self._moving = True
            try:
                while self._held:
                    self._log.append(self._held[0])
                    self._held.popleft()
            except EventLogError:
                return  # said when the first one had to be held
            finally:
                self._moving = False
            if not self._is_moving:
                logger.warning("the event log takes records again")

    def _hold(self, record: Record, reason: str) -> None:
        with self._lock:
            # A log in memory that is full has no memory to spare either.
            has_room = self._log.directory is not None or self._is_moving
            if has_room and len(self._held) < self._bound:
                if not self._held and not self._is_moving:
                    logger.warning("%s; records are held in memory until it works", reason)
                self._held.append(record)
                return
            self.refused += record.format != END
            if self.refused & (self.refused - 1) == 0:  # at 1, 2, 4, 8, …
                logger.error("%s; %d records lost so far", reason, self.refused)
