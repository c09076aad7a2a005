"""Who works on the tasks: this process, or others that it starts. The results come in the order of the tasks."""

from __future__ import annotations

import pickle
import subprocess
import sys
from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any, Protocol, TypeVar

from llmtee.bulk._chunks import Chunk
from llmtee.bulk._work import Claims, Job, Resolve, Result, Sessions, Work
from llmtee.errors import ConversionStopped, UsageError

T = TypeVar("T", Chunk, Sessions)


class Workers(Protocol):
    """Does tasks."""

    def results(self, tasks: Iterable[T], resolve: Resolve) -> Iterator[tuple[T, Result]]:
        """Each task with its result, in order. ``resolve`` is called in order, too, ahead of the results."""

    def close(self) -> None:
        """Ends what was started."""


class Here:
    """This process works."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def results(self, tasks: Iterable[T], resolve: Resolve) -> Iterator[tuple[T, Result]]:
        """Each task with its result."""
        for task in tasks:
            yield task, self._work.do(task, resolve)

    def close(self) -> None:
        """Does nothing."""


@dataclass(slots=True)
class _Slot:
    """A task on its way."""

    task: Any
    claims: Claims | None = None
    result: Result | None = None
    waiting: _Worker | None = None
    """Who waits for the ordinals."""
    resolved: bool = False


class Processes:
    """Processes that are started when there is something to do for them.

    They import llmtee and nothing of the caller's ``__main__``, so that a script needs no guard and a notebook works.

    What a task claims is resolved in order, and hardly ever changes anything: so nobody waits for that, and a task for
    which it does is done again. From then on each waits, since such an input is likely to hold more of it.

    Raises:
        UsageError: the job cannot be given to another process.
    """

    def __init__(self, work: Work, count: int) -> None:
        self._work, self._job, self._count = work, _travelling(work.job), count
        self._patient = False
        self._idle: list[_Worker] = []
        self._busy: dict[Connection, tuple[_Worker, _Slot | None]] = {}

    def results(self, tasks: Iterable[T], resolve: Resolve) -> Iterator[tuple[T, Result]]:
        """Each task with its result, in order."""
        rest = iter(tasks)
        following = next(rest, None)
        slots: deque[_Slot] = deque()
        while slots or following is not None:
            if following is not None and not following.travels and not slots:
                yield from Here(self._work).results([following], resolve)
                following = next(rest, None)
                continue
            while _may_go(following) and self._idle and len(slots) <= 2 * self._count:
                slots.append(self._given(following))
                following = next(rest, None)
            if _may_go(following) and not self._idle and len(self._busy) < self._count:
                worker = _Worker(self._job, self._work.events)
                self._busy[worker.connection] = (worker, None)
                continue  # the next is started while this one imports what it needs
            self._hear()
            for slot in slots:
                if slot.claims is None and slot.result is None:
                    break  # those after it have to wait for what it claims
                if not slot.resolved:
                    self._resolve(slot, resolve)
                if slot.result is not None:
                    slot.task = slot.task.emptied
            while slots and (result := slots[0].result) is not None:
                yield slots.popleft().task, result

    def close(self) -> None:
        """Ends the processes, whatever they are doing."""
        for worker in [*self._idle, *(worker for worker, _ in self._busy.values())]:
            worker.close()
        self._idle, self._busy = [], {}

    def _given(self, task: Any) -> _Slot:
        worker, slot = self._idle.pop(), _Slot(task)
        self._busy[worker.connection] = (worker, slot)
        worker.send((task, self._patient))
        return slot

    def _resolve(self, slot: _Slot, resolve: Resolve) -> None:
        ordinals = resolve(array("q") if slot.claims is None else slot.claims)
        slot.resolved = True
        if slot.waiting is not None:
            slot.waiting.send(ordinals)
        elif ordinals:
            slot.result = self._work.do(slot.task, lambda _: ordinals)
            self._patient = True

    def _hear(self) -> None:
        """Takes what the processes have to say; waits until one has."""
        for connection in wait([*self._busy]):
            worker, slot = self._busy[connection]  # type: ignore[index]
            match worker.receive():
                case ("claims", data) if slot is not None:
                    slot.claims, slot.waiting = array("q", data), worker
                case ("result", (result, claims)) if slot is not None:
                    slot.result = result
                    if slot.claims is None:
                        slot.claims = array("q", claims)
                    self._rest(worker)
                case ("ready", _):
                    self._rest(worker)
                case ("refused", reason):
                    raise UsageError(f"workers cannot be given this: {reason}")
                case (_, trace):
                    raise RuntimeError(f"in a worker process:\n{trace}")

    def _rest(self, worker: _Worker) -> None:
        del self._busy[worker.connection]
        self._idle.append(worker)


def _may_go(task: Chunk | Sessions | None) -> bool:
    return task is not None and task.travels


_BOOT = (
    "import sys; sys.path[:] = sys.argv[3:]; from llmtee.bulk._worker import main; "
    "main(int(sys.argv[1]), int(sys.argv[2]))"
)


class _Worker:
    """One process and the line to it."""

    def __init__(self, job: bytes, events: int | None) -> None:
        self.connection, theirs = Pipe()
        descriptors = [theirs.fileno(), *([] if events is None else [events])]
        # A group of its own: Ctrl-C is for us, who tell the workers. They end when the line does.
        self._process = subprocess.Popen(  # noqa: S603 - the same interpreter
            [sys.executable, "-c", _BOOT, f"{descriptors[0]}", f"{descriptors[-1]}", *sys.path],
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            process_group=0,
        )
        theirs.close()
        self.connection.send_bytes(job)

    def send(self, value: Any) -> None:
        try:
            self.connection.send(value)
        except OSError:
            self._lost()

    def receive(self) -> Any:
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            self._lost()

    def _lost(self) -> None:
        code = self._process.wait()
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        hint = " (out of memory?)" if code == -9 else ""
        raise ConversionStopped(f"a worker process {how}{hint}")

    def close(self) -> None:
        self.connection.close()
        self._process.kill()
        self._process.wait()


def _travelling(job: Job) -> bytes:
    for named, value in (("where", job.where), ("where", getattr(job.target, "where", None))):
        if getattr(value, "__module__", None) == "__main__":
            raise UsageError(
                f"{named} is a function of this script or notebook, which other processes cannot import; "
                "put it into a module, or leave workers at 1"
            )
    try:
        return pickle.dumps(job)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UsageError(
            f"other processes cannot be given this job: {error}; use a function of a module for where and redact, "
            "or leave workers at 1"
        ) from None
