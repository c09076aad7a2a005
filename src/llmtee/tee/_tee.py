"""`Tee`: records once, delivers everywhere."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from llmtee import config, jsontext, registry
from llmtee.delivery import Engine, ExporterStats, FlushReport, Stats, Tuning
from llmtee.delivery.health import Limited
from llmtee.eventlog import CANONICAL, END, DeadLetter, Record, Retention, open_log, ring
from llmtee.eventlog.sharing import HURRY
from llmtee.model import Conversation, Event, EventBase
from llmtee.model._base import Frozen
from llmtee.model.ids import new_id
from llmtee.model.snapshot import clean_text, to_json_value
from llmtee.privacy import Redaction
from llmtee.spec import ExporterSettings
from llmtee.tee import _life, _scope
from llmtee.tee._attribution import Attribution
from llmtee.tee._exporters import resolve_exporters
from llmtee.tee._guard import Guard
from llmtee.tee._inbox import Inbox

logger = logging.getLogger("llmtee")

C = TypeVar("C")

_POLL_SECONDS = 0.05
_GRACE_SHARE = 0.2
"""Of the time that `close` has, for requests that are still under way when the flush gave up."""


class Tee(Attribution):
    """Takes each LLM event once and delivers it to every exporter. Thread-safe, and fit for asyncio.

        tee = Tee([HoneyHive(project="Simple RAG"), Inkeep()])
        with tee.session("session_456", agent="support", person="user_123"):
            tee.record_call("openai-chat", request=…, response=…)
        tee.close()

    What is recorded is stored in the event log before anything is sent, so that it survives the process; what was not
    delivered is delivered by the next Tee on the same directory. Several processes may share a directory: all record,
    one of them delivers, and another takes over when that one ends; give them the same exporters.

    No thread runs before the first record. At exit, what is pending gets ``exit_timeout`` seconds.
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
        tuning: Tuning | None = None,
    ) -> None:
        """Reads the settings and opens the event log.

        Args:
            exporters: where to deliver to, such as ``HoneyHive(project="Simple RAG")``. What they leave open comes
                from the environment or the settings file (see ``llmtee.config``).
            dir: directory of the event log; else ``LLMTEE_DIR``, else the settings file, else ``./.llmtee``.
                Where it cannot be written, events are kept in memory, with a warning and ``stats().directory`` None.
            redact: what is taken out of everything recorded, before it is stored or told anywhere: names of
                detectors and field paths, such as ``"secrets,email,properties.notes"``, or a ``Redaction``.
            deliver: whether this process may deliver. False: it only records, needs no keys, and `close` waits for
                nothing; another process delivers from the directory, such as ``llmtee deliver``.
            fsync: whether `record` returns only when the event is on the disk itself, so that it survives the loss of
                power too; costs what the disk takes for it. Without, it survives the death of the process.
            retention: how long and how much the event log keeps.
            memory_events: how many events are kept in memory at most, while the disk does not take them.
            exit_timeout: seconds that the hook at exit may take.
            strict: whether `flush` and `close` raise exceptions that are llmtee's or a plug-in's own fault, and
                `record` its own; under pytest by default. Otherwise they are logged and counted.
            tuning: of delivery; for tests.

        Raises:
            ConfigError: a key is missing, or a setting or ``redact`` is invalid.
            UsageError: two exporters have one name.
            UnknownName: an exporter's vendor is not registered.
        """
        tuning = tuning or Tuning()
        self._exporters = resolve_exporters(exporters, tuning, need_key=deliver)
        self._guard = Guard(redact, self._exporters)
        self._clock = tuning.clock
        self._tuning = tuning
        self._strict = strict
        self.exit_timeout = exit_timeout
        """Seconds that the hook at exit may take."""
        self._log = open_log(
            config.event_log_dir(dir),
            bound=memory_events,
            warn=logger.warning,
            retention=retention,
            fsync=fsync,
        )
        # From memory, no other process could deliver.
        self._delivers = deliver or self._log.directory is None
        for exporter in self._exporters:
            self._log.register(exporter.subscription)
        self._inbox = Inbox(self._log, memory_events)
        self._engine: Engine | None = None
        self._starting = threading.RLock()
        self._final: Stats | None = None
        self._bugs = self._refused = 0
        self._bug_lines = Limited()
        self._seen_formats: set[str] = set()
        _life.add(self)

    # ── recording ───────────────────────────────────────────────────────────────────────────────────────────────

    def record(self, event: Event | Conversation, *, live: bool = True) -> str:
        """Records a canonical event, or a conversation as the events that it is made of. Never raises.

        Args:
            event: what happened. What it does not say of session, agent and person comes from `session`.
            live: whether it just happened: an event without any time then ended now. False for history.

        Returns:
            The event's id.
        """
        event_id = getattr(event, "id", None)
        event_id = event_id if isinstance(event_id, str) else new_id()
        try:
            if isinstance(event, (EventBase, Conversation)):
                scope = _scope.current(self)
                filled = event if scope is None else scope.fill(event)
                self._put(event_id, CANONICAL, _canonical(filled), live=live)
            else:
                self._wrong(f"record takes an event or a conversation, not {type(event).__name__}")
                value = jsontext.dumps(to_json_value(event))
                self._put(event_id, CANONICAL, value, live=live)
        except Exception as error:  # noqa: BLE001 - our bug is never the application's exception
            self._failed(error)
        return event_id

    def record_call(
        self,
        format: str,  # noqa: A002 - the name that users type
        *,
        request: Any = None,
        response: Any = None,
        error: Any = None,
        **attributes: Any,
    ) -> str:
        """Records one call of a model in its provider's own shapes. Never raises.

        What is passed is copied at once and may be changed afterwards. It is read in the background: a record that
        cannot be read, or whose format nobody knows, is kept as a dead letter of every exporter.

        Args:
            format: name of a registered format, such as ``openai-chat``.
            request: what was sent: a dict, or the SDK's object.
            response: what came back, whole.
            error: the exception or the provider's error, for a call that failed.
            attributes: ``session``, ``agent``, ``agent_version``, ``person``, ``started_at``, ``ended_at``,
                ``properties``, ``tags``, and ``id`` (a new one by default).

        Returns:
            The event's id.
        """
        event_id = clean_text(str(attributes.pop("id", None) or new_id()))
        try:
            said = {"error": error, **attributes}
            given = {key: value for key, value in said.items() if value is not None}
            # Both stand there even when they are None: they tell a record from a bare request.
            raw = {"request": request, "response": response, **given}
            self._put_record(format, {"id": event_id, **to_json_value(raw)})
        except Exception as failure:  # noqa: BLE001 - as above
            self._failed(failure)
        return event_id

    def record_json(self, format: str, record: dict[str, Any]) -> str:  # noqa: A002 - as above
        """Records a call whose record is JSON already, and belongs to nobody else. Never raises.

        For captures, which have it from the wire: `record_call` without its copy.

        Args:
            format: name of a registered format.
            record: ``request``, ``response`` and what else a record of a call has (see ``llmtee.formats.records``).

        Returns:
            The event's id.
        """
        event_id = record["id"] = str(record.get("id") or new_id())
        try:
            self._put_record(format, record)
        except Exception as failure:  # noqa: BLE001 - as above
            self._failed(failure)
        return event_id

    def _put_record(self, format_name: str, record: dict[str, Any]) -> None:
        if format_name not in self._seen_formats:
            self._look_at_format(format_name)
        scope = _scope.current(self)
        value = record if scope is None else scope.fill_record(record)
        self._put(value["id"], format_name, jsontext.dumps(value))

    # ── capture ─────────────────────────────────────────────────────────────────────────────────────────────────

    def wrap(self, client: C) -> C:
        """Captures the calls of a provider's client: OpenAI, Anthropic, Google genai, synchronous or asynchronous.

        The client stays what it is: its type, its methods' signatures, what they return and what they raise. Wrapping
        it again changes nothing; two Tees may wrap one client. See ``docs/capture.md``.

        Args:
            client: such as ``OpenAI()``.

        Returns:
            The same client.

        Raises:
            UsageError: it is no client of an SDK that llmtee knows.
        """
        registry.capture(client).wrap(client, self)
        return client

    def unwrap(self, client: C) -> C:
        """Ends what `wrap` began, for this Tee. A client that it did not wrap stays as it is.

        Returns:
            The same client.

        Raises:
            UsageError: it is no client of an SDK that llmtee knows.
        """
        registry.capture(client).unwrap(client, self)
        return client

    def capture_failed(self, error: Exception) -> None:
        """Takes note of an exception within a capture, which must not reach the application.

        Raises:
            Exception: ``error`` itself, in strict mode.
        """
        self._failed(error)

    def end_session(self, id: object) -> None:  # noqa: A002 - the name that users type
        """Says that a session is over: a vendor that takes each conversation once gets it now. Never raises.

        Later events of the session are a new conversation at such a vendor.
        """
        try:
            self._put(new_id(), END, jsontext.dumps(to_json_value(str(id))))
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(error)

    def _put(self, event_id: str, format_name: str, payload: bytes, *, live: bool = True) -> None:
        if self._final is not None:
            self._refused += 1
            self._wrong("this Tee is closed; what is recorded now is lost")
            return
        for stored in self._guard.clean(event_id, format_name, payload):
            self._inbox.put(Record(*stored, self._clock(), live))
        engine = self._engine or self._running()
        if engine is not None and self._log.directory is None:
            engine.notify()

    def _look_at_format(self, name: str) -> None:
        self._seen_formats.add(name)
        if name not in (known := registry.format_names()):
            self._wrong(
                f"no format is named {name!r}, so its records become dead letters; known: {', '.join(known)}"
            )

    def _wrong(self, text: str) -> None:
        logger.error("%s", text)

    def _failed(self, error: Exception) -> None:
        self._bugs += 1
        if self._bug_lines.may(time.time()):
            logger.error(
                "a bug in llmtee: an event may not have been recorded (%d so far)",
                self._bugs,
                exc_info=error,
            )
        if self._is_strict():
            raise error

    def _is_strict(self) -> bool:
        return "PYTEST_CURRENT_TEST" in os.environ if self._strict is None else self._strict

    # ── delivery ────────────────────────────────────────────────────────────────────────────────────────────────

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
        if self._final is None:
            self._drain(time.monotonic() + timeout)
        report = self._report()
        self._raise_bug()
        return report

    async def aflush(self, timeout: float = 10.0) -> FlushReport:  # noqa: ASYNC109 - the same name as in the synchronous one
        """Like `flush`, without blocking the event loop."""
        return await asyncio.to_thread(self.flush, timeout)

    def stats(self) -> Stats:
        """Live counters, positions and the last error of each exporter."""
        if self._final is None:
            return self._stats()
        return replace(self._final, refused=self._refused + self._inbox.refused)

    def dead_letters(self, exporter: str | None = None) -> list[DeadLetter]:
        """What will never arrive at an exporter (or at any), with reason, request and answer, oldest first."""
        return self._log.dead_letters(exporter)

    def close(self, timeout: float = 5.0) -> FlushReport:
        """Flushes, and stops delivery. What is still pending is delivered by the next Tee on the directory.

        Closing twice is fine.

        Args:
            timeout: seconds that all of it may take.
        """
        report = self._close(timeout)
        self._raise_bug()
        return report

    async def aclose(self, timeout: float = 5.0) -> FlushReport:  # noqa: ASYNC109 - the same name as in the synchronous one
        """Like `close`, without blocking the event loop."""
        return await asyncio.to_thread(self.close, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()
        if kind is None:
            self._raise_bug()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self._close)
        if kind is None:
            self._raise_bug()

    def _running(self) -> Engine | None:
        """The engine, started when it was not; ``None`` where it must not, and while the interpreter exits."""
        if self._engine is None and self._delivers:
            with self._starting:
                if self._engine is None:
                    engine = Engine(
                        self._log,
                        self._exporters,
                        self._tuning,
                        before_look=self._inbox.retry,
                    )
                    try:
                        engine.start()
                    except RuntimeError:
                        engine.abandon()
                        return None
                    self._engine = engine
        return self._engine

    def _drain(self, deadline: float) -> None:
        self._inbox.retry()
        if self._engine is None and not self._is_pending():
            return
        engine = self._running()
        if engine is None and self._log.directory is not None:
            ring(self._log.directory, HURRY)
        elif engine is None or engine.drain(deadline - time.monotonic()):
            return
        # Another process delivers: what it does is seen in the event log, unless it ends and this one takes over.
        while (left := deadline - time.monotonic()) > 0 and self._is_pending():
            if engine is not None and engine.leading:
                engine.drain(left)
                return
            time.sleep(_POLL_SECONDS)

    def _is_pending(self) -> bool:
        return any(self._log.counts(exporter.name).pending for exporter in self._exporters)

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

    def _stats(self) -> Stats:
        engine = self._engine
        chains = {} if engine is None else {chain.exporter.name: chain for chain in engine.chains}
        exporters = {}
        held = self._inbox.held
        for exporter in self._exporters:
            counts = self._log.counts(exporter.name)
            stats = ExporterStats(
                # What waits in memory for the disk is pending too.
                counts=replace(counts, pending=counts.pending + held),
                position=self._log.position(exporter.name),
            )
            chain = chains.get(exporter.name)
            exporters[exporter.name] = stats if chain is None else chain.add_to(stats)
        return Stats(
            exporters=exporters,
            directory=self._log.directory,
            delivering=engine is not None and engine.leading,
            recorded=self._inbox.recorded,
            held=held,
            refused=self._refused + self._inbox.refused,
            redaction_failures=self._guard.complaints.count
            + sum(exporter.complaints.count for exporter in self._exporters),
            lost=self._log.lost(),
            discarded_states=self._log.discarded(),
            duplicates=0 if engine is None else engine.duplicates,
            bugs=self._bugs + (0 if engine is None else len(engine.bugs)),
        )

    def _close(self, timeout: float = 5.0) -> FlushReport:
        if self._final is None:
            end = time.monotonic() + timeout
            if self._delivers:
                self._drain(end - _GRACE_SHARE * timeout)
            else:
                self._inbox.retry()
            if self._engine is not None:
                self._engine.stop(max(0.0, end - time.monotonic()))
            self._inbox.give_up()
            self._final = self._stats()
            self._log.close()
            self._inbox.give_up()  # what another thread was just about to record
            _life.discard(self)
        return self._report()

    def _raise_bug(self) -> None:
        """In strict mode, raises the first exception that was our own fault, once."""
        if self._engine is not None and self._engine.bugs and self._is_strict():
            raise self._engine.bugs.pop(0)

    # ── its life in somebody's process ──────────────────────────────────────────────────────────────────────────

    def at_exit(self, timeout: float) -> None:
        """Called once by the hook at exit, which has ``timeout`` seconds left."""
        self._close(min(timeout, self.exit_timeout))

    def after_fork(self) -> None:
        """In a forked child: threads, connection and lock are the parent's; the child makes its own when it records."""
        if self._engine is not None:
            self._engine.after_fork()
            self._engine = None
        self._starting = threading.RLock()
        self._log.after_fork()
        if self._log.directory is None:
            for exporter in self._exporters:
                self._log.register(exporter.subscription)
        self._inbox.after_fork()


def _canonical(item: Event | Conversation) -> bytes:
    """The item as JSON that ``load_event`` reads: fields at their default may stand there too.

    Its values are frozen, so that this is the moment to copy what somebody may still change: the free-form fields.
    """
    try:
        return jsontext.dumps_with(item, _field_values)
    except TypeError:  # somebody put into a free field what JSON cannot say
        return jsontext.dumps(_slowly(item))


def _slowly(item: Event | Conversation) -> Any:
    try:
        return item.to_json()
    except Exception:  # noqa: BLE001 - the same, only worse
        return to_json_value(item)


def _field_values(value: Any) -> Any:
    # Far faster than the model's own serialisation, which comes later, in the background.
    return vars(value) if isinstance(value, Frozen) else to_json_value(value)
