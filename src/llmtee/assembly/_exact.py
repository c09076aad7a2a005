"""What a conversation says beyond what its events say by themselves, so that `split` can be taken back exactly."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from pydantic import ValidationError

from llmtee import jsontext
from llmtee.model import Conversation, Message

EXACT = "exact"
"""Key of it among our fields in the ``extra`` of a session's step."""


def difference(wanted: Conversation, found: Conversation, events: Iterable[str]) -> Any:
    """What must be said beside the events with these ids for them to assemble to ``wanted`` instead of ``found``.

    Returns:
        A JSON object, read by `restored`; ``None`` when nothing needs to be said.
    """
    names = [
        name
        for name in Conversation.model_fields
        if name != "kind" and not _same(getattr(wanted, name), getattr(found, name))
    ]
    if not names:
        return None
    said = wanted.model_dump(mode="json", include={*names}, exclude_defaults=True)
    said = {name: said.get(name, _default(name)) for name in names}
    if "messages" in said and (pairs := _pairs(wanted.messages, found.messages)):
        said["messages"] = {one.id: _changes(one, other) for one, other in pairs if one != other}
    return {"of": _digest(events), "fields": said}


def _default(name: str) -> Any:
    default = Conversation.model_fields[name].get_default(call_default_factory=True)
    return list(default) if isinstance(default, tuple) else default


def _pairs(
    wanted: tuple[Message, ...], found: tuple[Message, ...]
) -> list[tuple[Message, Message]]:
    """The messages with those that were found; none where there are others or in another order."""
    ids = [message.id for message in wanted]
    if ids != [message.id for message in found] or len({*ids}) < len(ids):
        return []
    return list(zip(wanted, found, strict=True))


def _changes(wanted: Message, found: Message) -> dict[str, Any]:
    names = {
        name
        for name in Message.model_fields
        if not _same(getattr(wanted, name), getattr(found, name))
    }
    return wanted.model_dump(mode="json", include=names)


def _same(one: Any, other: Any) -> bool:
    return bool(one is other or one == other)


def restored(found: Conversation, said: Any, events: Iterable[str]) -> Conversation:
    """The conversation with what was said of it beside its events.

    That holds for just those events. Where others have come since, they decide: ``found`` it is.
    """
    if not isinstance(said, dict) or said.get("of") != _digest(events):
        return found
    fields = dict(said.get("fields") or {})
    messages = fields.get("messages")
    try:
        if isinstance(messages, dict):
            fields["messages"] = [
                Message.model_validate(
                    {**{name: getattr(message, name) for name in Message.model_fields}, **more}
                )
                if (more := messages.get(message.id))
                else message
                for message in found.messages
            ]
        whole = Conversation.model_validate({"id": found.id, **fields})
    except (ValidationError, TypeError):  # somebody else's field of our name
        return found
    return found.model_copy(update={name: getattr(whole, name) for name in fields})


def _digest(events: Iterable[str]) -> str:
    return blake2b(jsontext.dumps(sorted(events)), digest_size=16).hexdigest()
