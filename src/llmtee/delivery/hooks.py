"""Your own functions, told what became of items. They run in a thread of their own and delay nobody."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from queue import Empty, Full, Queue

from llmtee.delivery.health import Limited
from llmtee.eventlog import DeadLetter, Settlement

logger = logging.getLogger("llmtee")

_BOUND = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What a vendor took, for ``on_delivered``."""

    exporter: str
    id: str
    """Of the event, or the name of the session."""
    segment: int | None
    """Which part of its session, for a conversation; ``None`` for an event."""
    events: int
    """How many events of the log it covers."""
    vendor_id: str | None
    """The vendor's own id, as far as its answer named one."""
    at: float
    """Unix seconds."""


OnDelivered = Callable[[Delivery], object]
OnDead = Callable[[DeadLetter], object]


class Hooks:
    """Calls the hooks, one at a time and in order. What they cannot keep up with is dropped and counted."""

    def __init__(
        self,
        on_delivered: OnDelivered | None = None,
        on_dead: OnDead | None = None,
        *,
        clock: Callable[[], float] = time.time,
        bound: int = _BOUND,
    ) -> None:
        """Prepares; the thread begins with the first call.

        Args:
            on_delivered: is called after the log knows that something was delivered.
            on_dead: likewise, for dead letters.
            clock: unix seconds.
            bound: how many calls may wait.
        """
        self.failures = 0
        """Calls that ended with an exception."""
        self.dropped = 0
        """Calls that were not made, because too many waited or the process ended."""
        self._on_delivered, self._on_dead = on_delivered, on_dead
        self._clock = clock
        self._bound = bound
        self._failed_lines, self._dropped_lines = Limited(), Limited()
        self._begin()

    def _begin(self) -> None:
        self._calls: Queue[Callable[[], object] | None] = Queue(self._bound)
        self._thread: threading.Thread | None = None
        self._closing = False

    def settled(self, exporter: str, settlements: Iterable[Settlement]) -> None:
        """Settlements are stored. From the delivering thread."""
        for settlement in settlements:
            if settlement.outcome == "delivered" and self._on_delivered is not None:
                self._put(self._on_delivered, _delivery(exporter, settlement, self._clock()))
            elif settlement.outcome == "dead" and settlement.letter is not None:
                self.buried(settlement.letter)

    def buried(self, letter: DeadLetter) -> None:
        """A dead letter is stored. From the delivering thread."""
        if self._on_dead is not None:
            self._put(self._on_dead, letter)

    def close(self, timeout: float) -> None:
        """Lets the calls that wait be made for ``timeout`` seconds, and ends the thread."""
        thread, self._closing = self._thread, True
        if thread is None:
            return
        end = time.monotonic() + timeout
        try:
            self._calls.put(None, timeout=max(0.0, timeout))
        except Full:
            self._give_up()
        thread.join(max(0.0, end - time.monotonic()))
        if thread.is_alive():
            self._give_up()
        self._thread = None

    def after_fork(self) -> None:
        """In a forked child: what waits is the parent's."""
        self._begin()

    def _put(self, hook: Callable[..., object], value: object) -> None:
        if self._closing:
            self._drop(1)
            return
        try:
            self._calls.put_nowait(lambda: hook(value))
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="llmtee-hooks", daemon=True)
                thread.start()
                self._thread = thread
        except (Full, RuntimeError):  # the interpreter exits, and starts no thread any more
            self._drop(1)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call()
            except (
                BaseException
            ):  # even sys.exit() would end this thread, and nothing would be told any more
                self.failures += 1
                if self._failed_lines.may(self._clock()):
                    logger.exception("a hook failed (%d so far)", self.failures)

    def _give_up(self) -> None:
        """Empties the queue, so that the thread ends after the call that it is in."""
        lost = 0
        try:
            while True:
                lost += self._calls.get_nowait() is not None
        except Empty:
            self._calls.put(None)
        if lost:
            self._drop(lost)

    def _drop(self, count: int) -> None:
        self.dropped += count
        if self._dropped_lines.may(self._clock()):
            logger.error("hooks are too slow: %d calls were not made so far", self.dropped)


def _delivery(exporter: str, settlement: Settlement, now: float) -> Delivery:
    work = settlement.work
    return Delivery(
        exporter=exporter,
        id=work.key.partition(":")[2],
        segment=None if work.session is None else work.segment,
        events=work.events,
        vendor_id=settlement.vendor_id,
        at=now,
    )
