"""Dead letters and items of unknown outcome: found, tried again, dropped. Each function runs inside one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from llmtee import jsontext
from llmtee.eventlog.operation import Mended, Selection
from llmtee.eventlog.protocol import DeadLetter, Entry

DROPPED = "dropped by hand"

_Key = tuple[str, str, int]
_ENTRY = "id, session, kind, format, payload, recorded_at, error"
FOUND = (
    "SELECT work.exporter, work.key, work.segment, coalesce(letter.at, "
    "(SELECT recorded_at FROM events WHERE seq = work.last_seq), 0), coalesce(work.reason, letter.reason, ''), {content} "
    "FROM exporters CROSS JOIN work {index} ON work.exporter = exporters.name "
    "LEFT JOIN dead_letters AS letter ON letter.exporter = work.exporter AND letter.key = work.key "
    "AND letter.segment = work.segment WHERE (:exporter IS NULL OR exporters.name = :exporter) AND {which}"
)
ALL = {
    "index": "INDEXED BY work_settled",
    # The second condition says that the index, which does not have all rows, has these.
    "which": "work.state = :state AND work.state IN ('dead', 'unknown', 'skipped')",
}
SOME = {
    "index": "",
    "which": "+work.state = :state AND work.key IN (SELECT 'event:' || value FROM json_each(:ids) "
    "UNION ALL SELECT 'session:' || value FROM json_each(:ids))",
}


def find(db: sqlite3.Connection, selection: Selection, *, whole: bool) -> list[DeadLetter]:
    """The selected letters, oldest first; with ``whole`` false without requests and answers."""
    found = [letter for _, letter in _found(db, selection, whole=whole)]
    return sorted(found, key=lambda letter: (letter.at, letter.exporter, letter.id, letter.segment))


def _found(
    db: sqlite3.Connection, selection: Selection, *, whole: bool
) -> Iterator[tuple[_Key, DeadLetter]]:
    content = "letter.request, letter.answer" if whole else "NULL, NULL"
    rows = db.execute(
        FOUND.format(content=content, **(ALL if selection.ids is None else SOME)),
        {
            "state": selection.state,
            "exporter": selection.exporter,
            "ids": jsontext.dumps(sorted(selection.ids or ())).decode(),
        },
    )
    wanted = None if selection.reason is None else selection.reason.casefold()
    for exporter, key, segment, at, reason, request, answer in rows:
        name = key.partition(":")[2]
        if (selection.since is not None and at < selection.since) or (
            wanted is not None and wanted not in reason.casefold()
        ):
            continue
        yield (
            (exporter, key, segment),
            DeadLetter(
                exporter, name, segment, at, reason, _json(request), _json(answer), selection.state
            ),
        )


def _json(content: bytes | None) -> dict[str, Any] | None:
    return None if content is None else jsontext.loads(content)


def entries(db: sqlite3.Connection, letter: DeadLetter) -> list[Entry]:
    """The events that a letter is about, as far as they are still there."""
    for key in _keys_of(letter):
        row = db.execute(
            "SELECT after_seq, last_seq FROM work WHERE exporter = ? AND key = ? AND segment = ? "
            "AND state IN ('dead', 'unknown')",
            (letter.exporter, key, letter.segment),
        ).fetchone()
        if row is None:
            continue
        if key.startswith("event:"):
            where, values = "seq = ?", (row[1],)
        else:
            where, values = "session = ? AND seq > ? AND seq <= ?", (letter.id, *row)
        rows = db.execute(
            f"SELECT {_ENTRY} FROM events WHERE {where} AND kind <> 'end' ORDER BY seq",  # noqa: S608 - names of this module's own
            values,
        )
        return [Entry(*found) for found in rows]
    return []


def _keys_of(letter: DeadLetter) -> tuple[str, str]:
    return f"event:{letter.id}", f"session:{letter.id}"


def retry(db: sqlite3.Connection, selection: Selection) -> Mended:
    """Makes the selected items pending, as if they had never been tried."""
    return _mend(
        db,
        selection,
        "state = 'pending', attempts = 0, first_at = NULL, not_before = 0, due_at = 0, reason = NULL",
        may=_trouble,
    )


def drop(db: sqlite3.Connection, selection: Selection) -> Mended:
    """Gives the selected items up for good."""
    return _mend(db, selection, f"state = 'skipped', dropped = 1, reason = '{DROPPED}'")


def _mend(
    db: sqlite3.Connection,
    selection: Selection,
    change: str,
    *,
    may: Callable[[sqlite3.Connection, _Key], str | None] | None = None,
) -> Mended:
    keys: list[_Key] = []
    hopeless: dict[str, list[str]] = {"unreadable": [], "gone": []}
    for key, letter in list(_found(db, selection, whole=False)):
        trouble = None if may is None else may(db, key)
        if trouble is None:
            keys.append(key)
        else:
            hopeless[trouble].append(letter.id)
    where = "WHERE exporter = ? AND key = ? AND segment = ?"
    db.executemany(f"UPDATE work SET {change} {where}", keys)  # noqa: S608 - texts of this module's own
    db.executemany(f"DELETE FROM dead_letters {where}", keys)  # noqa: S608
    return Mended(
        changed=len(keys),
        unreadable=tuple(hopeless["unreadable"]),
        gone=tuple(hopeless["gone"]),
    )


def _trouble(db: sqlite3.Connection, key: _Key) -> str | None:
    """Why an item cannot be tried again."""
    after, last = db.execute(
        "SELECT after_seq, last_seq FROM work WHERE exporter = ? AND key = ? AND segment = ?", key
    ).fetchone()
    kind, _, session = key[1].partition(":")
    if kind == "session":
        row = db.execute(
            "SELECT kind FROM events WHERE session = ? AND seq > ? AND seq <= ? AND kind = 'event' LIMIT 1",
            (session, after, last),
        ).fetchone()
    else:
        row = db.execute("SELECT kind FROM events WHERE seq = ?", (last,)).fetchone()
    if row is None:
        return "gone"
    return "unreadable" if row[0] == "undecodable" else None
