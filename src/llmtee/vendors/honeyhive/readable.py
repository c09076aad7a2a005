"""What HoneyHive's API gives back of an event that it keeps: all, but for what a session does not have."""

from __future__ import annotations

from llmtee.model import Item, Step, Supplement

_OWN = "honeyhive"


def readable(item: Item | Supplement) -> Item | Supplement | None:
    """A session without its project: properties of a session, as which it is sent, have none."""
    if not isinstance(item, Step) or item.step_type != "session":
        return item
    ours = item.extra.get(_OWN)
    if not isinstance(ours, dict) or "project" not in ours:
        return item
    left = {key: value for key, value in ours.items() if key != "project"}
    others = {key: value for key, value in item.extra.items() if key != _OWN}
    return item.model_copy(update={"extra": others | ({_OWN: left} if left else {})})
