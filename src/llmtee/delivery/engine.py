"""The engine: one daemon thread with an event loop, in which each exporter's chain works on its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from llmtee.delivery.breaker import Breakers
from llmtee.delivery.chain import Chain
from llmtee.delivery.decode import decode
from llmtee.delivery.exporter import Exporter, Tuning
from llmtee.delivery.health import Limited, logger
from llmtee.delivery.recent import Recent
from llmtee.errors import EventLogError
from llmtee.eventlog import Bell, Entry, EventLog, Leadership, ring
from llmtee.eventlog.sharing import HURRY

_SLICE = 50
_TURNS = 8
"""Of the chains between two slices: so many are enough to claim one and to render it while it is in memory."""
_AWAKE_SECONDS = 1.0
"""How long after the last record the journal is looked at by itself, before a bell is asked for."""
_LOOK_SECONDS = 0.02
"""Between two looks while awake."""
_ASLEEP_SECONDS = 1.0
"""Between two looks while asleep: bells can be lost."""
_WITHOUT_BELL_SECONDS = 0.25
_TIDY_SECONDS = 1.0
_LOG_FAILED_SECONDS = 1.0


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that still resolves names while the interpreter exits."""

    async def getaddrinfo(self, host: Any, port: Any, **hints: Any) -> Any:
        try:
            return await super().getaddrinfo(host, port, **hints)
        except RuntimeError:
            # The thread pool takes no more work after the main thread ended; the exit hook may still send.
            return socket.getaddrinfo(host, port, **hints)


