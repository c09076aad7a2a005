"""How HoneyHive's read endpoints choose among events: filters, a range of dates, pages."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from typing import Any

_ABSENT = object()
_OPERATORS = frozenset(
    {
        "exists",
        "not exists",
        "is",
        "is not",
        "contains",
        "not contains",
        "greater than",
        "less than",
        "after",
        "before",
    }
)


def select(
    events: Iterable[Mapping[str, Any]],
    filters: Any,
    start: Any = None,
    end: Any = None,
) -> list[Mapping[str, Any]]:
    """The events that pass, newest first.

    Args:
        events: what is stored.
        filters: ``[{"field": "metadata.cost", "operator": "is", "value": 1, "type": "number"}, …]``; all must hold.
        start: ISO 8601; only events that start then or later. Those without a time are in no range.
        end: ISO 8601; only events that start then or earlier.

    Raises:
        ValueError: a filter or a date is malformed; the message is for the answer.
    """
    if not isinstance(filters, list):
        raise ValueError("filters must be a list")
    for number, wanted in enumerate(filters):
        _check(wanted, f"filters[{number}]")
    earliest, latest = _milliseconds(start), _milliseconds(end)
    found = [
        event
        for event in events
        if all(_holds(event, wanted) for wanted in filters)
        and (earliest is None or event.get("start_time", -math.inf) >= earliest)
        and (latest is None or event.get("start_time", math.inf) <= latest)
    ]
    return sorted(found, key=lambda event: event.get("start_time", 0), reverse=True)


def page(events: list[Mapping[str, Any]], body: Mapping[str, Any], most: int) -> list[Any]:
    """One page: ``limit`` events (1000 by default, at most ``most``), ``page`` counted from 1.

    Raises:
        ValueError: either is no positive number, or ``limit`` is too large.
    """
    limit, number = body.get("limit", 1000), body.get("page", 1)
    if type(limit) is not int or not 1 <= limit <= most:
        raise ValueError(f"limit must be from 1 to {most}")
    if type(number) is not int or number < 1:
        raise ValueError("page must be 1 or more")
    return events[(number - 1) * limit : number * limit]


def _check(wanted: Any, place: str) -> None:
    if not isinstance(wanted, dict) or not isinstance(wanted.get("field"), str):
        raise ValueError(f"{place} must be an object with a field")
    if wanted.get("operator") not in _OPERATORS:
        raise ValueError(f"{place}.operator must be one of {', '.join(sorted(_OPERATORS))}")


def _milliseconds(date: Any) -> float | None:
    if date is None:
        return None
    if not isinstance(date, str):
        raise ValueError("dates must be ISO 8601 text")
    try:
        time = dt.datetime.fromisoformat(date)
    except ValueError:
        raise ValueError(f"not an ISO 8601 date: {date!r}") from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=dt.UTC)
    return time.timestamp() * 1000


def _holds(event: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    operator, value = wanted["operator"], wanted.get("value")
    found: Any = event
    for step in wanted["field"].split("."):
        found = found.get(step, _ABSENT) if isinstance(found, Mapping) else _ABSENT
    match operator:
        case "exists":
            return found is not _ABSENT
        case "not exists":
            return found is _ABSENT
        case "is":
            return bool(found == value)
        case "is not":
            return bool(found != value)
        case "contains":
            return _contains(found, value)
        case "not contains":
            return not _contains(found, value)
        case _:
            return _compares(operator, found, value)


def _contains(found: Any, value: Any) -> bool:
    return (
        isinstance(found, str | list)
        and (not isinstance(found, str) or isinstance(value, str))
        and value in found
    )


def _compares(operator: str, found: Any, value: Any) -> bool:
    if operator in ("after", "before"):
        value = _milliseconds(value) if isinstance(value, str) else value
    if not isinstance(found, int | float) or not isinstance(value, int | float):
        return False
    return found > value if operator in ("greater than", "after") else found < value
