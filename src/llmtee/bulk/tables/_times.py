"""Times as tables hold them. What a cell does not say, its zone above all, is said by the mapping and never guessed."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from llmtee.errors import UsageError
from llmtee.model.times import parse_time

DEFAULT_FORMATS = ("iso", "epoch")
_EPOCHS = {"epoch_s": 0, "epoch_ms": 3, "epoch_us": 6, "epoch_ns": 9}
WORDS = ("iso", "epoch", *_EPOCHS, "serial")

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")
_FRACTION = re.compile(r"(\.\d{6})\d+")
_LEAST_EPOCH = Decimal(10**8)
"""Smaller numbers are seconds before March 1973: rather days of a spreadsheet, or a date without separators."""
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FIRST_DAY = dt.datetime(1899, 12, 30)  # noqa: DTZ001 - day 0 of spreadsheets, in the zone of whoever wrote it
_LAST_DAY = 2_958_466


class Timed(NamedTuple):
    """A time in UTC."""

    at: dt.datetime
    twice: bool = False
    """Whether clocks showed it twice, or never, when they were changed."""


def zone_of(name: str) -> dt.tzinfo:
    """The zone of a name such as ``Europe/Berlin`` or ``UTC``, or of an offset such as ``+02:00``.

    Raises:
        UsageError: there is none.
    """
    if name.upper() in ("UTC", "Z"):
        return dt.UTC
    if match := _OFFSET.fullmatch(name):
        away = dt.timedelta(hours=int(match[2]), minutes=int(match[3]))
        try:
            return dt.timezone(-away if match[1] == "-" else away)
        except ValueError:
            raise UsageError(f"mapping: timezone: {name!r} is further than a day") from None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise UsageError(
            f"mapping: timezone: {name!r:.60} is not known here; use a name such as 'Europe/Berlin' (without a "
            "database of zones: pip install tzdata), 'UTC', or an offset such as '+02:00'"
        ) from None


def check_format(text: str) -> str:
    """``text``, if it is a format of times.

    Raises:
        UsageError: it is none.
    """
    if text in WORDS or "%" in text:
        return text
    raise UsageError(
        f"mapping: {text!r:.60} is no format of times; use {', '.join(WORDS)}, or a pattern such as '%d.%m.%Y %H:%M'"
    )


def time_of(value: Any, formats: tuple[str, ...], zone: dt.tzinfo | None) -> Timed:
    """The time in a cell, by the first of the formats that it has.

    Raises:
        ValueError: it has none of them, or no zone; the message says what to write into the mapping.
    """
    if isinstance(value, dt.datetime):
        return _zoned(value, zone)
    if isinstance(value, dt.date):
        return _zoned(dt.datetime(value.year, value.month, value.day), zone)  # noqa: DTZ001
    number = _number(value)
    text = value.strip() if isinstance(value, str) else None
    for one in formats:
        if one not in ("iso", *WORDS):
            found = None if text is None else _by_pattern(text, one)
        elif one == "iso":
            found = None if text is None or number is not None else _iso(text)
        else:
            found = None if number is None else _counted(number, one)
        if found is not None:
            return _zoned(found, zone)
    hint = ""
    if number is not None and 0 < number < _LEAST_EPOCH:
        hint = "; if it counts the days of a spreadsheet, add 'serial'"
    raise ValueError(
        f"{value!r:.60} is no time in the format{'s' if len(formats) > 1 else ''} {', '.join(formats)}; "
        f"add its format to `times` in the mapping{hint}"
    )


def is_naive(value: Any) -> bool:
    """Whether a cell is a time in ISO 8601 without a zone."""
    found = _iso(value.strip()) if isinstance(value, str) else value
    if isinstance(found, dt.datetime):
        return found.tzinfo is None
    return isinstance(found, dt.date)


def _number(value: Any) -> Decimal | None:
    if isinstance(value, str):
        value = value.strip()
        return Decimal(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        try:
            return Decimal(str(value))
        except InvalidOperation:
            return None
    return None


def _iso(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(_FRACTION.sub(r"\1", text))
    except (ValueError, OverflowError):
        return None


def _by_pattern(text: str, pattern: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text, pattern)  # noqa: DTZ007 - the zone comes from the mapping
    except (OverflowError, ValueError):
        return None


def _counted(number: Decimal, word: str) -> dt.datetime | None:
    """A number as seconds and the like since 1970, or as days of a spreadsheet (without a zone)."""
    try:
        if word == "epoch":
            return parse_time(number) if abs(number) >= _LEAST_EPOCH else None
        if word == "serial":
            if not 0 <= number < _LAST_DAY:
                return None
            # Days are kept as fractions: more than milliseconds are not in them.
            return _FIRST_DAY + dt.timedelta(milliseconds=round(number * 86_400_000))
        return _EPOCH + dt.timedelta(microseconds=round(number.scaleb(6 - _EPOCHS[word])))
    except (ArithmeticError, ValueError):
        return None


def _zoned(found: dt.datetime, zone: dt.tzinfo | None) -> Timed:
    if found.tzinfo is None:
        if zone is None:
            raise ValueError(
                f'{found.isoformat(sep=" ")} has no time zone; say in the mapping which: timezone = "UTC", or '
                '"Europe/Berlin"'
            )
        found = found.replace(tzinfo=zone)
        return _timed(found, twice=found.utcoffset() != found.replace(fold=1).utcoffset())
    return _timed(found, twice=False)


def _timed(found: dt.datetime, *, twice: bool) -> Timed:
    try:
        return Timed(found.astimezone(dt.UTC), twice)
    except OverflowError:
        raise ValueError(f"{found.isoformat()} is no time that UTC can hold") from None
