"""First stage: what is due becomes this chain's to do."""

from __future__ import annotations

from llmtee.delivery.exporter import Exporter
from llmtee.eventlog import EventLog, Work

_TAKE = 500


class Claim:
    """Takes work of one exporter from the event log."""

    def __init__(self, exporter: Exporter, log: EventLog) -> None:
        self._name, self._repeat = exporter.name, exporter.repeatable
        self._subscription = exporter.subscription
        self._log = log
        self._looked_at = self._now = 0.0

    def recover(self) -> None:
        """Takes back what a crash left claimed."""
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
        self._looked_at = now
        works = self._log.claim(self._subscription, now, limit)
        while len(works) < limit and self._log.take(self._subscription, limit):
            works += self._log.claim(self._subscription, now, limit - len(works))
        return works

    def next_due(self) -> float | None:
        """When there will be more to claim, as far as that is known.

        What was due when we looked and was not claimed waits for something under way, whose end will be noticed.
        """
        return self._log.next_due(self._name, self._looked_at)

    def is_waiting(self) -> bool:
        """Whether anything is neither settled nor in an open conversation."""
        return self._log.unfinished(self._name) or self._log.behind(self._name)
