"""A ledger for people: as text, in a terminal, in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Any


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

# No colours but those of the page and two that read on light and on dark: a notebook may be either.
_STYLE = """
.llmtee-ledger{font-size:.9em;line-height:1.4}
.llmtee-ledger p{margin:.3em 0}
.llmtee-ledger summary{cursor:pointer;font-weight:600;padding:.15em 0}
.llmtee-ledger summary span{font-weight:400;opacity:.7}
.llmtee-ledger table{color:inherit;font-size:inherit;border-collapse:collapse;margin:.2em 0 .6em 1.1em}
.llmtee-ledger th,.llmtee-ledger td{text-align:left;vertical-align:top;padding:.15em .9em .15em 0;
border-bottom:1px solid rgba(128,128,128,.25);background:none;white-space:normal;overflow-wrap:anywhere;
unicode-bidi:isolate}
.llmtee-ledger th{font-weight:400;opacity:.7;overflow-wrap:normal}
.llmtee-ledger td:first-child{min-width:9em}
.llmtee-ledger td:nth-child(2){text-align:right}
.llmtee-ledger td:nth-child(3){opacity:.75}
.llmtee-ledger .lost{color:#d1495b}
.llmtee-ledger .changed,.llmtee-ledger .trimmed{color:#b7791f}
"""

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
    parts = [f"<style>{_STYLE}</style>", f"<p>{escape(summary)}</p>"]
    for (noted, status), group in groupby(rows, key=lambda row: (row.noted, row.status)):
        if not noted:
            parts.append(_details(status, _MEANING.get(status, ""), list(group)))
    if done := [row for row in rows if row.noted]:
        parts.append(_details("done on purpose", "what rendering changed", done))
    return f'<div class="llmtee-ledger">{"".join(parts)}</div>'


def _details(title: str, meaning: str, rows: Sequence[Row]) -> str:
    count = sum(row.count for row in rows)
    head = (
        f'<summary class="{escape(title)}">{escape(title)} · {count:,} <span>{escape(meaning)}</span>'
        "</summary>"
    )
    titles = ("field", "values", "example", "why")
    cells = "".join(f"<th>{title}</th>" for title in titles)
    body = "".join(map(_row, rows))
    opened = " open" if title in _OPEN else ""
    return f"<details{opened}>{head}<table><tr>{cells}</tr>{body}</table></details>"


def _row(row: Row) -> str:
    said = f"{row.status}: {row.reason}" if row.noted else row.reason or ""
    cells = (
        f"<code>{escape(row.path).replace('.', '.<wbr>')}</code>",
        f"{row.count:,}",
        escape(row.example or ""),
        escape(said),
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
