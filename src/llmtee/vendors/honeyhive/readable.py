"""What HoneyHive gives back of an event: of a session that travelled as ``session_properties``, no project. Pure."""

from __future__ import annotations

from llmtee.model import Item, Step, Supplement

_OWN = "honeyhive"
_NOT_THERE = ("project", "project_id")


def readable(item: Item | Supplement) -> Item | Supplement:
    """An event as it can be read again. Whether a session's event travelled by itself cannot be told from it."""
    if not isinstance(item, Step) or item.step_type != "session":
        return item
    ours = item.extra.get(_OWN)
    if not isinstance(ours, dict) or not any(key in ours for key in _NOT_THERE):
        return item
    left = {key: value for key, value in ours.items() if key not in _NOT_THERE}
    extra = {key: value for key, value in item.extra.items() if key != _OWN}
    return item.model_copy(update={"extra": {**extra, **({_OWN: left} if left else {})}})
