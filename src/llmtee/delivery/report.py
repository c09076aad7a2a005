"""What Tee tells about delivery."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from llmtee.eventlog import Counts, Disk, Leader


@dataclass(frozen=True)
class FlushReport:
    """Where the recorded events stand after a flush. True when nothing is pending."""

    exporters: Mapping[str, Counts]
    """By the exporter's name. Counts are of the whole event log, not of this flush alone."""
    problems: Mapping[str, str]
    """Why something is pending, for the exporters where that is known."""

    @property
    def ok(self) -> bool:
        """Whether nothing is pending. Conversations that have not ended (``open``) do not count."""
        return not any(counts.pending for counts in self.exporters.values())

    def __bool__(self) -> bool:
        return self.ok

    def __getitem__(self, exporter: str) -> Counts:
        return self.exporters[exporter]

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return {
            "ok": self.ok,
            "exporters": {
                name: dataclasses.asdict(counts) for name, counts in self.exporters.items()
            },
            "problems": dict(self.problems),
        }


@dataclass(frozen=True, kw_only=True)
class PaceStats:
    """How fast an exporter sends."""

    rate: float | None
    """Requests a second at most."""
    concurrency: int
    """Requests at a time, at most."""
    window: float
    """Requests at a time for now: less after the vendor was overloaded, and growing back."""
    under_way: int
    """Requests that wait for their answer."""
    held: float
    """Seconds for which the vendor asked to be left alone, from now."""


@dataclass(frozen=True, kw_only=True)
class HostStats:
    """How the host fares that an exporter talks to, with all exporters that do so."""

    host: str
    """Scheme, name and port."""
    breaker: Literal["closed", "open", "half-open"]
    """Open: it fails, and nothing is sent. Half-open: one item is, to see whether that is over."""
    failures: int
    """Requests on end that it failed to answer."""
    probe_in: float
    """Seconds until it is tried again, from now."""


@dataclass(frozen=True, kw_only=True)
class ExporterStats:
    """One exporter's counters and state."""

    counts: Counts
    position: int
    """The newest entry of the event log that was taken into work."""
    behind: int = 0
    """Events that are recorded and not taken into work yet; a part of what is pending."""
    lag: int = 0
    """Events that are pending."""
    lag_seconds: float = 0.0
    """How long ago the oldest of them was recorded."""
    rate: float | None = None
    """Events delivered a second, over the last ten seconds; ``None`` where nobody delivers."""
    requests: int = 0
    """Sent by the process that delivers, since it began to."""
    retries: int = 0
    """Items that it has sent, or will send, again."""
    paused: bool = False
    """Whether the vendor refuses the exporter, as with a wrong key; everything is kept."""
    last_error: str | None = None
    last_error_at: float | None = None
    """Unix seconds."""
    pace: PaceStats | None = None
    """``None`` where nobody delivers."""
    host: HostStats | None = None
    """Likewise."""


@dataclass(frozen=True, kw_only=True)
class Stats:
    """Live counters of a Tee."""

    exporters: Mapping[str, ExporterStats]
    directory: Path | None
    """Of the event log; ``None``: it is in memory only, and what is pending ends with the process."""
    delivering: bool
    """Whether this process delivers; one of those that share a directory does."""
    at: float = 0.0
    """Unix seconds of this look."""
    leader: Leader | None = None
    """The process that delivers from the directory; ``None`` for a log in memory."""
    journal: int = 0
    """Events that stand in the journal and are not decoded yet."""
    disk: Disk = field(default_factory=Disk)
    """The files of the event log."""
    recorded: int = 0
    """Records taken by this Tee."""
    held: int = 0
    """Records that the event log could not take yet; they wait in memory."""
    refused: int = 0
    """Records lost because the log and the memory for it were full, or the Tee was closed."""
    redaction_failures: int = 0
    """Texts dropped because a function of yours, or llmtee's own redaction, failed on them."""
    lost: Mapping[str, int] = field(default_factory=dict)
    """What the event log has lost since it was made, by cause: ``torn``, records that a crash or the disk damaged."""
    discarded_states: int = 0
    """Assembled conversations that could not be read back, and were made anew from their events."""
    duplicates: int = 0
    """Events whose id was in the log already."""
    bugs: int = 0
    """Exceptions that were llmtee's or a plug-in's own fault; each is in the log of ``llmtee``."""
    hook_failures: int = 0
    """Calls of ``on_delivered`` and ``on_dead`` that ended with an exception."""
    hook_drops: int = 0
    """Calls of them that were not made, because they were too slow or the process ended."""

    def __getitem__(self, exporter: str) -> ExporterStats:
        return self.exporters[exporter]

    def to_json(self) -> dict[str, Any]:
        """The counters as a JSON object."""
        data = dataclasses.asdict(self)
        return {**data, "directory": None if self.directory is None else str(self.directory)}
