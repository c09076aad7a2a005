"""Failures of redaction, counted and told without ever telling a value."""

from __future__ import annotations

import logging
from collections.abc import Iterable

logger = logging.getLogger("llmtee")


class Complaints:
    """Counts failures and logs them at 1, 2, 4, 8, …: a function that always fails must not fill the log."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, failures: Iterable[str]) -> None:
        """Takes note of failures as ``Redacted.failures`` has them."""
        for failure in failures:
            self.count += 1
            if self.count & (self.count - 1) == 0:
                logger.error(
                    "redaction failed, and the text is dropped: %s (%d so far)", failure, self.count
                )
