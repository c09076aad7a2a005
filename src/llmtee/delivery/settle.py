"""Seventh and last stage: what became of the work goes into the event log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from llmtee.delivery.exporter import Exporter
from llmtee.delivery.health import Health
from llmtee.delivery.hooks import Hooks
from llmtee.eventlog import EventLog, Settlement, Work


class Settle:
    """Settles one claim of work, piece by piece. What is left over in the end was not sent, and is given back."""

    def __init__(
        self,
        exporter: Exporter,
        log: EventLog,
        health: Health,
        works: Sequence[Work],
        hooks: Hooks | None = None,
    ) -> None:
        self._exporter, self._log, self._health = exporter, log, health
        self._hooks = hooks or Hooks()
        self._left = {(work.key, work.segment): work for work in works}

    @property
    def left(self) -> list[Work]:
        """What is neither settled nor released."""
        return list(self._left.values())

    def __call__(self, settlements: Iterable[Settlement]) -> None:
        """Stores settlements, in one transaction."""
        settlements = list(settlements)
        if not settlements:
            return
        self._log.settle(self._exporter.name, settlements)
        for settlement in settlements:
            self._left.pop((settlement.work.key, settlement.work.segment), None)
            if settlement.outcome == "delivered":
                self._health.worked()
            elif settlement.outcome == "dead":
                self._health.died(settlement.reason or "", self._exporter.tuning.clock())
        self._hooks.settled(self._exporter.name, settlements)

    def release(self) -> None:
        """Gives back what is left."""
        if self._left:
            self._log.release(self._exporter.name, self.left)
            self._left.clear()
