"""A ledger for people: as text, in a terminal, in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from llmtee.views import Content, Html, element, fold, page, path
from llmtee.views import table as table_of


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a ledger."""

    status: str
    """What became of the values, or what rendering did."""
    path: str
    count: int
    example: str | None
    reason: str | None
    noted: bool = False
    """Whether it tells what rendering did on purpose."""

    @property
    def field(self) -> str:
        """The path, with the count where it is not one."""
        return self.path if self.count == 1 else f"{self.path} ×{self.count:,}"


_JOINERS = "\u200c\u200d"
"""Not printable by themselves, but parts of words and emoji."""


def text(summary: str, rows: Sequence[Row]) -> str:
    """Columns of plain text: status, field, example, reason."""
    cells = [(row.status, row.field, row.example or "", row.reason or "") for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True) if width)
        for line in cells
    ]
    return "\n".join([summary, *(printable(line).rstrip() for line in lines)])


def printable(line: str) -> str:
    """Without control characters, which a terminal would obey, those that turn the direction of text among them."""
    return "".join(c if c.isprintable() or c in _JOINERS else "\ufffd" for c in line)


# ── terminal ────────────────────────────────────────────────────────────────────────────────────────────────────

_COLOURS = {"lost": "red", "changed": "yellow", "trimmed": "yellow", "dropped": "red"}


def table(summary: str, rows: Sequence[Row]) -> Any:
    """The same for ``rich``, which is the only one to ask for it."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - rich is an extra
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    made = Table(
        title=Text(summary, style="bold"), title_justify="left", box=SIMPLE_HEAD, pad_edge=False
    )
    for heading in ("", "field", "example", "why"):
        made.add_column(heading, overflow="fold")
    for row in rows:
        made.add_row(
            Text(printable(row.status), style=_COLOURS.get(row.status, "")),
            Text(printable(row.field)),
            Text(printable(row.example or ""), style="dim"),
            Text(printable(row.reason or "")),
        )
    return made


# ── notebook ────────────────────────────────────────────────────────────────────────────────────────────────────

_MEANING = {
    "lost": "nothing comes back",
    "changed": "something else comes back",
    "trimmed": "a part comes back",
    "parked": "comes back from free-form fields",
    "kept": "comes back from fields made for it",
}
_OPEN = frozenset({"lost", "changed", "trimmed"})


def html(summary: str, rows: Sequence[Row]) -> str:
    """One part for each status, to fold out; what does not come back as it was is open. Everything is escaped."""
    parts = [element("p", summary)]
    for (noted, status), group in groupby(rows, key=lambda row: (row.noted, row.status)):
        if not noted:
            parts.append(_part(status, _MEANING.get(status, ""), list(group)))
    if done := [row for row in rows if row.noted]:
        parts.append(_part("done on purpose", "what rendering changed", done))
    return page(*parts)


def _part(status: str, meaning: str, rows: Sequence[Row]) -> Html:
    titles = ("field", "values", "example", "why")
    shown = table_of(titles, map(_cells, rows), numbers=(1,))
    count = sum(row.count for row in rows)
    look = f"lt-{status}" if status in _MEANING else None
    return fold(f"{status} · {count:,}", shown, note=meaning, opened=status in _OPEN, look=look)


def _cells(row: Row) -> tuple[Content, ...]:
    said = f"{row.status}: {row.reason}" if row.noted else row.reason or ""
    return path(row.path), f"{row.count:,}", row.example or "", said
