"""One conversion from its first chunk to its last."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from llmtee.bulk._chunks import Position, chunks, size_of
from llmtee.bulk._pool import Here, Processes, Workers
from llmtee.bulk._sink import Output
from llmtee.bulk._source import Place
from llmtee.bulk._spill import Span
from llmtee.bulk._store import Groups, Ordinals
from llmtee.bulk._tally import Progress, Report, Tally
from llmtee.bulk._traces import OpenTraces
from llmtee.bulk._trail import Mark, Trail
from llmtee.bulk._work import Failure, Origin, Result, Sessions, Work
from llmtee.errors import ConversionStopped, InputError
from llmtee.model import Item

EVERY = 1.0
"""Seconds from one mark to the next; more where a mark takes more than a tenth of that."""
_JOINED = 1000
"""Events of joined traces, and sessions, that are worked on at a time."""
_BYTES = 1_000_000
"""Bytes of sessions that are worked on at a time, unless one session has more."""


class Run:
    """Reads, writes and keeps marks.

    Args:
        work: what is done with each chunk.
        files: what is read; in the place of one that cannot be found, the error.
        output: what is written.
        trail: where marks are kept.
        tally: what is counted.
        max_errors: errors at which it stops.
        session_limit: bytes of a session at most.
        on_progress: called after each chunk.
    """

    def __init__(
        self,
        work: Work,
        files: Sequence[Place | InputError],
        output: Output,
        trail: Trail,
        tally: Tally,
        *,
        max_errors: int | None,
        session_limit: int,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._work, self._files, self._output = work, files, output
        self._trail, self._tally = trail, tally
        self._max_errors, self._session_limit = max_errors, session_limit
        self._on_progress = on_progress
        mark = trail.mark
        self._position, self._assembling, self._session = (
            mark.position,
            mark.assembling,
            mark.session,
        )
        self._ordinals = Ordinals(trail.store)
        self._traces = OpenTraces()
        self._groups: Groups | None = None
        if work.job.gather:
            self._groups = Groups(trail.store, trail.events(), mark.gathered)
            work.events = self._groups.descriptor
        self._held = False
        self._next_mark = time.monotonic() + EVERY

    def run(self, workers: int) -> Report:
        """All of it; what is written appears.

        Raises:
            ConversionStopped: there were too many errors, or a worker was lost.
        """
        others: Workers = Here(self._work)
        try:
            if not self._trail.mark.done:
                if workers > 1:
                    others = Processes(self._work, workers)
                self._output.open(self._trail.mark.output)
                if not self._assembling:
                    self._read(others)
                if self._groups is not None:
                    self._assemble(self._groups, others)
                self._end()
            self._output.appear()
        except BaseException:
            if self._trail.kept:
                self._output.close()
            else:
                self._output.discard()
            raise
        finally:
            others.close()
            self._tally.close()
            if self._groups is not None:
                self._groups.close()
        return self._tally.report()

    def _read(self, workers: Workers) -> None:
        total = _total(self._files)
        tasks = chunks(self._files, self._work.reading, self._position)
        for chunk, result in workers.results(tasks, self._ordinals.resolve):
            self._take(result)
            self._ordinals.settle()
            for held in result.held:
                self._held = True
                self._take_joined(self._traces.add(held.traces, held.parts))
            self._position = chunk.after
            self._tell("reading", chunk.done, total)
            self._mark()
        self._take_joined(self._traces.rest())
        self._held = False
        self._assembling = True

    def _assemble(self, groups: Groups, workers: Workers) -> None:
        total = groups.count()
        self._next_mark = 0  # all was read: that is worth keeping at once
        self._mark()
        for sessions, result in workers.results(self._sessions(groups), lambda _: {}):
            self._take(result)
            self._session = sessions.last
            self._tell("assembling", sessions.last, total)
            self._mark()

    def _sessions(self, groups: Groups) -> Iterator[Sessions]:
        found: list[tuple[Span, ...]] = []
        size, last = 0, self._session
        for number, places in groups.sessions(self._session):
            more = sum(length for _, length in places)
            if found and (size + more > _BYTES or len(found) == _JOINED):
                yield Sessions(last, tuple(found))
                found, size = [], 0
            last = number
            if more > self._session_limit:
                yield Sessions(number, (), self._too_large(places[0], more))
            else:
                found.append(tuple(places))
                size += more
        if found:
            yield Sessions(last, tuple(found))

    def _too_large(self, first: Span, size: int) -> Failure:
        session = self._work.restored(first)[0].session
        reason = (
            f"session {session!r}: its events are {size:,} bytes, and a session is assembled in memory; "
            f"the limit is {self._session_limit:,} bytes, which takes five to ten times that"
        )
        return Failure(InputError(reason, path="session"), Origin(session=session))

    def _take(self, result: Result) -> None:
        limit = self._max_errors
        if limit is not None and self._tally.failed + len(result.failures) >= limit:
            self._mark(now=True)  # as it was before this chunk, which will be done again
            for failure in result.failures[: limit - self._tally.failed]:
                self._tally.add_failure(failure)
            noun = "error" if limit == 1 else "errors"
            raise ConversionStopped(f"stopped at {limit:,} {noun}", report=self._tally.report())
        self._tally.add(result)
        self._output.add(result.output)
        if self._groups is not None:
            self._groups.add(result.gathered)

    def _take_joined(self, items: Iterable[Item]) -> None:
        """Events of traces, which come with ids of their own."""
        rest = iter(items)
        while batch := list(islice(rest, _JOINED)):
            self._take(self._work.of_traces(batch))

    def _tell(self, phase: str, done: int, total: int | None) -> None:
        if self._on_progress is not None:
            self._on_progress(Progress(phase, done, total, self._tally.read, self._tally.failed))

    def _end(self) -> None:
        """Everything is written before the output appears: killed just then, it has to appear and nothing more."""
        self._output.end()
        self._tally.flush()
        if self._trail.kept:
            self._keep(done=True)

    def _mark(self, *, now: bool = False) -> None:
        """Keeps a mark when it is time. Parts of traces are in memory alone, so that none can be kept with them."""
        began = time.monotonic()
        if not self._trail.resumable or self._held or not (now or began >= self._next_mark):
            return
        if self._position == Position() and not self._assembling:
            return
        self._keep()
        ended = time.monotonic()
        self._next_mark = ended + max(EVERY, 10 * (ended - began))

    def _keep(self, *, done: bool = False) -> None:
        self._output.sync()
        self._tally.flush()
        if self._groups is not None:
            self._groups.flush()
        self._trail.keep(
            Mark(
                position=self._position,
                assembling=self._assembling,
                session=self._session,
                output=self._output.length,
                errors=self._tally.errors_length,
                gathered=0 if self._groups is None else self._groups.size,
                tally=self._tally.to_json(),
                done=done,
            )
        )


def _total(files: Sequence[Place | InputError]) -> int | None:
    sizes = [size_of(file) for file in files]
    return None if None in sizes else sum(size or 0 for size in sizes)
