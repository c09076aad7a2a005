"""The durable log of what was recorded, and of where each exporter stands in it."""

from __future__ import annotations

from llmtee.eventlog._disk import Disk, disk
from llmtee.eventlog.operation import Located, Location, Mended, Period, Replayed, Selection
from llmtee.eventlog.protocol import (
    CANONICAL,
    END,
    SUPPLEMENT,
    WHOLE,
    Counts,
    DeadLetter,
    Entry,
    EventLog,
    Mark,
    Outcome,
    Place,
    Record,
    Retention,
    Settlement,
    Standing,
    Standings,
    State,
    Story,
    Subscription,
    Work,
)
from llmtee.eventlog.sharing import Bell, Leader, Leadership, leader, ring
from llmtee.eventlog.sqlite import SqliteLog, existing_log

__all__ = [
    "CANONICAL",
    "END",
    "SUPPLEMENT",
    "WHOLE",
    "Bell",
    "Counts",
    "DeadLetter",
    "Disk",
    "Entry",
    "EventLog",
    "Leader",
    "Leadership",
    "Located",
    "Location",
    "Mark",
    "Mended",
    "Outcome",
    "Period",
    "Place",
    "Record",
    "Replayed",
    "Retention",
    "Selection",
    "Settlement",
    "SqliteLog",
    "Standing",
    "Standings",
    "State",
    "Story",
    "Subscription",
    "Work",
    "disk",
    "existing_log",
    "leader",
    "ring",
]
