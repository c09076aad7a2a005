"""`summary`: tokens, cost and latency over time; models, agents, tools and errors. Tables, and a plot of each."""

from __future__ import annotations

import datetime as dt
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from llmtee import views
from llmtee.errors import UsageError
from llmtee.notebook import _plots
from llmtee.notebook._facts import Fact, facts

_HOUR: Final = dt.timedelta(hours=1)
_POINTS: Final = 100
"""At most so many points on a line of time, unless months are too short."""
_SHOWN: Final = 20
"""Rows of a table in a notebook; `rows` has them all."""

_TITLES: Final = {
    "tokens": "Tokens over time",
    "cost": "Cost over time",
    "latency": "Latency over time",
    "models": "By model",
    "agents": "By agent",
    "tools": "Tools used",
    "errors": "Errors",
}
_OVER_TIME: Final = ("tokens", "cost", "latency")


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


@dataclass(frozen=True)
class Summary:
    """What a pile of events comes to; made by ``llmtee.summary``, and shows itself in a notebook."""

    totals: Mapping[str, Any]
    """``events``, ``sessions``, ``calls``, ``tool_runs``, ``failed``, tokens, ``cost_USD`` and so on for each currency,
    ``first`` and ``last`` (when something started)."""
    tables: Mapping[str, tuple[Mapping[str, Any], ...]]
    """By name: ``over_time``, ``models``, ``agents``, ``tools``, ``errors``."""
    step: str
    """What a row of ``over_time`` stands for: ``hour``, ``day``, ``week`` (from Monday), ``month`` or ``year``; in UTC."""

    def rows(self, name: str) -> list[dict[str, Any]]:
        """A table as a list of dicts, for ``pandas.DataFrame`` or ``polars.DataFrame``.

        Times are in UTC, durations in milliseconds, costs in the currency that their name says.

        Raises:
            UsageError: there is no such table.
        """
        if name not in self.tables:
            raise UsageError(f"there is no table {name!r:.40}; there are {', '.join(self.tables)}")
        return [dict(row) for row in self.tables[name]]

    def figure(self, name: str) -> Any:
        """A plot, as a ``matplotlib.figure.Figure``: to change, or to save with ``savefig``.

        Args:
            name: ``tokens``, ``cost`` or ``latency`` (over time), ``models``, ``agents``, ``tools`` or ``errors``.

        Raises:
            UsageError: there is no such plot, or matplotlib is not installed.
        """
        if name not in _TITLES:
            raise UsageError(f"there is no plot {name!r:.40}; there are {', '.join(_TITLES)}")
        return _plots.figure(name, self._of(name), self.step)

    def _of(self, name: str) -> tuple[Mapping[str, Any], ...]:
        return self.tables["over_time" if name in _OVER_TIME else name]

    def __repr__(self) -> str:
        said = [f"{key} {_said(key, value)}" for key, value in self.totals.items() if value]
        return f"<Summary: {', '.join(said)}>"

    def _repr_html_(self) -> str:
        """The totals, and each plot with its table to fold out."""
        totals = self.totals
        known = [
            ("cost" if key.startswith("cost_") else key.replace("_", " "), _said(key, value))
            for key, value in totals.items()
            if value
        ]
        plots = [self._plot(name) for name in _TITLES if _plots.has(name, self._of(name))]
        return views.page(
            views.head("summary", None, known), views.element("div", *plots, class_="lt-plots")
        )

    def _plot(self, name: str) -> views.Html:
        rows = self._of(name)
        picture = views.raster(_plots.png(self.figure(name)), "image/png", _TITLES[name])
        title = f"{_TITLES[name]}, by {self.step}" if name in _OVER_TIME else _TITLES[name]
        columns = [key for key in rows[0] if _belongs(name, key)]
        shown = rows if name in _OVER_TIME else rows[:_SHOWN]
        cells = [[_said(key, row[key]) for key in columns] for row in shown]
        words = [key.removesuffix("_ms").replace("_", " ") for key in columns]
        numbers = [
            place
            for place, key in enumerate(columns)
            if not isinstance(rows[0][key], str | dt.datetime)
        ]
        more = [views.dim(f"and {len(rows) - len(shown):,} more")] if len(rows) > len(shown) else []
        table = views.fold("as a table", views.table(words, cells, numbers), *more)
        return views.element("div", views.element("h4", title), picture, table)


def _belongs(plot: str, column: str) -> bool:
    """Whether a column of the table over time is what the plot shows."""
    own = {
        "tokens": ("start", "calls", "input_tokens", "output_tokens"),
        "latency": ("start", "calls", "failed", "median_ms", "p95_ms"),
    }
    if plot == "cost":
        return column in ("start", "calls") or column.startswith("cost_")
    return plot not in own or column in own[plot]


def _said(key: str, value: Any) -> str:
    if value is None:
        return ""
    if key.endswith("_ms"):
        return views.span(value) or ""
    if key.startswith("cost_"):
        return views.money(value, key.removeprefix("cost_")) or ""
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%d %H:%M" if value.hour or value.minute else "%Y-%m-%d")
    return str(value) if isinstance(value, str) else views.number(value) or ""


def summary(items: Any) -> Summary:
    """Tokens, cost and latency over time, by model and by agent, the tools used, and what failed.

    Tokens, cost and latency are those of model calls: each counts once. A conversation counts as the calls and tool
    runs that it was made of. Each of a table's rows counts, so filter the frame first to look at a part of it.

    Args:
        items: events and conversations, such as ``llmtee.read`` gives them (taken one by one, so that any number fit);
            or a table of them as ``llmtee.to_frame`` makes it: pyarrow, pandas or polars, filtered as you like.

    Returns:
        A `Summary`. It shows itself in a notebook, has its numbers in ``rows(name)`` and its plots in ``figure(name)``.

    Raises:
        UsageError: ``items`` is something else.
    """
    counted = _Counts()
    for fact in facts(items):
        counted.add(fact)
    return counted.summary()


@dataclass
class _Counts:
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

    def summary(self) -> Summary:
        units = sorted(self.calls.costs, key=lambda unit: -self.calls.costs[unit])
        step, buckets = _buckets(self.hours)
        totals = {
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
        return Summary(totals, {name: tuple(rows) for name, rows in tables.items()}, step)


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
