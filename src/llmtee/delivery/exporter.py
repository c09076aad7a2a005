"""An exporter as the engine sees it: a vendor with its settings, and what follows from the two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from time import time
from typing import Any

from llmtee.delivery.complaints import Complaints
from llmtee.eventlog import Subscription
from llmtee.spec import ExporterSettings, RetryPolicy, Vendor


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What tests and unusual hosts may change about delivery."""

    clock: Callable[[], float] = time
    """Unix seconds. Due times are compared with it; the waits between are real."""
    random: Random = field(default_factory=Random)
    """Of the jitter."""
    retry: RetryPolicy | None = None
    """Instead of each vendor's own."""
    quiet: float | None = None
    """Seconds, instead of each vendor's own."""
    probe_initial: float = 1.0
    """Seconds until a vendor that refused the key is asked again; doubled each time."""
    probe_maximum: float = 60.0
    """Seconds."""
    election: float = 1.0
    """Seconds between two tries to take over delivery from another process."""


@dataclass(frozen=True, kw_only=True)
class Exporter:
    """A vendor plus its settings."""

    vendor: Vendor[Any]
    settings: ExporterSettings
    tuning: Tuning = field(default_factory=Tuning)
    complaints: Complaints = field(default_factory=Complaints)
    """About redaction that failed."""

    @property
    def name(self) -> str:
        """What ``stats()``, reports and the event log call it."""
        return self.settings.exporter

    @property
    def concurrency(self) -> int:
        """Requests at a time."""
        return self.settings.concurrency or self.vendor.limits.concurrency

    @property
    def max_items(self) -> int:
        """Items in one request."""
        return self.settings.max_items or self.vendor.limits.items

    @property
    def max_bytes(self) -> int:
        """Bytes of one request's body."""
        return self.settings.max_bytes or self.vendor.limits.bytes

    @property
    def retry(self) -> RetryPolicy:
        """How long to wait, and when to give up."""
        return self.tuning.retry or self.vendor.retry

    @property
    def repeatable(self) -> bool:
        """Whether an item whose answer was lost is sent again."""
        return (
            self.vendor.capabilities(self.settings).idempotent_by is not None
            or self.settings.on_unknown == "at_least_once"
        )

    @property
    def subscription(self) -> Subscription:
        """How it consumes the event log."""
        quiet = (self.tuning.quiet, self.settings.quiet, self.vendor.quiet)
        patience = (self.settings.patience, self.vendor.patience)
        return Subscription(
            exporter=self.name,
            grain=self.vendor.grain,
            send_when=self.vendor.send_when,
            quiet=next(seconds for seconds in quiet if seconds is not None),
            patience=next((seconds for seconds in patience if seconds is not None), None),
            # A vendor that dates events when it receives them shows a session in the order of arrival.
            ordered=not self.vendor.capabilities(self.settings).past_times,
            replay=self.settings.replay,
        )
