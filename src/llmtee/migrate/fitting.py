"""From items as they were read to what the target takes: the same for a plan, a run and the comparison after it. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias

from llmtee.assembly import fit
from llmtee.model import (
    Annotation,
    Conversation,
    Item,
    ModelCall,
    Step,
    Supplement,
)
from llmtee.model.times import to_iso

Grain: TypeAlias = Literal["event", "conversation"]
Times: TypeAlias = Literal["stop", "drop", "properties"]

PROPERTY = "migrated_from"
"""Key in ``properties`` for the times that the target cannot keep."""
NOT_HERE = "what it is about is not in what is migrated"


def time_of(item: Item) -> dt.datetime | None:
    """When an item happened, as far as it says so."""
    return item.started_at or item.ended_at


def fitted(items: Sequence[Item], grain: Grain, times: Times = "stop") -> list[Item]:
    """The items of one session as a target of that grain takes them, in the order in which they happened.

    Args:
        items: events, conversations, or both.
        grain: of the target.
        times: ``properties`` writes the times into the properties of each.
    """
    found = in_order(fit(items, grain))
    return [with_times(item) for item in found] if times == "properties" else found


def in_order(items: Iterable[Item]) -> list[Item]:
    """By time; one without a time stays behind what stood before it."""
    last = dt.datetime.min.replace(tzinfo=dt.UTC)
    keyed = []
    for number, item in enumerate(items):
        last = time_of(item) or last
        keyed.append((last, number, item))
    return [item for _, _, item in sorted(keyed, key=lambda one: one[:2])]


def with_times(item: Item) -> Item:
    """The item with its times in ``properties``, where it has any."""
    names = ("started_at", "ended_at")
    said: dict[str, Any] = {
        name: to_iso(time) for name in names if (time := getattr(item, name)) is not None
    }
    if not said:
        return item
    return item.model_copy(update={"properties": {**item.properties, PROPERTY: said}})


def fitted_supplement(
    supplement: Supplement, items: Sequence[Item], grain: Grain
) -> Supplement | str:
    """A supplement that names its target as a vendor of that grain knows it, or why it cannot.

    Args:
        supplement: as it was read.
        items: those of the session that it is about.
        grain: of the target.
    """
    if not isinstance(supplement, Annotation):
        return supplement
    if not items:
        return NOT_HERE
    if grain == "event":
        return _about_event(supplement, items)
    return _about_message(supplement, items)


def _about_event(annotation: Annotation, items: Sequence[Item]) -> Annotation | str:
    if annotation.target_type == "session" or any(
        isinstance(item, Conversation) and item.id == annotation.target for item in items
    ):
        session = items[0].session or items[0].id
        return annotation.model_copy(
            update={"target_type": "session", "target": session, "session": session}
        )
    for event in fit(items, "event"):
        if event.id == annotation.target or _made(event, annotation.target):
            update = {"target_type": "event", "target": event.id, "session": event.session}
            if _is_session(event):
                update |= {"target_type": "session", "target": event.session or event.id}
            return annotation.model_copy(update=update)
    return NOT_HERE


def _is_session(event: Item) -> bool:
    return isinstance(event, Step) and event.step_type == "session"


def _made(event: Item, message: str) -> bool:
    """Whether an event made the message of that id."""
    return isinstance(event, ModelCall) and any(
        choice.message.id == message for choice in event.choices
    )


def _about_message(annotation: Annotation, items: Sequence[Item]) -> Annotation | str:
    whole = annotation.target_type == "session"
    for item in reversed(fit(items, "conversation")):
        if not isinstance(item, Conversation):
            continue
        for message in reversed(item.messages):
            made_by = None if message.generation is None else message.generation.event
            last = message.role == "assistant" and (whole or annotation.target == item.id)
            if annotation.target in (message.id, made_by) or last:
                found = {"message": message.id, "session": item.session}
                if whole:
                    return annotation.model_copy(update=found)
                return annotation.model_copy(
                    update={**found, "target_type": "message", "target": message.id}
                )
    return NOT_HERE
