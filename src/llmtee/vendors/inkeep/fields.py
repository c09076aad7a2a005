"""Fields of Inkeep that have no canonical home: kept in ``extra["inkeep"]`` and written back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from llmtee.model import times

_TEXTS: Final = frozenset(
    {"externalId", "externalUrl", "supportTicketConversationId", "projectId", "integrationId"}
)
_TIMES: Final = frozenset({"createdAt", "updatedAt"})
_OBJECTS: Final = frozenset({"properties", "userProperties"})
_LISTS: Final = frozenset({"links", "tool_calls", "tags"})
_NULLABLE: Final = _TEXTS | _TIMES | _OBJECTS | _LISTS | {"name", "visibility"}


def unmodelled(raw: Mapping[str, Any], homes: frozenset[str]) -> dict[str, Any]:
    """The fields of ``raw`` that are not in ``homes``, and those that are there but say nothing.

    An empty object is not an absent field, nor is null, and what was read is written back as it was.
    """
    return {
        key: value
        for key, value in raw.items()
        if key not in homes or (key in _NULLABLE and value in (None, {}, []))
    }


def write_back(extra: Mapping[str, Any], allowed: frozenset[str]) -> dict[str, Any]:
    """What may be written of ``extra["inkeep"]``: fields in ``allowed`` whose value Inkeep can take."""
    ours = extra.get("inkeep")
    if not isinstance(ours, Mapping):
        return {}
    return {key: value for key, value in ours.items() if key in allowed and _fits(key, value)}


def _fits(key: str, value: Any) -> bool:
    if value is None:
        return key in _NULLABLE
    if isinstance(value, str):
        return key in _TEXTS or (key in _TIMES and _is_iso(value))
    return (key in _OBJECTS and value == {}) or (key in _LISTS and value == [])


def _is_iso(text: str) -> bool:
    """Whether it is a date-time with a zone, as Inkeep asks for."""
    try:
        return dt.datetime.fromisoformat(text).tzinfo is not None and "T" in text
    except ValueError:
        return False


# ── times ───────────────────────────────────────────────────────────────────────────────────────────────────────


def read_time(raw: Mapping[str, Any], key: str, ours: dict[str, Any]) -> dt.datetime | None:
    """The time under ``key``; what ``times.to_iso`` would write otherwise goes into ``ours`` as it is."""
    value = raw.get(key)
    if value is None:
        return None
    try:
        time = times.parse_time(value)
    except ValueError:
        time = None
    if time is None or times.to_iso(time) != value:
        ours[key] = value
    return time


def write_time(out: dict[str, Any], key: str, time: dt.datetime | None) -> None:
    """Sets ``key``, unless what was read and written back is this very time."""
    if time is None:
        if isinstance(out.get(key), str):  # the time was taken away since
            del out[key]
    elif not isinstance(out.get(key), str) or times.parse_time(out[key]) != time:
        out[key] = times.to_iso(time)
