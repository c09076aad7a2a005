"""What HoneyHive gives back of an event. Pure."""

from __future__ import annotations

from typing import Any

from llmtee.model import Item, Step, Supplement

_OWN = "honeyhive"
_NOT_THERE = ("project", "project_id")


def readable(item: Item | Supplement) -> Item | Supplement:
    """An event as it can be read again.

    A session that travelled as ``session_properties`` has no project, and no duration of 0. Whether it did cannot be told
    from its event.
    """
    if not isinstance(item, Step) or item.step_type != "session":
        return item
    update: dict[str, Any] = {} if item.duration_ms else {"duration_ms": None}
    ours = item.extra.get(_OWN)
    if isinstance(ours, dict):
        left = {key: value for key, value in ours.items() if key not in _NOT_THERE}
        extra = {key: value for key, value in item.extra.items() if key != _OWN}
        update["extra"] = {**extra, **({_OWN: left} if left else {})}
    found = item.model_copy(update=update)
    return item if found == item else found
