"""Items by session, on disk: so that two streams in any order can be compared a session at a time."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from llmtee.frames import item_text, load
from llmtee.model import Item, Supplement, SupplementBase

Entry: TypeAlias = Item | Supplement

_MANY = 500
"""Items that are put into one statement."""


class Spill:
    """A file that is gone when it is closed. Holds items under a side and a key; memory holds a few hundred of them."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="llmtee-verify-")
        self._db = sqlite3.connect(Path(self._directory.name) / "items.db", isolation_level=None)
        # Nothing has to outlive the process.
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute(
            "CREATE TABLE items (key TEXT, side TEXT, seq INTEGER PRIMARY KEY, content BLOB)"
        )
        self._db.execute("CREATE INDEX by_key ON items (key, side, seq)")
        self._waiting: list[tuple[str, str, bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()
        self._directory.cleanup()

    def add(self, side: str, key: str, item: Entry) -> None:
        """Puts an item in."""
        self._waiting.append((key, side, item_text(item)))
        if len(self._waiting) >= _MANY:
            self._write()

    def groups(self, *sides: str) -> Iterator[dict[str, list[Entry]]]:
        """The items of each key by their sides, each in the order in which they were put in."""
        self._write()
        marks = ", ".join("?" * len(sides))
        rows = self._db.execute(
            f"SELECT key, side, content FROM items WHERE side IN ({marks}) ORDER BY key, side, seq",  # noqa: S608 - marks
            sides,
        )
        for _, same_key in groupby(rows, lambda row: row[0]):
            found: dict[str, list[Entry]] = {side: [] for side in sides}
            for _, side, content in same_key:
                found[side].append(load(content))
            yield found

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._db.execute("BEGIN")
        self._db.executemany("INSERT INTO items (key, side, content) VALUES (?, ?, ?)", waiting)
        self._db.execute("COMMIT")


def key_of(item: Entry) -> str:
    """Under what an item is compared: its session. What has none, and supplements, by themselves."""
    if isinstance(item, SupplementBase):
        return f"supplement:{item.id}"
    return f"item:{item.id}" if item.session is None else f"session:{item.session}"
