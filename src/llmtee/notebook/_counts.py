"""What a summary counts: groups of calls and runs, and the steps of time."""

from __future__ import annotations

import datetime as dt
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from llmtee.notebook._facts import Fact

_HOUR: Final = dt.timedelta(hours=1)
_POINTS: Final = 100
"""At most so many points on a line of time, unless months are too short."""


@dataclass
class _Group:
    """What is counted of some model calls or tool runs."""

    count: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    costs: dict[str, float] = field(default_factory=dict)
    durations: array[float] = field(default_factory=lambda: array("d"))

    def add(self, fact: Fact) -> None:
        self.count += 1
        self.failed += _has_failed(fact)
        self.input_tokens += fact.input_tokens or 0
        self.output_tokens += fact.output_tokens or 0
        if fact.cost is not None:
            unit = fact.currency or "USD"
            self.costs[unit] = self.costs.get(unit, 0.0) + fact.cost
        if fact.duration_ms is not None:
            self.durations.append(fact.duration_ms)

    def join(self, other: _Group) -> None:
        self.count += other.count
        self.failed += other.failed
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        for unit, amount in other.costs.items():
            self.costs[unit] = self.costs.get(unit, 0.0) + amount
        self.durations.extend(other.durations)

    def row(self, units: Sequence[str], what: str, *, tokens: bool = True) -> dict[str, Any]:
        ordered = sorted(self.durations)
        used = {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens}
        return {
            what: self.count,
            "failed": self.failed,
            **(used if tokens else {}),
            **({f"cost_{unit}": self.costs.get(unit, 0.0) for unit in units} if tokens else {}),
            "median_ms": _quantile(ordered, 0.5),
            "p95_ms": _quantile(ordered, 0.95),
        }


def _has_failed(fact: Fact) -> bool:
    return fact.error_type is not None or fact.error_message is not None


