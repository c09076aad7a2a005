"""The engine: one daemon thread with an event loop, in which each exporter's chain works on its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from llmtee.delivery.breaker import Breakers
from llmtee.delivery.chain import Chain
from llmtee.delivery.decode import decode
from llmtee.delivery.exporter import Exporter, Tuning
from llmtee.delivery.health import Limited, logger
from llmtee.errors import EventLogError
from llmtee.eventlog import Bell, Entry, EventLog, Leadership, ring
from llmtee.eventlog.sharing import HURRY, NEW

_SLICE = 50
_WITHOUT_BELL_SECONDS = 1.0
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

    def __init__(self, log: EventLog, exporters: Sequence[Exporter], tuning: Tuning) -> None:
        breakers = Breakers(tuning)
        self.chains = [Chain(exporter, log, self._on_bug, breakers) for exporter in exporters]
        self.bugs: list[BaseException] = []
        self.duplicates = 0
        self.leading = log.directory is None
        """Whether this process is the one that delivers from the directory."""
        self._log = log
        self._tuning = tuning
        self._loop = _Loop()
        self._looked = threading.Event()
        """Set when it is known whether this process delivers."""
        self._stop = asyncio.Event()
        self._news = asyncio.Event()
        self._news_pending = False
        self._unreadable_lines = Limited()
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
        """There is a new record. Cheap when called often."""
        if not self.leading and self._log.directory is not None:
            ring(self._log.directory, NEW)
        elif not self._news_pending:
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
        shared_without_bell = bell is None and self._log.directory is not None
        timeout = _WITHOUT_BELL_SECONDS if shared_without_bell else None
        while not self._stop.is_set():
            self._news.clear()
            self._news_pending = False
            try:
                await self._absorb_all()
            except EventLogError as error:
                logger.warning("%s", error)
                await asyncio.sleep(_LOG_FAILED_SECONDS)
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), timeout)

    async def _absorb_all(self) -> None:
        async with self._intake_lock:
            while records := self._log.journal(_SLICE):
                entries = [entry for _, record in records for entry in decode(record)]
                self.duplicates += self._log.absorb((number for number, _ in records), entries)
                self._complain(entries)
                for chain in self.chains:
                    chain.wake()
                await asyncio.sleep(0)

    def _complain(self, entries: list[Entry]) -> None:
        unreadable = [entry.error for entry in entries if entry.error is not None]
        if unreadable and self._unreadable_lines.may(self._tuning.clock()):
            logger.error("a record cannot be read, and is a dead letter: %s", unreadable[0])

    async def _drain(self) -> None:
        await self._absorb_all()
        await asyncio.gather(*(chain.drained() for chain in self.chains))
