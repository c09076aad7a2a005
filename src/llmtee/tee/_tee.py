"""`Tee`: records once, delivers everywhere."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from llmtee import config, jsontext, registry
from llmtee.delivery import (
    Engine,
    FlushReport,
    Hooks,
    OnDead,
    OnDelivered,
    Stats,
    Tuning,
    look,
)
from llmtee.errors import EventLogError, UnknownName
from llmtee.eventlog import (
    CANONICAL,
    END,
    DeadLetter,
    EventLog,
    Located,
    Mended,
    Period,
    Record,
    Replayed,
    Retention,
    Selection,
    SqliteLog,
    Standings,
    ring,
)
from llmtee.eventlog.sharing import HURRY
from llmtee.model import Agent, Conversation, Event, EventBase, Person
from llmtee.model._base import Frozen
from llmtee.model.ids import new_id
from llmtee.model.snapshot import clean_text, to_json_value
from llmtee.privacy import Redaction
from llmtee.spec import ExporterSettings
from llmtee.tee import _life, _scope
from llmtee.tee._exporters import resolve_exporters
from llmtee.tee._guard import Guard
from llmtee.tee._home import Home
from llmtee.tee._inbox import Inbox

logger = logging.getLogger("llmtee")

_POLL_SECONDS = 0.05
_MOVE_SECONDS = 5.0
"""That requests under way have left when the log moves from memory to the disk."""
_GRACE_SHARE = 0.2
"""Of the time that `close` has, for requests that are still under way when the flush gave up."""


class Tee:
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
        on_delivered: OnDelivered | None = None,
        on_dead: OnDead | None = None,
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
        self._exporters = resolve_exporters(exporters, tuning, need_key=deliver)
        self._guard = Guard(redact, self._exporters)
        self._clock = tuning.clock
        self._tuning = tuning
        self._strict = strict
        self.exit_timeout = exit_timeout
        """Seconds that the hook at exit may take."""
        self._home = Home(
            config.event_log_dir(dir),
            self._exporters,
            bound=memory_events,
            retention=retention,
            fsync=fsync,
        )
        self._log: EventLog = self._home.log
        self._may_deliver = deliver
        self._inbox = Inbox(self._log, memory_events)
        self._hooks = Hooks(on_delivered, on_dead, clock=tuning.clock)
        self._engine: Engine | None = None
        self._engine_before: Engine | None = None
        """Stopped when the log moved."""
        self._starting = threading.RLock()
        self._moving = threading.RLock()
        """Held by whoever moves the log from memory to the disk, or closes."""
        self._final: Stats | EventLogError | None = None
        """Once it is closed: how it stood then, or why that is not known."""
        self._bugs = self._refused = 0
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
            if format not in self._seen_formats:
                self._look_at_format(format)
            said = {"error": error, **attributes}
            given = {key: value for key, value in said.items() if value is not None}
            # Both stand there even when they are None: they tell a record from a bare request.
            raw = {"request": request, "response": response, **given}
            snapshot = {"id": event_id, **to_json_value(raw)}
            scope = _scope.current(self)
            value = snapshot if scope is None else scope.fill_record(snapshot)
            self._put(event_id, format, jsontext.dumps(value))
        except Exception as failure:  # noqa: BLE001 - as above
            self._failed(failure)
        return event_id

    def session(
        self,
        id: object = None,  # noqa: A002 - the name that users type
        *,
        agent: str | Agent | None = None,
        agent_version: str | None = None,
        person: str | Person | None = None,
        properties: Mapping[str, Any] | None = None,
        tags: Sequence[str] = (),
    ) -> AbstractContextManager[None]:
        """A block in which every record belongs to a session.

        Blocks nest, and follow tasks and threads as context variables do; use ``with`` in asynchronous code too.

        Leaving the block does not end the session: see `end_session`.

        Args:
            id: the session, in the application's own words; by default that of the block around it.
            agent: who acts.
            agent_version: its version.
            person: whom it talks to.
            properties: of every event; an inner block adds to the outer one's.
            tags: of every event; an inner block adds to the outer one's.
        """
        own = _scope.make_scope(
            id,
            agent=agent,
            agent_version=agent_version,
            person=person,
            properties=properties,
            tags=tuple(tags),
        )
        return _scope.entered(self, own)

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
        logger.error("a bug in llmtee: an event may not have been recorded", exc_info=error)
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
        """Live counters, positions and the last error of each exporter; of a closed Tee, as they were at its end.

        Raises:
            EventLogError: the event log cannot be read.
        """
        if self._final is None:
            return self._stats()
        if isinstance(self._final, EventLogError):
            raise EventLogError(str(self._final)) from self._final
        return replace(self._final, refused=self._refused + self._inbox.refused)

    # ── looking and mending ─────────────────────────────────────────────────────────────────────────────────────

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

    # ── its end ─────────────────────────────────────────────────────────────────────────────────────────────────

    def vacuum(self) -> None:
        """Makes the file of the event log as small as it can be, after much was forgotten.

        Delivery waits meanwhile, a second of the processor for some 100 MB, and the disk needs as much room again. What `retention` lets
        go gives its room back by itself, so that this is seldom needed. A log in memory is left as it is.

        Raises:
            EventLogError: the log is closed, there is no room, or another process is busy with it.
        """
        self._log.vacuum()

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
        report = self._report()
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
        self._leave(kind)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self._leave, kind)

    def _leave(self, kind: type[BaseException] | None) -> None:
        self._close()
        if kind is None:  # else the block's own exception is the one to see
            self._raise_bug()
            self._report()

    def _running(self) -> Engine | None:
        """The engine, started when it was not; ``None`` where it must not, and while the interpreter exits."""
        if self._engine is None and self._delivers:
            with self._starting:
                if self._engine is None:
                    engine = Engine(
                        self._log,
                        self._exporters,
                        self._tuning,
                        before_look=self._look_around,
                        hooks=self._hooks,
                    )
                    if self._engine_before is not None:
                        engine.go_on_from(self._engine_before)
                        self._engine_before = None
                    try:
                        engine.start()
                    except RuntimeError:
                        engine.abandon()
                        return None
                    self._engine = engine
        return self._engine

    @property
    def _delivers(self) -> bool:
        """Whether this process may deliver. From memory, no other could."""
        return self._may_deliver or self._log.directory is None

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
        with self._moving:
            if self._final is None and self._home.is_away:
                self._move(found, _MOVE_SECONDS)
                self._running()
            else:
                found.close()

    def _move(self, found: SqliteLog, grace: float) -> None:
        """Moves the log from memory to the disk. Delivery stands still meanwhile; recording goes on."""
        if self._engine is not None:
            self._engine.stop(grace)
        with self._inbox.moving():
            if self._home.move(found):
                self._inbox.switch(self._home.log)
                self._log = self._home.log
        with self._starting:
            self._engine_before, self._engine = self._engine, None
        self._inbox.retry()

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
        # Or the log moves just now.
        while (left := deadline - time.monotonic()) > 0 and self._is_pending():
            engine = self._engine
            if engine is not None and engine.leading and engine.drain(left):
                return
            time.sleep(_POLL_SECONDS)

    def _is_pending(self) -> bool:
        return any(one.counts.pending for one in self._standings().exporters.values())

    def _standings(self) -> Standings:
        return self._log.standing(exporter.name for exporter in self._exporters)

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

    def _close(self, timeout: float = 5.0) -> None:
        """Closes whatever happens; what went wrong with the log is told by `stats`, and at once in the log lines."""
        end = time.monotonic() + timeout
        with self._moving:
            if self._final is None:
                self._end(timeout, end)

    def _end(self, timeout: float, end: float) -> None:
        try:
            if self._delivers:
                self._drain(end - _GRACE_SHARE * timeout)
            else:
                self._inbox.retry()
        except EventLogError as error:
            self._wrong(str(error))
        if self._engine is not None:
            self._engine.stop(max(0.0, end - time.monotonic()))
        if self._home.is_away and (found := self._home.look()) is not None:
            self._move(found, 0.0)
        self._hooks.close(max(0.0, end - time.monotonic()))
        self._inbox.give_up()
        try:
            self._final = self._stats()
        except EventLogError as error:
            self._wrong(f"{error}; the Tee is closed, and where its events stand is not known")
            self._final = error
        try:
            self._log.close()
        except EventLogError as error:
            self._wrong(str(error))
        self._inbox.give_up()  # what another thread was just about to record
        _life.discard(self)

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
        self._moving = threading.RLock()
        self._log.after_fork()
        if self._log.directory is None:
            self._home.register()
        self._inbox.after_fork()
        self._hooks.after_fork()


def _selection(
    ids: Iterable[str] | None, exporter: str | None, state: Literal["dead", "unknown"]
) -> Selection:
    found = None if ids is None else frozenset([ids] if isinstance(ids, str) else ids)
    return Selection(ids=found, exporter=exporter, state=state)


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
