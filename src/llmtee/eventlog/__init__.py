"""The durable log of what was recorded, and of where each exporter stands in it."""

from __future__ import annotations

from llmtee.eventlog.protocol import (
    CANONICAL,
    END,
    SUPPLEMENT,
    Counts,
    DeadLetter,
    Entry,
    EventLog,
    Outcome,
    Place,
    Record,
    Retention,
    Settlement,
    Subscription,
    Work,
)
from llmtee.eventlog.sharing import Bell, Leadership, ring
from llmtee.eventlog.sqlite import SqliteLog, open_log

__all__ = [
    "CANONICAL",
    "END",
    "SUPPLEMENT",
    "Bell",
    "Counts",
    "DeadLetter",
    "Entry",
    "EventLog",
    "Leadership",
    "Outcome",
    "Place",
    "Record",
    "Retention",
    "Settlement",
    "SqliteLog",
    "Subscription",
    "Work",
    "open_log",
    "ring",
]
