"""What a reader of tables gives: the names of the columns, and the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmtee.bulk._records import Raw
from llmtee.errors import InputError


@dataclass(slots=True)
class Table:
    """A table, open."""

    columns: Sequence[str]
    rows: Iterator[Raw | InputError]
    """Each with its cells by column."""
    typed: bool
    """Whether columns have types, or cells are text."""
    naive: Sequence[str] = ()
    """Columns of times without a zone."""
    schema: str | None = None
    """Which of llmtee's own schemas it has, as ``llmtee.schema`` says in its metadata."""
