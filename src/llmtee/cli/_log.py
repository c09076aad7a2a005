"""An event log that is there already, and the times that people name."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmtee import config
from llmtee.errors import UsageError
from llmtee.eventlog import SqliteLog, existing_log

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)")
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}


@contextmanager
def event_log(directory: Path | None) -> Iterator[SqliteLog]:
    """The event log in a directory, or where the settings say.

    Raises:
        UsageError: there is none; nothing is created.
        EventLogError: it cannot be used.
    """
    log = existing_log(config.event_log_dir(directory))
    try:
        yield log
    finally:
        log.close()


def check_exporter(log: SqliteLog, name: str | None) -> None:
    """Refuses the name of an exporter that the log does not know.

    Raises:
        UsageError: it does not.
    """
    if name is not None and name not in (known := log.exporters()):
        raise UsageError(
            f"no exporter of {log.place} is named {name!r}; known: {', '.join(known) or 'none'}"
        )


def when(text: str, option: str, now: float) -> float:
    """A time as people write it, in unix seconds: ``2026-11-20``, ``2026-11-20T10:00Z``, or ``90min`` for so long ago.

    Without a time zone it is the one of this machine.

    Raises:
        UsageError: it is none of these.
    """
    if match := _AGO.fullmatch(text.strip()):
        return now - float(match[1]) * _UNITS[match[2]]
    try:
        # A time without a zone is local to `timestamp`.
        return dt.datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"{option} {text}: write a time such as 2026-11-20T10:00Z, or how long ago: 90min, 2h, 7d"
        ) from None


def clock(at: float) -> str:
    """Unix seconds as date and time of this machine, for people."""
    return dt.datetime.fromtimestamp(at, dt.UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float) -> str:
    """How long something takes, in two digits: ``0.4 s``, ``12 s``, ``5 min``, ``3 h``, ``4 d``."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 or seconds == 0 else f"{seconds:.1f} s"
