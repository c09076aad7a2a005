"""The plots of a summary, by matplotlib, without its global state: no window, no ``pyplot``, no style of the user's changed.

Colours and greys that read on light and on dark, on no background of their own.
"""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any, Final, TypeAlias

from llmtee import views
from llmtee.errors import UsageError

Rows: TypeAlias = Sequence[Mapping[str, Any]]

_GREY: Final = "#7d828b"
_BLUE: Final = "#3f7ddb"
_AMBER: Final = "#d28a1e"
_RED: Final = "#cf4560"
_GREEN: Final = "#1b9a6c"
_BARS: Final = 10
"""Bars of a plot at most; the table has the rest."""
_LETTERS: Final = 32


def missing() -> str | None:
    """Why there are no plots; ``None`` where they can be made."""
    found = "matplotlib" in sys.modules or find_spec("matplotlib") is not None
    return None if found else "plots need matplotlib: pip install 'llmtee[notebook]'"


def has(name: str, rows: Rows) -> bool:
    """Whether there is anything to plot."""
    columns = {
        "tokens": ("input_tokens", "output_tokens"),
        "cost": tuple(key for key in (rows[0] if rows else ()) if key.startswith("cost_")),
        "latency": ("median_ms",),
    }.get(name)
    return bool(rows) if columns is None else any(row[key] for row in rows for key in columns)


def figure(name: str, rows: Rows, step: str) -> Any:
    """A plot.

    Args:
        name: which one.
        rows: of the summary's table.
        step: what a row over time stands for.

    Raises:
        UsageError: matplotlib is not installed.
    """
    if why := missing():
        raise UsageError(why)
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    bars = name in ("models", "agents", "tools", "errors")
    height = 0.62 + 0.25 * max(min(len(rows), _BARS), 2) if bars else 2.3
    made = Figure(figsize=(5.6, height), dpi=144, layout="constrained")
    axes = made.subplots()
    _plain(axes, "x" if bars else "y")
    _DRAW[name](axes, rows)
    if not bars:
        _time_axis(axes, rows, step)
    return made


