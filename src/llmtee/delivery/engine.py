"""The engine: one daemon thread with an event loop, in which each exporter's chain works on its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import CancelledError, Future, wait
from typing import Any

from llmtee.delivery.breaker import Breakers
from llmtee.delivery.chain import Chain
from llmtee.delivery.decode import decode
from llmtee.delivery.exporter import Exporter, Tuning
from llmtee.delivery.health import Limited, logger
from llmtee.delivery.hooks import Hooks
from llmtee.delivery.loop import Loop
from llmtee.delivery.notes import Notes
from llmtee.delivery.recent import Recent
from llmtee.errors import EventLogError
from llmtee.eventlog import Bell, DeadLetter, Entry, EventLog, Leadership, ring
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
_LOST_GRACE_SECONDS = 5.0
"""For requests under way when the lock was lost."""
_GIVE_UP_SECONDS = 0.05
"""How soon somebody who waits learns that he need not any more."""
_LOOK_AGAIN_SECONDS = 1.0
"""How soon somebody who waits learns that the delivery has ended."""
_HERE_SHARE = 0.2
"""Of the time that `Engine.deliver_here` has, for requests that are still under way when it is nearly over."""


class Engine:
    """Delivers from an event log. Nothing runs before `start`."""

    def __init__(
        self,
        log: EventLog,
        exporters: Sequence[Exporter],
        tuning: Tuning,
        *,
        before_look: Callable[[], None] | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        """Prepares, without any I/O.

        Args:
            log: what to deliver from.
            exporters: what to deliver to.
            tuning: of delivery.
            before_look: is called now and then, before the journal is looked at, in the engine's thread.
            hooks: are told of outcomes.
        """
        self._exporters, self._breakers = list(exporters), Breakers(tuning)
        self._hooks, self._recent = hooks or Hooks(), Recent()
        self.bugs: list[BaseException] = []
        self.duplicates = 0
        self.leading = log.directory is None
        """Whether this process is the one that delivers from the directory."""
        self.led = self.leading
        """Whether it was so at some time, so that the chains know more than the event log."""
        self._log = log
        self._tuning = tuning
        self.chains = self._make_chains()
        self._notes = Notes(log, tuning.clock)
        self._before_look = before_look
        self._loop = Loop()
        self._looked = threading.Event()
        """Set when it is known whether this process delivers."""
        self._stop, self._lost = asyncio.Event(), asyncio.Event()
        self._news = asyncio.Event()
        self._news_pending = False
        self._unreadable_lines, self._log_lines = Limited(), Limited()
        self._intake_lock = asyncio.Lock()
        self._deadline = 0.0
        self._bell: Bell | None = None
        self._drains: set[asyncio.Task[Any]] = set()
        self._lock = None if log.directory is None else Leadership(log.directory)
        self._thread = threading.Thread(
            target=self._run, args=(self._main,), name="llmtee", daemon=True
        )

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

    def go_on_from(self, other: Engine) -> None:
        """Before `start`: counts on from an engine that was stopped, with the same exporters."""
        self.bugs, self.duplicates, self.led = other.bugs, other.duplicates, other.led
        for chain, before in zip(self.chains, other.chains, strict=True):
            chain.go_on_from(before)

    def notify(self) -> None:
        """There is a new record in a log in memory; one on disk says so by itself."""
        if not self._news_pending:
            self._news_pending = True
            self._call(self._news.set)

    def deliver_here(self, seconds: float) -> None:
        """Delivers what is there in the caller's thread, for so many seconds at most, instead of `start`.

        For the exit of an interpreter that starts no threads any more. Where another process delivers, asks that one.
        """
        self._run(lambda: self._here(seconds))

    def hurry(self) -> None:
        """Begins to send what is due or changed; or asks the process that delivers to."""
        if not self._looked.is_set():
            return
        if self.leading:
            self._call(self._hurry)
        elif self._log.directory is not None:
            ring(self._log.directory, HURRY)

    def wake(self) -> None:
        """Somebody has made something pending again."""
        self._call(self._wake_all)

    def drain(self, timeout: float, given_up: threading.Event | None = None) -> bool:
        """Sends what is due or changed; returns whether all that can be done was done within ``timeout`` seconds.

        Where another process delivers, asks that one and returns false.

        Args:
            timeout: seconds.
            given_up: ends the waiting earlier.
        """
        deadline = time.monotonic() + timeout
        self._looked.wait(max(0.0, timeout))
        if not self.leading and self._log.directory is not None:
            ring(self._log.directory, HURRY)
            return False
        drained = self._drain()
        try:
            done: Future[bool] = asyncio.run_coroutine_threadsafe(drained, self._loop)
        except RuntimeError:
            drained.close()
            return False
        try:
            while (left := deadline - time.monotonic()) > 0 and self._thread.is_alive():
                if done.done() or (given_up is not None and given_up.is_set()):
                    break
                wait(
                    [done], min(left, _LOOK_AGAIN_SECONDS if given_up is None else _GIVE_UP_SECONDS)
                )
        finally:  # also when a Ctrl-C ends the waiting
            done.cancel()
        try:
            return done.result(0)
        except (CancelledError, TimeoutError):
            return False

    def ask_to_stop(self, grace: float) -> None:
        """Lets requests under way finish for ``grace`` seconds; then the thread ends."""
        self._deadline = time.monotonic() + grace
        self._call(self._stop.set)

    def join(self, timeout: float) -> bool:
        """Waits for the end of the thread; returns whether it has ended within ``timeout`` seconds."""
        if self._thread.is_alive():
            self._thread.join(max(0.0, timeout))
        return not self._thread.is_alive()

    def stop(self, grace: float) -> None:
        """Lets requests under way finish for ``grace`` seconds, then ends the thread."""
        self.ask_to_stop(grace)
        self.join(grace + 1.0)

    def before_fork(self, seconds: float) -> bool:
        """Waits until no step of the delivery runs, and lets none begin; false when that took too many seconds."""
        return self._loop.halt(seconds)

    def after_fork_in_parent(self) -> None:
        """Goes on, when `before_fork` returned true."""
        self._loop.go_on()

    def after_fork(self) -> None:
        """In a forked child: drops what belongs to the parent."""
        if self._lock is not None:
            self._lock.drop()
        if self._bell is not None:
            self._bell.drop()
        self._loop.drop()

    # -- in the loop ------------------------------------------------------------------------------

    def _call(self, function: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(function)

    def _make_chains(self) -> list[Chain]:
        return [
            Chain(one, self._log, self._on_bug, self._breakers, self._recent, self._hooks)
            for one in self._exporters
        ]

    def _on_bug(self, error: BaseException) -> None:
        self.bugs.append(error)

    def _run(self, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            self._loop.run(main)
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to
            self._on_bug(error)
            logger.exception("delivery ended by a bug; what was recorded waits in the event log")
        finally:
            self._looked.set()
            if self._lock is not None:
                self._lock.release()
            self.leading = False

    async def _here(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        if not self._elected():
            if self._log.directory is not None:
                ring(self._log.directory, HURRY)
            return
        working = asyncio.create_task(self._main())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout((1 - _HERE_SHARE) * seconds):
                await self._drain()
        self._stop.set()
        await working

    async def _main(self) -> None:
        while not self._stop.is_set():
            while not self._elected():
                self._look()
                if await self._stopped_within(self._tuning.election):
                    return
            await self._lead()

    async def _lead(self) -> None:
        """Delivers until it is told to stop, or the lock is lost."""
        self._lost.clear()
        bell = self._bell = self._open_bell()
        tasks = [asyncio.create_task(self._intake(bell))]
        tasks += [asyncio.create_task(chain.run(self._grace)) for chain in self.chains]
        ends = [asyncio.create_task(event.wait()) for event in (self._stop, self._lost)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        for chain in self.chains:
            chain.stop()
        self._news.set()
        await asyncio.gather(*tasks)
        drains = list(self._drains)
        for drain in drains:
            drain.cancel()  # who waits for it need not any more
        await asyncio.gather(*drains, return_exceptions=True)
        if not self._lost.is_set():
            self._tell()
        if bell is not None:
            self._loop.remove_reader(bell.fileno())
            bell.close()
            self._bell = None
        if self._lost.is_set() and not self._stop.is_set():
            self._start_again()

    def _tell(self) -> None:
        """Leaves the last word on each exporter."""
        try:
            self._notes.tell(self.chains)
        except EventLogError as error:
            self._log_failed(error)

    def _start_again(self) -> None:
        """Another process may have the right to deliver by now: stand for election like everybody."""
        if self._lock is not None:
            self._lock.release()
        self.leading = False
        before, self.chains = self.chains, self._make_chains()
        for chain, old in zip(self.chains, before, strict=True):
            chain.go_on_from(old)

    def _is_lost(self) -> bool:
        if self._lock is not None and not self._lock.is_held():
            logger.warning(
                "the lock of %s was deleted while it was in use; who delivers is settled anew",
                self._log.directory,
            )
            self._deadline = time.monotonic() + _LOST_GRACE_SECONDS
            self._lost.set()
        return self._lost.is_set()

    def _look(self) -> None:
        """What every process does now and then, whether it delivers or not."""
        try:
            if self._before_look is not None:
                self._before_look()
            self._log.look()
        except EventLogError as error:
            self._log_failed(error)

    def _grace(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def _elected(self) -> bool:
        try:
            self.leading = self._lock is None or self._lock.acquire()
        except OSError as error:
            if not self._looked.is_set():
                logger.error("cannot lock %s: %s; nothing is delivered", self._log.directory, error)
        self.led = self.leading
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
            self._hurry()

    def _hurry(self) -> None:
        self._drains.add(self._loop.create_task(self._drain()))

    async def _intake(self, bell: Bell | None) -> None:
        """Moves records from the journal to the events, and tells the chains."""
        last_record, tidied = self._loop.time(), 0.0
        while not (self._stop.is_set() or self._is_lost()):
            self._news.clear()
            self._news_pending = False
            now = self._loop.time()
            try:
                if now - tidied >= _TIDY_SECONDS:
                    tidied = now
                    self._look()
                    self._log.tidy(self._tuning.clock())
                    self._notes.tell(self.chains)
                if self._log.touched():
                    self._wake_all()
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
            return None if self._before_look is None else _ASLEEP_SECONDS
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
                self._wake_all()
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
        return found

    def _complain(self, entries: list[Entry]) -> None:
        unreadable = [entry.error for entry in entries if entry.error is not None]
        if unreadable and self._unreadable_lines.may(self._tuning.clock()):
            logger.error("a record cannot be read, and is a dead letter: %s", unreadable[0])
        for chain in self.chains if unreadable else ():
            for entry in entries:
                if entry.error is not None:
                    name, at = chain.exporter.name, entry.recorded_at
                    self._hooks.buried(DeadLetter(name, entry.id, 0, at, entry.error))

    def _wake_all(self) -> None:
        for chain in self.chains:
            chain.wake()

    def _log_failed(self, error: EventLogError) -> None:
        if self._log_lines.may(self._tuning.clock()):
            logger.warning("%s", error)

    async def _drain(self) -> bool:
        """Whether all was done that can be; false when the right to deliver was lost meanwhile."""
        task: Any = asyncio.current_task()
        self._drains.add(task)
        chains = self.chains
        try:
            try:
                await self._absorb_all()
            except EventLogError as error:  # full, say: what is in it already may go and make room
                self._log_failed(error)
            # A chain that has ended never rests again.
            if not self._stop.is_set():
                await asyncio.gather(*(chain.drained() for chain in chains))
        finally:
            self._drains.discard(task)
        return chains is self.chains and not self._lost.is_set()
