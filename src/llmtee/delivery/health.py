"""How an exporter fares: whether it may send now, and what the log is told."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from llmtee.delivery.exporter import Exporter
from llmtee.delivery.pacing import Wait
from llmtee.delivery.retry import seconds_until_next
from llmtee.privacy import Redaction

logger = logging.getLogger("llmtee")

_LOG_SECONDS = 60.0
_SECRETS = Redaction(detect=("secrets",))


@dataclass(slots=True)
class Limited:
    """Lets one log line through in a minute."""

    last: float | None = None

    def may(self, now: float) -> bool:
        """Whether a line may be written now."""
        if self.last is not None and 0 <= now - self.last < _LOG_SECONDS:
            return False
        self.last = now
        return True


class Health:
    """Whether one exporter may send, and what is known of its trouble."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter
        self.paused = False
        """Whether the vendor refused the exporter itself, as with a wrong key."""
        self.wait = Wait()
        """Before which nothing is sent."""
        self.resumed_at = 0.0
        """Unix seconds when the vendor was last found to take requests again; giving up counts from here."""
        self.last_error: str | None = None
        self.last_error_at: float | None = None
        self._probing = False
        self._interval = 0.0
        self._failures = 0
        self._announced = False
        self._lines = Limited()
        self._dead_lines = Limited()

    @property
    def probing(self) -> bool:
        """Whether the next request is a probe, and should hold one item."""
        return self._probing

    def refused(self, reason: str, now: float) -> None:
        """The vendor refuses the exporter: nothing is sent but a probe now and then, ever more seldom."""
        tuning = self._exporter.tuning
        if not self.paused:
            self.paused, self._interval = True, tuning.probe_initial
            self._lines = Limited()  # a pause is always worth a line
        elif not self.wait.left(now):
            self._interval = min(self._interval * 2, tuning.probe_maximum)
        else:
            return  # an answer to what was under way when the first refusal came
        self._probing = True
        self.wait.begin(now, self._interval)
        self.trouble(f"{reason}; everything is kept, and it is tried again now and then", now)

    def unreachable(self, reason: str, now: float, after: float | None = None) -> None:
        """Nothing can be sent to the vendor at all: wait, whichever item it is."""
        if self.wait.left(now):
            return
        self._failures += 1
        wait = seconds_until_next(
            self._exporter.retry, self._failures, self._exporter.tuning.random, after
        )
        self._probing = True
        self.wait.begin(now, wait)
        self.trouble(reason, now)

    def reachable(self, now: float) -> None:
        """The vendor takes the exporter's requests."""
        if self._probing:
            self.resumed_at = now
        self.paused = self._probing = False
        self._failures = 0
        self.wait.end()

    def hurry(self) -> None:
        """Somebody waits: the next probe may go at once."""
        self.wait.end()

    def trouble(self, reason: str, now: float) -> None:
        """Something has to be tried again."""
        reason = self._note(reason, now)
        if self._lines.may(now):
            logger.warning("%s: %s", self._exporter.name, reason)
            self._announced = True

    def worked(self) -> None:
        """Something was delivered."""
        if self._announced:
            self._announced = False
            logger.warning("%s: works again", self._exporter.name)

    def died(self, reason: str, now: float) -> None:
        """Something became a dead letter."""
        reason = self._note(reason, now)
        if self._dead_lines.may(now):
            logger.error("%s: dead letter: %s", self._exporter.name, reason)

    def _note(self, reason: str, now: float) -> str:
        # A vendor's words may repeat a key that is not ours to know; logs and `status` show them to many.
        self.last_error, self.last_error_at = str(_SECRETS.apply(reason).value), now
        return self.last_error
