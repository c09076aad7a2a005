"""An exporter as the engine sees it: a vendor with its settings, and what follows from the two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from random import Random
from time import time
from typing import Any, Protocol

from llmtee.delivery.complaints import Complaints
from llmtee.errors import ConfigError
from llmtee.eventlog import Subscription
from llmtee.spec import Encoding, Exchange, ExporterSettings, Request, RetryPolicy, Vendor


class Transport(Protocol):
    """One exporter's connections. Used in one event loop, and closed there."""

    async def send(self, request: Request) -> Exchange:
        """Sends a request and reads its answer; whatever goes wrong on the way is in the exchange.

        Raises:
            ConfigError: the key is missing, or a setting of the environment is of no use.
        """

    async def close(self) -> None:
        """Closes all connections."""


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
    breaker_failures: int = 5
    """After how many failures on end, of all exporters together, a host is left alone for a while."""
    breaker: RetryPolicy = field(
        default_factory=lambda: RetryPolicy(initial=0.5, jitter=0.5, maximum=30.0)
    )
    """How long a host is left alone, each time that it fails again. ``retry`` goes before it."""
    state_bytes: int = 65_536
    """Events of a session that are this long together, or longer, have its state stored."""
    session_memory: int = 2**25
    """Bytes of memory, about, for the sessions of one exporter that may go on. Others are read from their state."""
    transport: Callable[[Exporter], Transport] | None = None
    """Instead of HTTP."""


@dataclass(frozen=True, kw_only=True)
class Exporter:
    """A vendor plus its settings."""

    vendor: Vendor[Any]
    settings: ExporterSettings
    tuning: Tuning = field(default_factory=Tuning)
    complaints: Complaints = field(default_factory=Complaints)
    """About redaction that failed."""
    answer_bytes: int = 16_000_000
    """What is read of an answer at most; vendors answer a batch with little more than ids."""

    def __post_init__(self) -> None:
        """Checks what would otherwise fail only when something is sent.

        Raises:
            ConfigError: the transport is not installed.
        """
        if self.settings.transport == "aiohttp" and find_spec("aiohttp") is None:
            raise ConfigError(
                f"{type(self.settings).__name__}: transport 'aiohttp' is not installed: "
                "pip install 'llmtee[fast]', or leave transport= and LLMTEE_TRANSPORT out for httpx"
            )

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
        """Bytes of one request's body, not compressed."""
        return self.settings.max_bytes or self.vendor.limits.bytes

    @property
    def encoding(self) -> Encoding | None:
        """How bodies are compressed."""
        if self.settings.compression is not None:
            return None if self.settings.compression == "none" else self.settings.compression
        return next(iter(self.vendor.limits.encodings), None)

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
