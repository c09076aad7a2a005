"""Sends items through Tee and reports what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from llmtee.assembly import fit
from llmtee.cli import _console as console
from llmtee.cli._progress import counted
from llmtee.cli._run import complain
from llmtee.delivery import FlushReport
from llmtee.eventlog import Counts, DeadLetter
from llmtee.model import Item
from llmtee.privacy import Redaction
from llmtee.spec import ExporterSettings
from llmtee.tee import Tee

_SHOWN = 10
"""Dead letters that are shown; ``--json`` tells all."""
_LOOK_SECONDS = 0.5
"""Between two looks at how far delivery is."""


@dataclass(frozen=True)
class Sent:
    """What became of the items."""

    items: int
    report: FlushReport
    """Of the whole event log."""
    before: Mapping[str, Counts]
    """Where the events stood that were in the event log already."""
    dead: list[DeadLetter]
    """What the vendors will never take, of these items."""

    @property
    def ok(self) -> bool:
        """Whether everything was delivered, or skipped for a reason."""
        return not any(
            counts.pending
            or counts.open
            or counts.dead > self.before[name].dead
            or counts.unknown > self.before[name].unknown
            for name, counts in self.report.exporters.items()
        )

    def to_json(self) -> dict[str, Any]:
        """It as a JSON object."""
        dead = [
            {"exporter": letter.exporter, "id": letter.id, "reason": letter.reason}
            for letter in self.dead
        ]
        return {**self.report.to_json(), "ok": self.ok, "items": self.items, "dead": dead}

    def show(self, *, kept_in: Path | None) -> None:
        """Prints it.

        Args:
            kept_in: the event log, when it outlives this process.
        """
        show_report(self.report)
        for letter in self.dead[:_SHOWN]:
            complain(f"{letter.exporter} will not take {letter.id}: {letter.reason}")
        if len(self.dead) > _SHOWN:
            complain(f"… and {len(self.dead) - _SHOWN:,} more")
        if not self.ok and kept_in is not None:
            complain(f"what is pending waits in {kept_in}: the same --dir goes on with it")


def show_report(report: FlushReport) -> None:
    """Prints where the events of an event log stand, and why something is pending."""
    columns = ("delivered", "skipped", "pending", "dead", "unknown")
    console.show(
        console.table("exporter", *columns, right=columns),
        [
            (
                name,
                counts.delivered,
                counts.skipped,
                counts.pending + counts.open,
                counts.dead,
                counts.unknown,
            )
            for name, counts in report.exporters.items()
        ],
    )
    for name, problem in report.problems.items():
        complain(f"{name}: {problem}")


def deliver(
    items: Iterable[Item],
    exporters: Sequence[ExporterSettings],
    directory: Path,
    timeout: float,
    *,
    redact: Redaction | None = None,
) -> Sent:
    """Records everything, ends all sessions, and waits until all is delivered or nothing more can be done.

    Args:
        items: what to send.
        exporters: where to.
        directory: of the event log.
        timeout: seconds to wait for the vendors.
        redact: what is taken out before it is stored.
    """
    count = 0
    sessions: dict[str, None] = {}
    with Tee(exporters, dir=directory, redact=redact) as tee:
        before = {name: stats.counts for name, stats in tee.stats().exporters.items()}
        dead_before = len(tee.dead_letters())
        try:
            for item in items:
                count += 1
                for event in fit([item], "event"):
                    tee.record(event, live=False)
                    sessions[event.session or event.id] = None
            for session in sessions:
                tee.end_session(session)
            report = _flush(tee, timeout)
        except KeyboardInterrupt:
            complain(f"read {console.plural(count, 'item')}; {_delivered(tee)}")
            tee.close(timeout=0)
            raise
        return Sent(count, report, before, tee.dead_letters()[dead_before:])


def _flush(tee: Tee, timeout: float) -> FlushReport:
    deadline = monotonic() + timeout
    with counted("sending", sum(_totals(tee))) as progress:
        while True:
            left = deadline - monotonic()
            report = tee.flush(timeout=max(0.0, min(_LOOK_SECONDS, left)))
            progress(sum(counts.total - counts.pending for counts in report.exporters.values()))
            if report or left <= 0 or _all_in_vain(tee, report):
                return report


def _totals(tee: Tee) -> Iterator[int]:
    return (stats.counts.total for stats in tee.stats().exporters.values())


def _all_in_vain(tee: Tee, report: FlushReport) -> bool:
    """Whether only vendors that refuse the key have something pending."""
    stats = tee.stats()
    return all(stats[name].paused for name, counts in report.exporters.items() if counts.pending)


def _delivered(tee: Tee) -> str:
    counts = {name: stats.counts.delivered for name, stats in tee.stats().exporters.items()}
    return "delivered " + ", ".join(f"{count:,} to {name}" for name, count in counts.items())
