"""What reading and sending have come to, as values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from llmtee.migrate.run import Sent
from llmtee.migrate.staging import Held
from llmtee.migrate.verify import Verification


@dataclass(frozen=True, slots=True)
class Reading:
    """How far reading is."""

    held: Held
    total: int | None
    """Items in the whole history, as far as the source says so."""


@dataclass(frozen=True)
class Report:
    """What a run did."""

    directory: Path
    held: Held
    """What was read."""
    sent: Sent
    verification: Verification | None
    """``None`` where the target cannot be read, or it was not asked for."""

    @property
    def ok(self) -> bool:
        """Whether all was read, delivered or skipped for a reason, and found as predicted."""
        counts = self.sent.counts
        return (
            self.sent.complete
            and not (counts.dead or counts.unknown)
            and not self.held.failures
            and (self.verification is None or self.verification.ok)
        )

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return {
            "ok": self.ok,
            "directory": str(self.directory),
            "complete": self.sent.complete,
            "sessions": self.held.sessions,
            "unreadable": self.held.failures,
            "counts": asdict(self.sent.counts),
            "requests": self.sent.requests,
            "retries": self.sent.retries,
            "refused": self.sent.refused,
            "not_taken": [{"id": own, "reason": why} for own, why in self.sent.letters],
            "verification": None if self.verification is None else self.verification.to_json(),
        }
