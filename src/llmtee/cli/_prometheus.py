"""Stats in Prometheus's text format, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from llmtee.delivery import ExporterStats, Stats

_STATES = ("closed", "half-open", "open")
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})

Sample = tuple[dict[str, str], float]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric with its samples."""

    name: str
    kind: str
    help: str
    samples: list[Sample]

    def lines(self) -> Iterator[str]:
        """Its lines of text; none where it has no sample."""
        if not self.samples:
            return
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} {self.kind}"
        for labels, value in self.samples:
            pairs = ",".join(
                f'{name}="{text.translate(_ESCAPES)}"' for name, text in labels.items()
            )
            yield f"{self.name}{{{pairs}}} {value!r}" if pairs else f"{self.name} {value!r}"


def exposition(stats: Stats) -> str:
    """The text that a scrape answers."""
    metrics = [*_of_log(stats), *_of_exporters(stats)]
    return "".join(f"{line}\n" for metric in metrics for line in metric.lines())


def _of_log(stats: Stats) -> Iterator[Metric]:
    alive = stats.leader is not None and stats.leader.alive
    yield _one("llmtee_delivering", "Whether a process delivers from the event log.", alive)
    yield _one(
        "llmtee_journal_events", "Events that are recorded and not decoded yet.", stats.journal
    )
    yield _one("llmtee_log_bytes", "Size of all files of the event log.", stats.disk.bytes)
    yield _one("llmtee_journal_bytes", "Size of the journal's files.", stats.disk.journal_bytes)
    yield _one(
        "llmtee_set_aside_files",
        "Damaged databases that are kept beside the one in use.",
        len(stats.disk.set_aside),
    )
    yield Metric(
        "llmtee_lost_events_total",
        "counter",
        "Events that the log has lost since it was made, by cause.",
        [({"cause": cause}, float(count)) for cause, count in stats.lost.items()],
    )


def _of_exporters(stats: Stats) -> Iterator[Metric]:
    every = list(stats.exporters.items())
    yield Metric(
        "llmtee_events",
        "gauge",
        "Recorded events by where they stand. No counter: what is delivered may be made pending again.",
        [
            ({"exporter": name, "state": state}, float(count))
            for name, one in every
            for state, count in dataclasses.asdict(one.counts).items()
        ],
    )

    def gauge(name: str, text: str, value: str) -> Metric:
        return Metric(f"llmtee_{name}", "gauge", text, list(_samples(every, value)))

    def counter(name: str, text: str, value: str) -> Metric:
        return Metric(f"llmtee_{name}_total", "counter", text, list(_samples(every, value)))

    yield gauge("lag_seconds", "Age of the oldest pending event.", "lag_seconds")
    yield gauge("behind_events", "Pending events that were not taken into work yet.", "behind")
    yield gauge("position", "The newest entry of the log that was taken into work.", "position")
    yield gauge(
        "delivered_events_per_second", "Rate of delivery over the last ten seconds.", "rate"
    )
    yield counter("requests", "Requests sent by the process that delivers.", "requests")
    yield counter("retries", "Items that it sends again.", "retries")
    yield gauge("paused", "Whether the vendor refuses the exporter, as with a wrong key.", "paused")
    yield gauge("last_error_timestamp_seconds", "When something failed last.", "last_error_at")
    yield Metric(
        "llmtee_breaker_state",
        "gauge",
        "Of the circuit breaker of the exporter's host: 1 for the state that it is in.",
        [
            (
                {"exporter": name, "host": one.host.host, "state": state},
                float(one.host.breaker == state),
            )
            for name, one in every
            if one.host is not None
            for state in _STATES
        ],
    )


def _samples(exporters: Iterable[tuple[str, ExporterStats]], value: str) -> Iterator[Sample]:
    for name, one in exporters:
        found = getattr(one, value)
        if found is not None:
            yield {"exporter": name}, float(found)


def _one(name: str, text: str, value: float) -> Metric:
    return Metric(name, "gauge", text, [({}, float(value))])