def _quantile(ordered: Sequence[float], part: float) -> float | None:
    """The smallest value that at least this part of all does not exceed."""
    return ordered[max(-int(-part * len(ordered) // 1) - 1, 0)] if ordered else None


@dataclass
class Counts:
    """All that was added up so far."""

    events: int = 0
    failed: int = 0
    sessions: set[str] = field(default_factory=set)
    first: dt.datetime | None = None
    last: dt.datetime | None = None
    calls: _Group = field(default_factory=_Group)
    hours: dict[dt.datetime, _Group] = field(default_factory=dict)
    models: dict[str, _Group] = field(default_factory=dict)
    agents: dict[str, _Group] = field(default_factory=dict)
    tools: dict[str, _Group] = field(default_factory=dict)
    errors: dict[tuple[str, str], list[Any]] = field(default_factory=dict)

    def add(self, fact: Fact) -> None:
        """Counts one event."""
        self.events += 1
        when = fact.started_at
        if fact.session is not None:
            self.sessions.add(fact.session)
        if when is not None:
            self.first = when if self.first is None else min(self.first, when)
            self.last = when if self.last is None else max(self.last, when)
        if fact.kind == "model_call":
            self.calls.add(fact)
            self.models.setdefault(fact.model or fact.response_model or "unknown", _Group()).add(
                fact
            )
            self.agents.setdefault(fact.agent or "none", _Group()).add(fact)
            if when is not None:
                self.hours.setdefault(
                    when.replace(minute=0, second=0, microsecond=0), _Group()
                ).add(fact)
        elif fact.kind == "tool_run":
            self.tools.setdefault(fact.tool_name or "unknown", _Group()).add(fact)
        if _has_failed(fact):
            self.failed += 1
            where = fact.tool_name or fact.model or fact.response_model or fact.kind or "unknown"
            # The message tells errors without a type apart; its numbers and ids would tell every one from every other.
            known = self.errors.setdefault((fact.error_type or "error", where), [0, None, None])
            known[0] += 1
            known[1] = known[1] or fact.error_message
            known[2] = when if known[2] is None or (when and when > known[2]) else known[2]

    def totals(self) -> dict[str, Any]:
        """What ``Summary.totals`` holds."""
        units = self._units()
        return {
            "events": self.events,
            "sessions": len(self.sessions),
            "calls": self.calls.count,
            "tool_runs": sum(group.count for group in self.tools.values()),
            "failed": self.failed,
            "input_tokens": self.calls.input_tokens,
            "output_tokens": self.calls.output_tokens,
            **{f"cost_{unit}": self.calls.costs[unit] for unit in units},
            "first": self.first,
            "last": self.last,
        }

    def _units(self) -> list[str]:
        """The currencies, the one with most first."""
        return sorted(self.calls.costs, key=lambda unit: -self.calls.costs[unit])

    def tables(self) -> tuple[str, dict[str, tuple[Mapping[str, Any], ...]]]:
        """What a step of time is, and the tables."""
        units = self._units()
        step, buckets = _buckets(self.hours)
        errors = sorted(self.errors.items(), key=lambda found: (-found[1][0], found[0]))
        tables: dict[str, Iterable[Mapping[str, Any]]] = {
            "over_time": (
                {"start": start, **group.row(units, "calls")} for start, group in buckets
            ),
            "models": _ranked("model", self.models, units),
            "agents": _ranked("agent", self.agents, units),
            "tools": _ranked("tool", self.tools, units, tokens=False),
            "errors": (
                {"error": kind, "where": where, "count": n, "last": last, "example": example or ""}
                for (kind, where), (n, example, last) in errors
            ),
        }
        return step, {name: tuple(rows) for name, rows in tables.items()}


def _ranked(
    name: str, groups: Mapping[str, _Group], units: Sequence[str], *, tokens: bool = True
) -> Iterable[dict[str, Any]]:
    """The groups, the largest first."""

    def size(item: tuple[str, _Group]) -> tuple[int, str]:
        group = item[1]
        return -(group.input_tokens + group.output_tokens if tokens else group.count), item[0]

    what = "calls" if tokens else "runs"
    for label, group in sorted(groups.items(), key=size):
        yield {name: label, **group.row(units, what, tokens=tokens)}


def _buckets(hours: Mapping[dt.datetime, _Group]) -> tuple[str, list[tuple[dt.datetime, _Group]]]:
    """The hours joined to steps, short enough to show a course and long enough to be a line; empty ones between too."""
    if not hours:
        return "hour", []
    days = (max(hours) - min(hours)) / dt.timedelta(days=1)
    most = {"hour": _POINTS / 24, "day": _POINTS, "week": _POINTS * 7, "month": _POINTS * 30}
    step = next((name for name, limit in most.items() if days <= limit), "year")
    found = {start: _Group() for start in _starts(min(hours), max(hours), step)}
    for hour in sorted(hours):
        found[_start(hour, step)].join(hours[hour])
    return step, list(found.items())


def _starts(first: dt.datetime, last: dt.datetime, step: str) -> list[dt.datetime]:
    """The start of each step between two times."""
    at, end = _start(first, step), _start(last, step)
    if step == "year":
        return [at.replace(year=year) for year in range(at.year, end.year + 1)]
    if step == "month":
        months = range(at.year * 12 + at.month - 1, end.year * 12 + end.month)
        return [at.replace(year=month // 12, month=month % 12 + 1) for month in months]
    length = {"hour": 1, "day": 24, "week": 168}[step] * _HOUR
    return [at + place * length for place in range((end - at) // length + 1)]


def _start(time: dt.datetime, step: str) -> dt.datetime:
    if step == "hour":
        return time
    day = time.replace(hour=0)
    if step == "week":
        return day - dt.timedelta(days=min(day.weekday(), day.toordinal() - 1))
    if step == "day":
        return day
    return day.replace(day=1) if step == "month" else day.replace(day=1, month=1)
