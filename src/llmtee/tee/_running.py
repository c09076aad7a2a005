"""The half of a Tee that delivers: the event log, the engine, and their life in somebody's process."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from llmtee.delivery import Engine, Exporter, Hooks, Stats, Tuning, look
from llmtee.delivery.health import Limited
from llmtee.delivery.transport import load_transport
from llmtee.errors import EventLogError
from llmtee.eventlog import EventLog, SqliteLog, Standings, ring
from llmtee.eventlog.sharing import HURRY
from llmtee.tee import _life
from llmtee.tee._guard import Guard
from llmtee.tee._home import Home
from llmtee.tee._inbox import Inbox

logger = logging.getLogger("llmtee")

_POLL_SECONDS = 0.05
_MOVE_SECONDS = 5.0
"""For requests under way when the log moves from memory to the disk."""
_GRACE_SHARE = 0.2
"""Of the time that `close` has, for requests that are still under way when the flush gave up."""
_HANDOVER_SECONDS = 1.0
"""For requests that are under way when a newer Tee of the same process takes over."""
_END_SHARE = 0.05
"""Of the time that the hook at exit has, for the end of the thread itself."""


class Running:
    """Has an event log, and an engine from the first record on."""

    def __init__(
        self,
        home: Home,
        exporters: Sequence[Exporter],
        guard: Guard,
        tuning: Tuning,
        *,
        deliver: bool,
        memory_events: int,
        exit_timeout: float,
        strict: bool | None,
        hooks: Hooks,
    ) -> None:
        """As `Tee` takes them; nothing is started."""
        self._home, self._guard, self._exporters = home, guard, exporters
        self._tuning, self._clock, self._strict = tuning, tuning.clock, strict
        self._may_deliver, self._hooks = deliver, hooks
        self.exit_timeout = exit_timeout
        """Seconds that the hook at exit may take."""
        self._log: EventLog = home.log
        self._inbox = Inbox(self._log, memory_events)
        self._engine: Engine | None = None
        self._engine_before: Engine | None = None
        """Stopped when the log moved, until the next one goes on from it."""
        self._starting, self._closing = threading.RLock(), threading.RLock()
        """Held by whoever starts an engine; by whoever closes, or moves the log from memory to the disk."""
        self._ended = self._hasty = self._left = self._inherited = False
        """No engine is started any more; nobody waits any more; the hook at exit has run; this is a forked child."""
        self._final: Stats | EventLogError | None = None
        """Once it is closed: how it stood then, or why that is not known."""
        self._bugs = self._refused = 0
        self._bug_lines = Limited()
        if self._delivers:
            for exporter in exporters:
                load_transport(exporter)
        _life.add(self)

    def _wrong(self, text: str) -> None:
        logger.error("%s", text)

    def _failed(self, error: Exception) -> None:
        self._bugs += 1
        if self._bug_lines.may(self._clock()):
            logger.error(
                "a bug in llmtee: an event may not have been recorded (%d so far)",
                self._bugs,
                exc_info=error,
            )
        if self._is_strict():
            raise error

    def _is_strict(self) -> bool:
        return "PYTEST_CURRENT_TEST" in os.environ if self._strict is None else self._strict

    def _raise_bug(self) -> None:
        """In strict mode, raises the first exception that was our own fault, once."""
        if self._engine is not None and self._engine.bugs and self._is_strict():
            raise self._engine.bugs.pop(0)

    # ── delivery ────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _delivers(self) -> bool:
        """Whether this process may deliver. From memory, no other could."""
        return self._may_deliver or self._log.directory is None

    def _running(self) -> Engine | None:
        """The engine, started when it was not; ``None`` where it must not, and while the interpreter exits."""
        if self._engine is None and self._delivers:
            with self._starting:
                if self._engine is None and not self._ended:
                    engine = self._new_engine()
                    _life.begins(self)
                    try:
                        engine.start()
                    except RuntimeError:
                        engine.abandon()
                        return None
                    self._engine, self._engine_before = engine, None
        return self._engine

    def _new_engine(self) -> Engine:
        engine = Engine(
            self._log,
            self._exporters,
            self._tuning,
            before_look=self._look_around,
            hooks=self._hooks,
        )
        if self._engine_before is not None:
            engine.go_on_from(self._engine_before)
        return engine

    def _drain(self, deadline: float, given_up: threading.Event | None = None) -> None:
        self._inbox.retry()
        if self._engine is None and not self._is_pending():
            return
        engine = self._running()
        if engine is None and self._log.directory is not None:
            ring(self._log.directory, HURRY)
        elif engine is None or engine.drain(deadline - time.monotonic(), given_up):
            return
        # Another process delivers: what it does is seen in the event log, unless it ends and this one takes over.
        # Or the log moves just now.
        while (left := deadline - time.monotonic()) > 0 and self._is_pending():
            if given_up is not None and given_up.is_set():
                return
            engine = self._engine
            if engine is not None and engine.leading and engine.drain(left, given_up):
                return
            time.sleep(_POLL_SECONDS)

    def _is_pending(self) -> bool:
        try:
            return any(one.counts.pending for one in self._standings().exporters.values())
        except EventLogError:
            if self._final is None:  # else somebody has closed it in the middle of this
                raise
            return False

    def _standings(self) -> Standings:
        return self._log.standing(exporter.name for exporter in self._exporters)

    def _stats(self) -> Stats:
        # While the log moves, the engine that was stopped is the one that knows.
        with self._starting:
            engine = self._engine or self._engine_before
        chains = (
            {}
            if engine is None or not engine.led
            else {chain.exporter.name: chain for chain in engine.chains}
        )
        held = self._inbox.held
        seen = look(self._log, self._clock(), [exporter.name for exporter in self._exporters])
        exporters = {}
        for name, stored in seen.exporters.items():
            # What waits in memory for the disk is pending too.
            pending = stored.counts.pending + held
            stats = replace(stored, counts=replace(stored.counts, pending=pending), lag=pending)
            exporters[name] = chains[name].add_to(stats) if name in chains else stats
        return replace(
            seen,
            exporters=exporters,
            delivering=engine is not None and engine.leading,
            recorded=self._inbox.recorded,
            held=held,
            refused=self._refused + self._inbox.refused,
            redaction_failures=self._guard.complaints.count
            + sum(exporter.complaints.count for exporter in self._exporters),
            duplicates=0 if engine is None else engine.duplicates,
            bugs=self._bugs + (0 if engine is None else len(engine.bugs)),
            hook_failures=self._hooks.failures,
            hook_drops=self._hooks.dropped,
        )

    # ── from memory to the disk ─────────────────────────────────────────────────────────────────────────────────

    def _look_around(self) -> None:
        """Now and then, in the engine's thread: does the disk take what it did not take before?"""
        self._inbox.retry()
        if self._home.is_away and (found := self._home.look()) is not None:
            # Not in this thread, which has to end for it.
            mover = threading.Thread(target=self._come_home, args=(found,), name="llmtee-move")
            try:
                mover.start()
            except RuntimeError:  # the interpreter exits; closing will look once more
                found.close()

    def _come_home(self, found: SqliteLog) -> None:
        """Moves the log from memory to the disk. Delivery stands still meanwhile; recording goes on."""
        with self._closing:
            if self._ended or not self._home.is_away:
                found.close()
                return
            before = self._engine
            if before is not None:
                before.stop(_MOVE_SECONDS)
            self._move(found)
            with self._starting:
                self._engine_before, self._engine = before, None
            if self._running() is None and before is not None:
                with self._starting:
                    self._bugs += len(before.bugs)
                    self._engine_before = None

    def _move(self, found: SqliteLog) -> None:
        with self._inbox.moving():
            if self._home.move(found):
                self._inbox.switch(self._home.log)
                self._log = self._home.log
        self._inbox.retry()

    # ── its end ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _close(self, timeout: float = 5.0, given_up: threading.Event | None = None) -> None:
        """Closes whatever happens; what went wrong with the log is told by `stats`, and at once in the log lines."""
        end = time.monotonic() + timeout
        # Two threads may close it. A signal handler may too, in the middle of this: then the rest here finds it closed.
        if self._closing.acquire(timeout=max(0.0, timeout)):
            try:
                self._close_by(end, timeout, given_up)
            except BaseException as error:
                # A Ctrl-C: who waited here will not wait once more.
                self._hasty = self._hasty or not isinstance(error, Exception)
                raise
            finally:
                self._closing.release()

    def _close_by(self, end: float, timeout: float, given_up: threading.Event | None) -> None:
        if self._final is None and not self._hasty:
            try:
                if self._delivers:
                    self._drain(end - _GRACE_SHARE * timeout, given_up)
                else:
                    self._inbox.retry()
            except EventLogError as error:  # the end goes on
                self._wrong(str(error))
        with self._starting:
            self._ended = True
        if self._final is None and self._engine is not None:
            hasty = self._hasty or (given_up is not None and given_up.is_set())
            self._engine.stop(0.0 if hasty else max(0.0, end - time.monotonic()))
        if self._final is None:
            self._end(end)
            try:
                self._log.close()
            except EventLogError as error:
                self._wrong(str(error))
            self._inbox.give_up()  # what another thread was just about to record
            _life.discard(self)

    def _end(self, end: float) -> None:
        if self._home.is_away and (found := self._home.look()) is not None:
            self._move(found)
        self._inbox.give_up()
        self._hooks.close(max(0.0, end - time.monotonic()))
        try:
            self._final = final = self._stats()
        except EventLogError as error:
            if self._final is None:  # else a signal handler has closed it in the middle of this
                self._wrong(f"{error}; the Tee is closed, and where its events stand is not known")
                self._final = error
            return
        pending = max((of.counts.pending for of in final.exporters.values()), default=0)
        if pending and self._log.directory is None:
            logger.error("%d events were kept in memory only, and are lost", pending)

    # ── its life in somebody's process ──────────────────────────────────────────────────────────────────────────

    def succeeded_by(self, newer: Running) -> None:
        """Lets a newer Tee of this process deliver from the same directory, when it has other exporters.

        As when a cell of a notebook is changed and run again: what the name meant before is never closed.
        """
        engine, directory = self._engine, self._log.directory
        if engine is None or directory is None or newer._log.directory != directory:
            return
        names = {exporter.name for exporter in newer._exporters}
        if names != {exporter.name for exporter in self._exporters}:
            self._engine = None
            engine.ask_to_stop(_HANDOVER_SECONDS)

    def leave(self, end: float) -> Iterator[None]:
        """The hook at exit, until ``end``, in steps that all Tees take side by side."""
        if self._inherited and not self._inbox.recorded:
            return  # a child that has recorded nothing leaves what there is to its parent
        seconds = end - time.monotonic()
        if self._engine is not None:
            self._engine.hurry()
        yield
        if self._delivers and not self._hasty:
            self._drain_at_exit(end - _GRACE_SHARE * seconds)
        with self._starting:
            self._ended = True
        engine = self._engine
        yield
        if engine is not None:
            left = end - time.monotonic() - _END_SHARE * seconds
            engine.ask_to_stop(0.0 if self._hasty else max(0.0, left))
        yield
        if self._final is None and (engine is None or engine.join(end - time.monotonic())):
            self._inbox.retry()
            self._end(end)
            self._left = self._log.directory is not None
            self._log.leave()

    def _drain_at_exit(self, end: float) -> None:
        try:
            if self._engine is None and not self._is_pending():
                return
            if self._running() is None:  # no thread can be started any more
                self._new_engine().deliver_here(end - time.monotonic())
            else:
                self._drain(end)
        except EventLogError as error:  # the end goes on
            self._wrong(str(error))

    def before_fork(self, seconds: float) -> Callable[[], object]:
        """Brings delivery to a halt, if that takes at most so many seconds; returns what lets it go on."""
        end, undo = time.monotonic() + seconds, ExitStack()
        engine = self._engine
        if engine is not None and engine.before_fork(seconds):
            undo.callback(engine.after_fork_in_parent)
        log = self._log
        if log.before_fork(max(0.0, end - time.monotonic())):
            undo.callback(log.after_fork_in_parent)
        return undo.close

    def after_fork(self) -> None:
        """In a forked child: threads, connection and lock are the parent's; the child makes its own when it records."""
        if self._engine is not None:
            self._engine.after_fork()
        self._engine = self._engine_before = None
        self._inherited = True
        self._starting, self._closing = threading.RLock(), threading.RLock()
        self._log.after_fork()
        if self._log.directory is None:
            self._home.register()
        self._inbox.after_fork()
        self._hooks.after_fork()
