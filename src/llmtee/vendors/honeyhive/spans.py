"""The times in a position, and the spans of unix milliseconds to ask HoneyHive for.

A window is exact; HoneyHive is asked in milliseconds, by spans that include both their ends.
"""

from __future__ import annotations

import datetime as dt

from llmtee.model.times import from_unix_ms, to_unix_ms
from llmtee.spec import Position

Span = tuple[int, int]


def begin(position: Position) -> int:
    """The millisecond in which the window begins. Nothing at HoneyHive is older than unix time."""
    since = _since(position)
    return 0 if since is None else to_unix_ms(since)


def end(position: Position) -> int:
    """The first millisecond that is wholly after the window."""
    return _rounded_up(_until(position))


def inside(position: Position) -> Span:
    """The milliseconds that are wholly inside the window: what they hold is read for sure.

    The last is before the first where there are none.
    """
    since = _since(position)
    first = 0 if since is None else _rounded_up(since)
    return first, to_unix_ms(_until(position)) - 1


def moment(position: Position) -> Span:
    """The one millisecond in which the position stands."""
    return position["at"], position["at"] + 1


def holds(position: Position, time: dt.datetime) -> bool:
    """Whether a time is in the window."""
    since = _since(position)
    return (since is None or since <= time) and time < _until(position)


def where(position: Position) -> str:
    """In words, where the position stands."""
    if position["phase"] == "undated":
        return "without a start_time"
    first, last = position["at"], min(position["at"] + position["width"], end(position))
    return f"from {iso(first)} to {iso(last)}"


def iso(milliseconds: int) -> str:
    """A time as HoneyHive takes it."""
    return from_unix_ms(milliseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _since(position: Position) -> dt.datetime | None:
    text = position["since"]
    return None if text is None else dt.datetime.fromisoformat(text)


def _until(position: Position) -> dt.datetime:
    return dt.datetime.fromisoformat(position["until"])


def _rounded_up(time: dt.datetime) -> int:
    return to_unix_ms(time + dt.timedelta(microseconds=999))
