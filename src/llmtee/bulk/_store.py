"""What a conversion remembers from chunk to chunk, in an SQLite file: bounded memory, and never half written."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from llmtee.bulk._spill import Gathered, Span
from llmtee.bulk._work import Claims
from llmtee.errors import UsageError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS claims (key INTEGER PRIMARY KEY, content INTEGER NOT NULL, count INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS variants (
    key INTEGER NOT NULL, content INTEGER NOT NULL, ordinal INTEGER NOT NULL, PRIMARY KEY (key, content)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sessions (number INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS items (session INTEGER NOT NULL, at INTEGER NOT NULL, size INTEGER NOT NULL);
"""
_TABLES = ("state", "claims", "variants", "sessions", "items")
_CACHE = 8_000
"""KB that SQLite may hold."""


class Store:
    """The SQLite file, held by one process at a time. What was not committed is forgotten.

    Args:
        path: of the file; ``None`` for a temporary one that nobody else sees.

    Raises:
        UsageError: another process holds it, or it cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        try:
            self.db = sqlite3.connect("" if path is None else path, timeout=0, isolation_level=None)
            self.db.execute(f"PRAGMA cache_size = -{_CACHE}")
            self.db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self.db.execute("BEGIN EXCLUSIVE")
            for statement in _SCHEMA.split(";"):
                self.db.execute(statement)
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise UsageError(f"{path}: another conversion is at work on this output") from None
            raise UsageError(f"{path}: cannot be written: {error}") from None
        except sqlite3.DatabaseError as error:
            raise UsageError(f"{path}: {error}; remove it to start over") from None

    def load(self) -> dict[str, Any] | None:
        """What was committed last; ``None`` where nothing was."""
        row = self.db.execute("SELECT value FROM state WHERE id = 1").fetchone()
        return None if row is None else json.loads(row[0])

    def commit(self, state: dict[str, Any]) -> None:
        """Keeps the state together with all that was told before, or neither."""
        self.db.execute("REPLACE INTO state VALUES (1, ?)", (json.dumps(state),))
        self.db.execute("COMMIT")
        self.db.execute("BEGIN EXCLUSIVE")

    def clear(self) -> None:
        """Forgets everything, for good."""
        for table in _TABLES:
            self.db.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own
        self.db.execute("COMMIT")
        self.db.execute("BEGIN EXCLUSIVE")

    def close(self) -> None:
        """Lets go of the file. What was not committed is forgotten."""
        self.db.close()

    def remove(self) -> None:
        """Closes and removes the file."""
        self.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)


class Ordinals:
    """Ordinals of claims, as `_identity.Repetitions` has them, however many there are.

    Chunks are resolved in order, ahead of those that are written; only what `settle` was called for is in the store.
    """

    def __init__(self, store: Store) -> None:
        self._db = store.db
        self._ahead: dict[int, tuple[int, int]] = {}
        self._variants: dict[tuple[int, int], int] = {}
        self._chunks: deque[tuple[dict[int, tuple[int, int]], list[tuple[int, int, int]]]] = deque()

    def resolve(self, claims: Claims) -> dict[int, int]:
        """The ordinals other than 0, by position."""
        changed: dict[int, tuple[int, int]] = {}
        variants: list[tuple[int, int, int]] = []
        found: dict[int, int] = {}
        known = self._known(set(claims[1::3]) - self._ahead.keys())
        known |= {key: self._ahead[key] for key in claims[1::3] if key in self._ahead}
        for position, key, content in zip(claims[0::3], claims[1::3], claims[2::3], strict=True):
            first, count = known.get(key, (content, 0))
            if count and content and content != first:
                ordinal = self._variant(key, content)
                if ordinal is None:
                    ordinal = count
                    variants.append((key, content, ordinal))
                    self._variants[key, content] = ordinal
                    count += 1
                found[position] = ordinal
            elif content == 0:
                if count:
                    found[position] = count
                count += 1
            else:
                count = count or 1
            if known.get(key) != (first, count):
                known[key] = changed[key] = (first, count)
        self._ahead |= changed
        self._chunks.append((changed, variants))
        return found

    def settle(self) -> None:
        """Puts into the store what the oldest chunk claimed that was not put there yet."""
        changed, variants = self._chunks.popleft()
        rows = [(key, first, count) for key, (first, count) in changed.items()]
        self._db.executemany("REPLACE INTO claims VALUES (?, ?, ?)", rows)
        self._db.executemany("INSERT INTO variants VALUES (?, ?, ?)", variants)
        for key, value in changed.items():
            if self._ahead[key] is value:  # no later chunk has changed it
                del self._ahead[key]
        for key, content, _ in variants:
            del self._variants[key, content]

    def _known(self, keys: set[int]) -> dict[int, tuple[int, int]]:
        if not keys:
            return {}
        rows = self._db.execute(
            "SELECT key, content, count FROM claims WHERE key IN (SELECT value FROM json_each(?))",
            (json.dumps(sorted(keys)),),
        )
        return {key: (content, count) for key, content, count in rows}

    def _variant(self, key: int, content: int) -> int | None:
        if (key, content) in self._variants:
            return self._variants[key, content]
        row = self._db.execute(
            "SELECT ordinal FROM variants WHERE key = ? AND content = ?", (key, content)
        ).fetchone()
        return None if row is None else int(row[0])


class Groups:
    """Items by session, in a file; which session each belongs to is in the store.

    Args:
        store: of the conversion.
        file: binary, for reading and writing.
        size: bytes of it that count; what follows is overwritten.
    """

    def __init__(self, store: Store, file: Any, size: int = 0) -> None:
        self._db, self._file, self.size = store.db, file, size
        file.truncate(size)
        file.seek(size)

    @property
    def descriptor(self) -> int:
        """Of the file; what `sessions` tells of can be read by it."""
        return int(self._file.fileno())

    def add(self, gathered: Sequence[Gathered]) -> None:
        """Takes items, in order."""
        names = {one.key: _digest(one.key) for one in gathered}
        numbers: dict[str, int] = {}
        for name, digest in names.items():
            self._db.execute("INSERT OR IGNORE INTO sessions (key) VALUES (?)", (digest,))
            row = self._db.execute("SELECT number FROM sessions WHERE key = ?", (digest,))
            numbers[name] = row.fetchone()[0]
        rows = []
        for one in gathered:
            rows.append((numbers[one.key], self.size, len(one.data)))
            self.size += len(one.data)
        self._file.write(b"".join([one.data for one in gathered]))
        self._db.executemany("INSERT INTO items VALUES (?, ?, ?)", rows)

    def flush(self) -> None:
        """Sees to it that what was written outlives the machine."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def count(self) -> int:
        """How many sessions there are."""
        return int(self._db.execute("SELECT count(*) FROM sessions").fetchone()[0])

    def sessions(self, after: int) -> Iterator[tuple[int, list[Span]]]:
        """Number and places of the items of each session with a larger number, by first appearance."""
        self._file.flush()
        rows = self._db.execute(
            "SELECT session, at, size FROM items WHERE session > ? ORDER BY session, rowid",
            (after,),
        )
        for number, places in groupby(rows, key=itemgetter(0)):
            yield number, [(at, size) for _, at, size in places]


def _digest(key: str) -> bytes:
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()
