"""Times: timezone-aware UTC inside, whatever the outside wrote.

The guess of a unit from a bare number lives here and nowhere else.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal, InvalidOperation
from typing import Any

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND = dt.timedelta(milliseconds=1)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?$")

# The first year that a unit can name with a number of this magnitude is 2001 for each, the last 5138 or later.
_UNITS = ((Decimal(10) ** 11, 1), (Decimal(10) ** 14, 10**3), (Decimal(10) ** 17, 10**6))


def parse_time(value: Any) -> dt.datetime | None:
    """A time in UTC from what logs hold, or ``None`` where ``value`` is ``None`` or empty.

    Takes aware and naive ``datetime`` (naive means UTC), ISO 8601 text with or without a zone (without means
    UTC), and unix times as numbers or digits in seconds, milliseconds, microseconds or nanoseconds, told apart
    by magnitude.

    Raises:
        ValueError: ``value`` is none of these.
    """
    if value is None or value == "":
        return None
    if isinstance(value, dt.datetime):
        return _utc(value)
    if isinstance(value, bool):
        raise ValueError(f"not a time: {value!r}")
    if isinstance(value, (int, float, Decimal)):
        return from_unix(value)
    if isinstance(value, str):
        text = value.strip()
        if text[4:5] != "-" and _NUMBER.match(text):
            return from_unix(Decimal(text))
        try:
            return _utc(dt.datetime.fromisoformat(text))
        except (ValueError, OverflowError):
            pass
    raise ValueError(f"not a time: {value!r:.60}; use ISO 8601 with a zone or unix milliseconds")


def from_unix(value: float | Decimal) -> dt.datetime:
    """A unix time whose unit (s, ms, µs or ns) is told by its magnitude."""
    try:
        if (
            type(value) is int and 0 <= value < _UNITS[0][0]
        ):  # what providers send: no fractions to keep exact
            return _EPOCH + dt.timedelta(seconds=value)
        if type(value) is float and 1 <= value < _UNITS[0][0]:
            whole, _, fraction = repr(value).partition(".")
            if len(fraction) <= 6:  # exact as it stands, and sooner than by way of a Decimal
                micros = int(fraction.ljust(6, "0"))
                return _EPOCH + dt.timedelta(seconds=int(whole), microseconds=micros)
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        size = abs(number)
        divisor = next((unit for limit, unit in _UNITS if size < limit), 10**9)
        return _EPOCH + dt.timedelta(microseconds=round(number * 10**6 / divisor))
    except (InvalidOperation, OverflowError, ValueError) as error:
        raise ValueError(f"not a unix time: {value!r:.60}") from error


def from_unix_ms(value: float) -> dt.datetime:
    """A unix time in milliseconds, which the caller knows it to be."""
    try:
        return _EPOCH + dt.timedelta(microseconds=round(Decimal(repr(value)) * 1000))
    except (InvalidOperation, OverflowError, ValueError) as error:
        raise ValueError(f"not a time in unix milliseconds: {value!r:.60}") from error


def to_unix_ms(value: dt.datetime) -> int:
    """Whole unix milliseconds, rounded down, so that an end is never moved before its start."""
    return (value - _EPOCH) // _MILLISECOND


def to_iso(value: dt.datetime) -> str:
    """ISO 8601 in UTC with ``Z``, to the millisecond; whole seconds are written without a fraction."""
    value = value.astimezone(dt.UTC)
    precision = "milliseconds" if value.microsecond >= 1000 else "seconds"
    return value.isoformat(timespec=precision).replace("+00:00", "Z")


def _utc(value: dt.datetime) -> dt.datetime:
    if value.tzinfo is dt.UTC:
        return value
    if value.tzinfo is None:
        return value.replace(tzinfo=dt.UTC)
    try:
        return value.astimezone(dt.UTC)
    except OverflowError as error:
        raise ValueError(f"not a time that UTC can hold: {value.isoformat()}") from error
