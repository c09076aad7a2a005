"""`summary`: tokens, cost and latency over time; models, agents, tools and errors. Tables, and a plot of each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from llmtee import views
from llmtee.errors import UsageError
from llmtee.notebook import _plots
from llmtee.notebook._counts import Counts
from llmtee.notebook._facts import facts

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
        """The totals, and each plot with its table to fold out; without matplotlib the tables."""
        totals = self.totals
        known = [
            ("cost" if key.startswith("cost_") else key.replace("_", " "), _said(key, value))
            for key, value in totals.items()
            if value
        ]
        plots = [self._plot(name) for name in _TITLES if _plots.has(name, self._of(name))]
        why = _plots.missing()
        note = [] if why is None else [views.element("p", views.dim(why))]
        shown = views.element("div", *plots, class_="lt-plots")
        return views.page(views.head("summary", None, known), *note, shown)

    def _plot(self, name: str) -> views.Html:
        rows = self._of(name)
        drawn = _plots.missing() is None
        picture = (
            [views.raster(_plots.png(self.figure(name)), "image/png", _TITLES[name])]
            if drawn
            else []
        )
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
        table = views.table(words, cells, numbers)
        below = views.fold("as a table", table, *more, opened=not drawn)
        return views.element("div", views.element("h4", title), *picture, below)


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
    counted = Counts()
    for fact in facts(items):
        counted.add(fact)
    step, tables = counted.tables()
    return Summary(counted.totals(), tables, step)