class Engine:
    """Delivers from an event log. Nothing runs before `start`."""

    def __init__(
        self,
        log: EventLog,
        exporters: Sequence[Exporter],
        tuning: Tuning,
        *,
        before_look: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepares, without any I/O.

        Args:
            log: what to deliver from.
            exporters: what to deliver to.
            tuning: of delivery.
            before_look: is called now and then, before the journal is looked at, in the engine's thread.
        """
        breakers = Breakers(tuning)
        self._recent = Recent()
        self.chains = [
            Chain(exporter, log, self._on_bug, breakers, self._recent) for exporter in exporters
        ]
        self.bugs: list[BaseException] = []
        self.duplicates = 0
        self.leading = log.directory is None
        """Whether this process is the one that delivers from the directory."""
        self._log = log
        self._tuning = tuning
        self._before_look = before_look
        self._loop = _Loop()
        self._looked = threading.Event()
        """Set when it is known whether this process delivers."""
        self._stop = asyncio.Event()
        self._news = asyncio.Event()
        self._news_pending = False
        self._unreadable_lines, self._log_lines = Limited(), Limited()
        self._intake_lock = asyncio.Lock()
        self._deadline = 0.0
        self._hurries: set[asyncio.Task[None]] = set()
        self._lock = None if log.directory is None else Leadership(log.directory)
        self._thread = threading.Thread(target=self._run, name="llmtee", daemon=True)

    # -- from any thread --------------------------------------------------------------------------

    def start(self) -> None:
        """Starts the thread.

        Raises:
            RuntimeError: the interpreter is exiting; what was recorded waits in the log.
        """
        self._thread.start()

    def abandon(self) -> None:
        """Frees what an engine holds whose thread could not be started."""
        self._loop.close()

    def notify(self) -> None:
        """There is a new record in a log in memory; one on disk says so by itself."""
        if not self._news_pending:
            self._news_pending = True
            self._call(self._news.set)

    def drain(self, timeout: float) -> bool:
        """Sends what is due or changed; returns whether all that can be done was done within ``timeout`` seconds.

        Where another process delivers, asks that one and returns false.
        """
        deadline = time.monotonic() + timeout
        self._looked.wait(timeout)
        if not self.leading and self._log.directory is not None:
            ring(self._log.directory, HURRY)
            return False
        try:
            done: Future[None] = asyncio.run_coroutine_threadsafe(self._drain(), self._loop)
        except RuntimeError:
            return False
        try:
            done.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            done.cancel()
            return False
        return True

    def stop(self, grace: float) -> None:
        """Lets requests under way finish for ``grace`` seconds, then ends the thread."""
        self._deadline = time.monotonic() + grace
        self._call(self._stop.set)
        if self._thread.is_alive():
            self._thread.join(grace + 1.0)

    def after_fork(self) -> None:
        """In a forked child: drops what belongs to the parent."""
        if self._lock is not None:
            self._lock.drop()

    # -- in the loop ------------------------------------------------------------------------------

    def _call(self, function: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(function)

    def _on_bug(self, error: BaseException) -> None:
        self.bugs.append(error)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._main())
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to
            self._on_bug(error)
            logger.exception("delivery ended by a bug; what was recorded waits in the event log")
        finally:
            self._looked.set()
            if self._lock is not None:
                self._lock.release()
            self.leading = False
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    async def _main(self) -> None:
        while not self._elected():
            if await self._stopped_within(self._tuning.election):
                return
        bell = self._open_bell()
        tasks = [asyncio.create_task(self._intake(bell))]
        tasks += [asyncio.create_task(chain.run(self._grace)) for chain in self.chains]
        await self._stop.wait()
        for chain in self.chains:
            chain.stop()
        self._news.set()
        await asyncio.gather(*tasks)
        if bell is not None:
            self._loop.remove_reader(bell.fileno())
            bell.close()

    def _grace(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def _elected(self) -> bool:
        try:
            self.leading = self._lock is None or self._lock.acquire()
        except OSError as error:
            if not self._looked.is_set():
                logger.error("cannot lock %s: %s; nothing is delivered", self._log.directory, error)
        self._looked.set()
        return self.leading

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _open_bell(self) -> Bell | None:
        if self._log.directory is None:
            return None
        try:
            bell = Bell(self._log.directory)
        except OSError:
            return None
        self._loop.add_reader(bell.fileno(), self._rung, bell)
        return bell

    def _rung(self, bell: Bell) -> None:
        message = bell.read()
        self._news.set()
        if HURRY in message:
            hurry = self._loop.create_task(self._drain())
            self._hurries.add(hurry)
            hurry.add_done_callback(self._hurries.discard)

    async def _intake(self, bell: Bell | None) -> None:
        """Moves records from the journal to the events, and tells the chains."""
        last_record, tidied = self._loop.time(), 0.0
        while not self._stop.is_set():
            self._news.clear()
            self._news_pending = False
            now = self._loop.time()
            try:
                if now - tidied >= _TIDY_SECONDS:
                    tidied = now
                    self._before_look()
                    self._log.tidy(self._tuning.clock())
                if await self._absorb_all():
                    last_record = now
                asleep = now - last_record >= _AWAKE_SECONDS
                if asleep and bell is not None:
                    bell.sleep(True)
                    await self._absorb_all()  # what came before it was known that a bell is wanted
            except EventLogError as error:
                self._log_failed(error)
                await self._stopped_within(_LOG_FAILED_SECONDS)
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), self._seconds_until_look(bell, asleep))
            if asleep and bell is not None:
                bell.sleep(False)
                if self._news.is_set():
                    last_record = self._loop.time()

    def _seconds_until_look(self, bell: Bell | None, asleep: bool) -> float | None:
        if self._log.directory is None:
            return None
        if not asleep:
            return _LOOK_SECONDS
        return _WITHOUT_BELL_SECONDS if bell is None else _ASLEEP_SECONDS

    async def _absorb_all(self) -> bool:
        """Empties the journal; returns whether there was anything."""
        found = False
        async with self._intake_lock:
            while not self._stop.is_set() and (records := self._log.journal(_SLICE)):
                found = True
                entries = [entry for _, record in records for entry in decode(record)]
                duplicates = self._log.absorb((place for place, _ in records), entries)
                if not duplicates:
                    self._recent.add(entries)
                self.duplicates += duplicates
                self._complain(entries)
                for chain in self.chains:
                    chain.wake()
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
        return found

    def _complain(self, entries: list[Entry]) -> None:
        unreadable = [entry.error for entry in entries if entry.error is not None]
        if unreadable and self._unreadable_lines.may(self._tuning.clock()):
            logger.error("a record cannot be read, and is a dead letter: %s", unreadable[0])

    def _log_failed(self, error: EventLogError) -> None:
        if self._log_lines.may(self._tuning.clock()):
            logger.warning("%s", error)

    async def _drain(self) -> None:
        try:
            await self._absorb_all()
        except EventLogError as error:  # full, say: what is in it already may go and make room
            self._log_failed(error)
        await asyncio.gather(*(chain.drained() for chain in self.chains))
