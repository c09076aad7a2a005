"""Keeping a log in memory within its bound: what all exporters are finished with may go."""

from __future__ import annotations

import sqlite3

_FINISHED = """
SELECT session, count(*) FROM events AS event
WHERE seq <= (SELECT min(position) FROM exporters)
GROUP BY session
HAVING max(seq) = (SELECT max(seq) FROM events WHERE session = event.session)
   AND NOT EXISTS (
     SELECT 1 FROM work WHERE state IN ('pending', 'claimed', 'inflight', 'unknown') AND (
       work.key = 'session:' || event.session
       OR work.key IN (SELECT 'event:' || id FROM events WHERE session = event.session)))
ORDER BY max(seq)
"""


def forget(db: sqlite3.Connection, wanted: int) -> int:
    """Deletes the events of finished sessions, least recent first, until ``wanted`` are gone; returns how many went.

    A forgotten session's conversations close, so that a later event opens a new segment: sending again what is left
    would replace a whole conversation by its end.
    """
    gone = 0
    for session, events in db.execute(_FINISHED).fetchall():
        if gone >= wanted:
            break
        db.execute(
            "UPDATE exporters SET forgotten = forgotten + "
            "(SELECT count(*) FROM events WHERE session = ? AND kind <> 'end' AND seq > start)",
            (session,),
        )
        db.execute("UPDATE work SET phase = 'closed' WHERE key = ?", (f"session:{session}",))
        db.execute("DELETE FROM events WHERE session = ?", (session,))
        gone += events
    return gone
