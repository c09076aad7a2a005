"""How commands print: plain and calm, readable without colour, JSON when asked."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmtee import jsontext

_WIDTH = 100


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def _width() -> int:
    columns = shutil.get_terminal_size((_WIDTH, 24)).columns
    return min(columns, _WIDTH) if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDTH


out = _Console(width=_width(), highlight=False, markup=False, emoji=False)
err = _Console(width=_width(), highlight=False, markup=False, emoji=False, stderr=True)


def line(text: str | Text = "", style: str = "") -> None:
    """One line, never wrapped, so that paths and commands can be copied."""
    out.print(text, style=style, soft_wrap=True)


def heading(text: str) -> None:
    """A heading with air above it."""
    out.print()
    out.print(Text(text, style="bold"), soft_wrap=True)


def table(*columns: str, right: Sequence[str] = ()) -> Table:
    """An empty table; the columns named in ``right`` are numbers."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


def show(made: Table, rows: Iterable[Sequence[Any]] = ()) -> None:
    """Fills a table with rows and prints it; ``None`` is an empty cell."""
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else _cell(cell) for cell in row))
    out.print(made)


def facts(rows: Iterable[tuple[str, str]], *, style: str = "") -> None:
    """Labels and what they stand for, each wrapped in a column of its own."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(style=style)
    for label, text in rows:
        grid.add_row(f"  {label}", text)
    out.print(grid)


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def print_json(value: Any) -> None:
    """A value as indented JSON on stdout, as UTF-8 whatever the locale says."""
    _write(jsontext.dumps_pretty(value).encode())


def print_json_line(value: Any) -> None:
    """A value as one line of JSON on stdout."""
    _write(jsontext.dumps(value))


def _write(content: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(content + b"\n")
    sys.stdout.buffer.flush()


def plural(count: int, noun: str) -> str:
    """``1 event``, ``2 events``."""
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun[:-1]}ies" if noun.endswith("y") else f"{count:,} {noun}s"


def seconds(value: float) -> str:
    """``2 s``, ``10 min``, ``24 h``."""
    for size, unit in ((3600, "h"), (60, "min")):
        if value >= size and value % size == 0:
            return f"{value / size:g} {unit}"
    return f"{value:g} s"


def size(value: int) -> str:
    """``2 MB``, ``5.2 KB``, ``310 B``: decimal, as vendors count."""
    for unit_size, unit in ((1_000_000, "MB"), (1_000, "KB")):
        if value >= unit_size:
            return f"{value / unit_size:.3g} {unit}"
    return f"{value} B"
