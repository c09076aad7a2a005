"""`Tee`: records once, delivers everywhere."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from llmtee import config
from llmtee.delivery import FlushReport, Hooks, OnDead, OnDelivered, Stats, Tuning
from llmtee.errors import EventLogError
from llmtee.eventlog import Retention
from llmtee.privacy import Redaction
from llmtee.spec import ExporterSettings
from llmtee.tee._annotating import Annotating
from llmtee.tee._attribution import Attribution
from llmtee.tee._exporters import resolve_exporters
from llmtee.tee._guard import Guard
from llmtee.tee._home import Home
from llmtee.tee._operating import Operating

T = TypeVar("T")


class Tee(Attribution, Annotating, Operating):
    """Takes each LLM event once and delivers it to every exporter. Thread-safe, and fit for asyncio.

        tee = Tee([HoneyHive(project="Simple RAG"), Inkeep()])
        with tee.session("session_456", agent="support", person="user_123"):
            tee.record_call("openai-chat", request=…, response=…)
        tee.close()

    What is recorded is stored in the event log before anything is sent, so that it survives the process; what was not
    delivered is delivered by the next Tee on the same directory. Several processes may share a directory: all record,
    one of them delivers, and another takes over when that one ends; give them the same exporters.

    No thread runs before the first record, nor in a forked child before its own. At exit, what is pending gets
    ``exit_timeout`` seconds, and what is recorded after that waits for the next start. A Ctrl-C while `close` or the
    hook at exit waits ends the waiting.
    """

    def __init__(
        self,
        exporters: Iterable[ExporterSettings],
        *,
        dir: str | Path | None = None,  # noqa: A002 - the name that users type
        redact: Redaction | str | Sequence[str] | None = None,
        deliver: bool = True,
        fsync: bool = False,
        retention: Retention | None = None,
        memory_events: int = 10_000,
        exit_timeout: float = 5.0,
        strict: bool | None = None,
        on_delivered: OnDelivered | None = None,
        on_dead: OnDead | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        """Reads the settings and opens the event log.

        Args:
            exporters: where to deliver to, such as ``HoneyHive(project="Simple RAG")``. What they leave open comes
                from the environment or the settings file (see ``llmtee.config``).
            dir: directory of the event log; else ``LLMTEE_DIR``, else the settings file, else ``./.llmtee``.
                Until it can be written, events are kept in memory, with a warning and ``stats().directory`` None.
            redact: what is taken out of everything recorded, before it is stored or told anywhere: names of
                detectors and field paths, such as ``"secrets,email,properties.notes"``, or a ``Redaction``.
            deliver: whether this process may deliver. False: it only records, needs no keys, and `close` waits for
                nothing; another process delivers from the directory, such as ``llmtee deliver``.
            fsync: whether `record` returns only when the event is on the disk itself, so that it survives the loss of
                power too; costs what the disk takes for it. Without, it survives the death of the process.
            retention: how long and how much the event log keeps.
            memory_events: how many events are kept in memory at most, while the disk does not take them.
            exit_timeout: seconds that the hook at exit may take; all Tees of a process have theirs at the same time.
            strict: whether `flush` and `close` raise exceptions that are llmtee's or a plug-in's own fault, and
                `record` its own; under pytest by default. Otherwise they are logged and counted.
            on_delivered: your function of a `Delivery`, called after the event log knows that a vendor took something.
                Called in a thread of its own, in the process that delivers: at most once for each delivery, and not
                when the process dies just then; a conversation that is sent after each change is told each time.
                10,000 calls may wait; what comes beyond that is dropped and counted (``stats().hook_drops``). An
                exception is logged, once a minute, and counted.
            on_dead: your function of a `DeadLetter`, likewise.
            tuning: of delivery; for tests.

        Raises:
            ConfigError: a key is missing, or a setting or ``redact`` is invalid.
            UsageError: two exporters have one name.
            UnknownName: an exporter's vendor is not registered.
        """
        tuning = tuning or Tuning()
        resolved = resolve_exporters(exporters, tuning, need_key=deliver)
        guard = Guard(redact, resolved)
        home = Home(
            config.event_log_dir(dir),
            resolved,
            bound=memory_events,
            retention=retention,
            fsync=fsync,
        )
        super().__init__(
            home,
            resolved,
            guard,
            tuning,
            deliver=deliver,
            memory_events=memory_events,
            exit_timeout=exit_timeout,
            strict=strict,
            hooks=Hooks(on_delivered, on_dead, clock=tuning.clock),
        )

    def start(self) -> None:
        """Starts delivery without waiting for a first record, for a process that delivers what others record."""
        if self._final is None:
            self._running()

    def flush(self, timeout: float = 10.0) -> FlushReport:
        """Sends all that is pending now, changed conversations at once, and waits for the answers.

        Conversations that a vendor takes only when they end are not ended by it; their events are ``open``. A vendor
        that refuses the key is asked once more, and not waited for. What others record meanwhile is sent too.

        Args:
            timeout: seconds. What is not delivered by then stays pending, and delivery goes on.

        Returns:
            Where all recorded events stand; true when nothing is pending.

        Raises:
            EventLogError: the event log cannot be read.
        """
        return self._flush(timeout, None)

    async def aflush(self, timeout: float = 10.0) -> FlushReport:  # noqa: ASYNC109 - the same name as in the synchronous one
        """Like `flush`, without blocking the event loop. When it is cancelled, delivery goes on."""
        return await _in_a_thread(lambda given_up: self._flush(timeout, given_up))

    def _flush(self, timeout: float, given_up: threading.Event | None) -> FlushReport:
        if self._final is None:
            self._drain(time.monotonic() + timeout, given_up)
        report = self._report()
        self._raise_bug()
        return report

    def stats(self) -> Stats:
        """Live counters, positions and the last error of each exporter; of a closed Tee, as they were at its end.

        Raises:
            EventLogError: the event log cannot be read.
        """
        if self._final is None:
            try:
                return self._stats()
            except EventLogError:
                if self._final is None:  # else somebody has closed it in the middle of this
                    raise
        if isinstance(self._final, EventLogError):
            raise EventLogError(str(self._final)) from self._final
        return replace(self._final, refused=self._refused + self._inbox.refused)

    def close(self, timeout: float = 5.0) -> FlushReport:
        """Flushes, and stops delivery. What is still pending is delivered by the next Tee on the directory.

        Closing twice is fine.

        Args:
            timeout: seconds that all of it may take.

        Raises:
            EventLogError: the event log cannot be read, so that nobody knows where the events stand. The Tee is closed
                all the same.
        """
        self._close(timeout)
        return self._closed()

    async def aclose(self, timeout: float = 5.0) -> FlushReport:  # noqa: ASYNC109 - the same name as in the synchronous one
        """Like `close`, without blocking the event loop. When it is cancelled, it closes without waiting."""
        await _in_a_thread(lambda given_up: self._close(timeout, given_up))
        return self._closed()

    def _closed(self) -> FlushReport:
        report = self._report()
        self._raise_bug()
        return report

    def _report(self) -> FlushReport:
        stats = self.stats()
        return FlushReport(
            exporters={name: of.counts for name, of in stats.exporters.items()},
            problems={
                name: of.last_error
                for name, of in stats.exporters.items()
                if of.counts.pending and of.last_error is not None
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()
        if kind is None:  # else the block's own exception is the one to see
            self._closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await _in_a_thread(lambda given_up: self._close(given_up=given_up))
        if kind is None:
            self._closed()


async def _in_a_thread(do: Callable[[threading.Event], T]) -> T:
    """Runs something that waits, and tells it to give up when the task is cancelled: the thread would go on."""
    given_up = threading.Event()
    try:
        return await asyncio.to_thread(do, given_up)
    finally:
        given_up.set()
