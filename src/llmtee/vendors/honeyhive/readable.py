"""What HoneyHive's API gives back of an event that it keeps: all, but for what a session does not have."""

from __future__ import annotations

from typing import Any

from llmtee.model import Item, Step, Supplement
from llmtee.vendors.honeyhive.settings import HoneyHive

_OWN = "honeyhive"
_NOT_THERE = ("project", "project_id")


def readable(item: Item | Supplement, settings: HoneyHive) -> Item | Supplement | None:
    """An event as it can be read again.

    A session that travels as ``session_properties`` has no project, and no duration of 0.
    """
    as_event = settings.carry or settings.sessions == "mixed"
    if as_event or not isinstance(item, Step) or item.step_type != "session":
        return item
    update: dict[str, Any] = {} if item.duration_ms else {"duration_ms": None}
    ours = item.extra.get(_OWN)
    if isinstance(ours, dict):
        left = {key: value for key, value in ours.items() if key not in _NOT_THERE}
        extra = {key: value for key, value in item.extra.items() if key != _OWN}
        update["extra"] = {**extra, **({_OWN: left} if left else {})}
    found = item.model_copy(update=update)
    return item if found == item else found
