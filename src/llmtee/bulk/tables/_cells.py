"""Cells of tables to values: what a spreadsheet writes, what Parquet and Arrow hold, and what JSON says."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from llmtee import jsontext
from llmtee.model.snapshot import to_json_value

_SPACES = str.maketrans("", "", " \u00a0\u202f'")
_PLAIN = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_CLOCK = re.compile(r"(\d+):([0-5]\d):([0-5]\d(?:\.\d+)?)")
_EXACT = 2**53
_MOST_DIGITS = 40
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


def is_absent(value: Any, empty: Sequence[str]) -> bool:
    """Whether a cell holds nothing."""
    if value is None:
        return True
    if isinstance(value, str):
        return value in empty
    return isinstance(value, float) and math.isnan(value)


def text_of(value: Any) -> str:
    """A cell as text. A whole number has no fraction, whatever type its column has."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, bytes | bytearray):
        return _decoded(bytes(value))
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dict | list | tuple):
        return jsontext.dumps(to_json_value(value)).decode()
    return str(to_json_value(value))


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ValueError("holds bytes that are no text in UTF-8") from None


def number_of(value: Any, decimal: str | None) -> int | float | Decimal:
    """A number, exact where it is written in digits.

    Args:
        value: a cell.
        decimal: what stands before the fraction in a text; ``None`` where nobody said so.

    Raises:
        ValueError: it is no number, or could be two.
    """
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        text = value.strip().translate(_SPACES)
        if decimal == ",":
            text = text.replace(".", "\0").replace(",", ".").replace("\0", ",")
        if _PLAIN.fullmatch(text):
            return _sized(Decimal(text), value)
        if _GROUPED.fullmatch(text):
            if decimal is None:
                raise ValueError(
                    f'{value!r:.60} could be two numbers; say in the mapping: decimal = "," or decimal = "."'
                )
            return _sized(Decimal(text.replace(",", "")), value)
        if decimal is None and _PLAIN.fullmatch(text.replace(",", ".")):
            raise ValueError(f'{value!r:.60} has a comma; say in the mapping: decimal = ","')
    raise ValueError(f"{text_of(value)!r:.60} is no number")


def _sized(number: Decimal, value: str) -> Decimal:
    # To write out what "1e999999999" says would take all the memory there is.
    if abs(number.adjusted()) > _MOST_DIGITS:
        raise ValueError(f"{value!r:.60} is too large, or too small, a number")
    return number


def plain_number(number: float | Decimal) -> int | float:
    """A number as JSON has it: whole where it is written so."""
    if isinstance(number, Decimal):
        exponent = number.as_tuple().exponent
        return int(number) if isinstance(exponent, int) and exponent >= 0 else float(number)
    return number


def count_of(value: Any, decimal: str | None) -> int:
    """A whole number. Raises ``ValueError`` if it is none."""
    number = number_of(value, decimal)
    if isinstance(number, float) and not number.is_integer():
        raise ValueError(f"{value!r:.60} is no whole number")
    if isinstance(number, Decimal) and number != number.to_integral_value():
        raise ValueError(f"{value!r:.60} is no whole number")
    return int(number)


def milliseconds_of(value: Any, decimal: str | None, unit: float) -> float:
    """A duration in ``unit`` milliseconds, or as hours, minutes and seconds with colons."""
    if isinstance(value, dt.timedelta):
        return value / dt.timedelta(milliseconds=1)
    if isinstance(value, str) and (clock := _CLOCK.fullmatch(value.strip())):
        return float((int(clock[1]) * 3600 + int(clock[2]) * 60 + Decimal(clock[3])) * 1000)
    return float(number_of(value, decimal)) * unit


def json_of(value: Any) -> Any:
    """A value from JSON text, or what already is one. Raises ``ValueError`` if it is neither."""
    if isinstance(value, bytes):
        value = _decoded(value)
    if isinstance(value, str):
        try:
            return jsontext.loads(value)
        except ValueError as error:
            raise ValueError(f"is not JSON: {error}") from None
    return to_json_value(value)


def json_or_text(value: Any) -> Any:
    """The object or list in a text, where it is one; else the cell as it is."""
    if isinstance(value, bytes):
        value = _decoded(value)
    if isinstance(value, str):
        if value.lstrip()[:1] in ("{", "["):
            try:
                return jsontext.loads(value)
            except ValueError:
                pass
        return value
    return to_json_value(value)


def content_of(value: Any) -> Any:
    """What a message says: a list of content parts, as it is or in JSON, else text."""
    found = json_or_text(value)
    if isinstance(found, list) and all(isinstance(one, dict) and "type" in one for one in found):
        return found
    return text_of(value)


def boolean_of(value: Any) -> bool:
    """True or false, from what spreadsheets write. Raises ``ValueError`` if it is neither."""
    word = text_of(value).strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError(f"{value!r:.60} is neither true nor false")


def texts_of(value: Any, separator: str | None) -> tuple[str, ...]:
    """A list of texts: as it is, as JSON, or cut at the separator."""
    if isinstance(value, str) and separator is None and value.lstrip().startswith("["):
        value = json_or_text(value)
    if isinstance(value, list | tuple):
        return tuple(text_of(one) for one in value if one is not None)
    found = (one.strip() for one in text_of(value).split(separator or ","))
    return tuple(one for one in found if one)