def png(made: Any) -> bytes:
    """A figure as PNG; the same bytes for the same figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an extra

    out = io.BytesIO()
    FigureCanvasAgg(made).print_figure(
        out, format="png", facecolor="none", edgecolor="none", metadata={"Software": None}
    )
    return out.getvalue()


def _plain(axes: Any, values: str) -> None:
    axes.set_facecolor("none")
    for side in ("top", "right", "left" if values == "y" else "bottom"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_color(_GREY)
    axes.tick_params(colors=_GREY, labelsize=8, length=0, pad=5)
    axes.grid(axis=values, color=_GREY, alpha=0.25, linewidth=0.7)
    axes.set_axisbelow(True)


# ── over time ───────────────────────────────────────────────────────────────────────────────────────────────────


def _tokens(axes: Any, rows: Rows) -> None:
    given, made = ([row[key] for row in rows] for key in ("input_tokens", "output_tokens"))
    axes.bar(range(len(rows)), given, 0.82, color=_BLUE, label="input")
    axes.bar(range(len(rows)), made, 0.82, bottom=given, color=_AMBER, label="output")
    _finish(axes.yaxis, _short, axes)


def _cost(axes: Any, rows: Rows) -> None:
    units = [key for key in rows[0] if key.startswith("cost_")]
    # Amounts of different currencies do not add up: the largest is drawn, the table has the others.
    unit = units[0]
    axes.bar(range(len(rows)), [row[unit] for row in rows], 0.82, color=_GREEN)
    name = views.visible(unit.removeprefix("cost_"))[:_LETTERS]
    _finish(axes.yaxis, lambda value: f"{value:,.4g} {name}", None)


def _latency(axes: Any, rows: Rows) -> None:
    for key, colour, label in (("p95_ms", _AMBER, "95 %"), ("median_ms", _BLUE, "median")):
        values = [math.nan if row[key] is None else row[key] for row in rows]
        mark = "o" if len(rows) < 40 else None
        axes.plot(
            range(len(rows)),
            values,
            color=colour,
            label=label,
            linewidth=1.7,
            marker=mark,
            markersize=3,
        )
    axes.set_ylim(bottom=0)
    _finish(axes.yaxis, lambda value: views.span(value) or "", axes)


def _time_axis(axes: Any, rows: Rows, step: str) -> None:
    pattern = {
        "hour": "%d %b %H:00",
        "day": "%d %b",
        "week": "%d %b %y",
        "month": "%b %Y",
        "year": "%Y",
    }[step]
    count = min(5, len(rows))
    places = sorted({round(place * (len(rows) - 1) / max(count - 1, 1)) for place in range(count)})
    axes.set_xticks(places, [rows[place]["start"].strftime(pattern) for place in places])
    axes.set_xlim(-0.6, max(len(rows), 8) - 0.4)  # one bar alone is no block


# ── by name ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _by_tokens(axes: Any, rows: Rows) -> None:
    if any(row["input_tokens"] or row["output_tokens"] for row in rows):
        _stacked(
            axes,
            rows,
            ("input_tokens", "output_tokens"),
            ("input tokens", "output tokens"),
            (_BLUE, _AMBER),
        )
    else:
        _stacked(axes, rows, ("calls",), ("calls",), (_BLUE,))


def _by_runs(axes: Any, rows: Rows) -> None:
    whole = [{**row, "fine": row["runs"] - row["failed"]} for row in rows]
    _stacked(axes, whole, ("fine", "failed"), ("done", "failed"), (_GREEN, _RED))


def _by_errors(axes: Any, rows: Rows) -> None:
    named = [{"error": f"{row['error']}, {row['where']}", "count": row["count"]} for row in rows]
    _stacked(axes, named, ("count",), ("times",), (_RED,))


def _stacked(
    axes: Any, rows: Rows, keys: Sequence[str], labels: Sequence[str], colours: Sequence[str]
) -> None:
    shown = rows[:_BARS]
    places = range(len(shown))
    done = [0.0] * len(shown)
    for key, label, colour in zip(keys, labels, colours, strict=True):
        values = [float(row[key]) for row in shown]
        axes.barh(places, values, 0.66, left=done, color=colour, label=label)
        done = [left + value for left, value in zip(done, values, strict=True)]
    # Names come from outside: "$" would start a formula.
    axes.set_yticks(places, [_name(str(next(iter(row.values())))) for row in shown])
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.set_ylim(max(len(shown), 2) - 0.5, -0.5)
    _finish(axes.xaxis, _short, axes if len(keys) > 1 else None)


def _finish(axis: Any, said: Callable[[float], str], legend: Any) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: PLC0415 - an extra

    axis.set_major_locator(MaxNLocator(4, integer=said is _short))
    axis.set_major_formatter(FuncFormatter(lambda value, _: said(value)))
    if legend is not None:
        legend.legend(
            frameon=False,
            fontsize=8,
            labelcolor=_GREY,
            ncols=2,
            handlelength=1,
            loc="lower right",
            bbox_to_anchor=(1, 0.98),
            borderaxespad=0,
        )


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _name(text: str) -> str:
    """A label of one short line, in letters that the font has."""
    line = " ".join(views.visible(text[:400]).split())
    line = line if len(line) <= _LETTERS else f"{line[: _LETTERS - 1]}…"
    known = _letters()
    return "".join(one if ord(one) in known else "□" for one in line) or "□"


@cache
def _letters() -> frozenset[int]:
    """What the font can draw; matplotlib warns of anything else."""
    from matplotlib.font_manager import FontProperties, findfont, get_font  # noqa: PLC0415 - an extra

    return frozenset(get_font(findfont(FontProperties())).get_charmap())


_DRAW: Final[Mapping[str, Callable[[Any, Rows], None]]] = {
    "tokens": _tokens,
    "cost": _cost,
    "latency": _latency,
    "models": _by_tokens,
    "agents": _by_tokens,
    "tools": _by_runs,
    "errors": _by_errors,
}
