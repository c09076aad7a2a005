"""First stage: what is due becomes this chain's to do."""

from __future__ import annotations

from collections import deque

from llmtee.delivery.exporter import Exporter
from llmtee.eventlog import EventLog, Work

_TAKE = 500
_AHEAD = 50
"""Events that are claimed at a time, at least, however few fit into a request."""


def in_batches(count: int, limit: int) -> int:
    """``count`` events or more, as a multiple of ``limit``: else the last request of each claim would be a small one."""
    return -(-max(count, limit) // limit) * limit


class Claim:
    """Takes work of one exporter from the event log."""

    def __init__(self, exporter: Exporter, log: EventLog) -> None:
        self._name, self._repeat = exporter.name, exporter.repeatable
        self._subscription = exporter.subscription
        # Events one by one would cost a transaction each. A conversation changes until it is sent: never ahead.
        self._ahead = _AHEAD if self._subscription.grain == "event" else 1
        self._log = log
        self._looked_at = self._now = 0.0
        self._ready: deque[Work] = deque()

    def recover(self) -> None:
        """Takes back what a crash left claimed. Nothing that was handed out may be under way."""
        self._ready.clear()
        self._log.recover(self._name, repeat=self._repeat)

    def advance(self) -> bool:
        """Moves the position over a part of what is new, for vendors that get conversations; whether there was any.

        A conversation must have all that is new before it is claimed, or it would be sent again at once.
        """
        if self._subscription.grain == "event":
            return False
        return self._log.take(self._subscription, _TAKE) > 0

    def hasten(self) -> None:
        """Makes changed conversations due at once."""
        self._log.hasten(self._subscription)

    def look(self, now: float) -> None:
        """Notes the time; when the clock was put back, what waits does so from now, and no longer than it should."""
        if now < self._now:
            self._log.redate(self._name, now)
        self._now = now

    def __call__(self, now: float, limit: int) -> list[Work]:
        """At most ``limit`` units that are due, oldest first. Each must be settled or released."""
        if not self._ready:
            self._ready.extend(self._claimed(now, limit))
        return [self._ready.popleft() for _ in range(min(limit, len(self._ready)))]

    def _claimed(self, now: float, limit: int) -> list[Work]:
        self._looked_at = now
        most = in_batches(self._ahead, limit)
        works = self._log.claim(self._subscription, now, most)
        while len(works) < limit and self._log.take(self._subscription, most):
            works += self._log.claim(self._subscription, now, most - len(works))
        return works

    def release(self) -> None:
        """Gives back what was claimed and not handed out."""
        if self._ready:
            self._log.release(self._name, self._ready)
            self._ready.clear()

    def next_due(self) -> float | None:
        """When there will be more to claim, as far as that is known.

        What was due when we looked and was not claimed waits for something under way, whose end will be noticed.
        """
        return self._log.next_due(self._name, self._looked_at)

    def is_waiting(self) -> bool:
        """Whether anything is neither settled nor in an open conversation."""
        return self._log.unfinished(self._name) or self._log.behind(self._name)
