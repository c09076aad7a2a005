"""Inkeep's conversations to canonical ones: what was sent, or what the read endpoints answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from llmtee import jsontext
from llmtee.errors import InputError
from llmtee.jsonfields import as_list, as_object, as_text, text_or_none
from llmtee.model import Agent, Conversation, Item, Message
from llmtee.model.ids import derive_id
from llmtee.vendors.inkeep import parking
from llmtee.vendors.inkeep.fields import read_time, unmodelled
from llmtee.vendors.inkeep.messages import decode_slot
from llmtee.vendors.inkeep.people import decode_person
from llmtee.vendors.inkeep.toolresults import unfold

_HOMES: Final = frozenset(
    {"id", "createdAt", "updatedAt", "properties", "userProperties", "tags", "visibility"}
    | {"messages", "messagesOpenAIFormat"}
)
_ANSWERED: Final = ("messagesOpenAIFormat", "conversationId")
"""Fields that only answers have."""


def parse(payload: Any) -> list[Item]:
    """The conversations of a request body, of one conversation as answered, or of a page of them.

    Raises:
        InputError: the payload is not of the shape; the error names its JSON path.
    """
    if isinstance(payload, list):
        return [decode_conversation(raw, f"[{i}]") for i, raw in enumerate(payload)]
    raw = as_object(payload, "")
    if "conversations" in raw:
        listed = as_list(raw["conversations"], "conversations")
        return [decode_conversation(one, f"conversations[{i}]") for i, one in enumerate(listed)]
    return [decode_conversation(raw, "")]


def decode_conversation(raw: Any, path: str) -> Conversation:
    """One conversation.

    Raises:
        InputError: it is not of the shape; the error names its JSON path.
    """
    raw = _as_sent(as_object(raw, path))
    dot = f"{path}." if path else ""
    if "messages" not in raw:
        raise InputError(
            "is missing; an Inkeep conversation lists its messages", path=f"{dot}messages"
        )
    listed = as_list(raw["messages"], f"{dot}messages")
    slots = [decode_slot(one, f"{dot}messages[{i}]") for i, one in enumerate(listed)]
    native = decode_native(raw, dot)
    properties = as_object(raw.get("properties") or {}, f"{dot}properties")
    try:
        messages, runs = unfold(slots)
        return _restore(native, properties, messages, runs)
    except (
        ValueError
    ):  # the marks are there, but not what llmtee writes: then they are just properties
        plain = tuple(slot.message for slot in slots)
        return native.model_copy(update={"messages": plain, "properties": dict(properties)})


def decode_native(raw: Mapping[str, Any], dot: str = "") -> Conversation:
    """A conversation without its messages and properties."""
    ours = unmodelled(raw, _HOMES)
    if ours.get("type") == "openai":  # what everything is that does not say otherwise
        del ours["type"]
    conversation_id = text_or_none(raw.get("id"), f"{dot}id")
    session = text_or_none(raw.get("externalId"), f"{dot}externalId")
    if session is not None and session != conversation_id:
        del ours["externalId"]
    person = decode_person(raw.get("userProperties"), f"{dot}userProperties")
    tags = as_list(raw.get("tags"), f"{dot}tags")
    return Conversation(
        id=conversation_id or _derived_id(raw, session),
        session=session if session is not None else conversation_id,
        started_at=read_time(raw, "createdAt", ours),
        updated_at=read_time(raw, "updatedAt", ours),
        people=() if person is None else (person,),
        tags=tuple(as_text(tag, f"{dot}tags[{i}]") for i, tag in enumerate(tags)),
        visibility=text_or_none(raw.get("visibility"), f"{dot}visibility"),
        extra={"inkeep": ours} if ours else {},
    )


def _derived_id(raw: Mapping[str, Any], session: str | None) -> str:
    """The same id whenever the same payload is read."""
    if session is not None:
        return derive_id("inkeep", "external", session)
    return derive_id("inkeep", "payload", jsontext.dumps_sorted(raw).decode())


def _restore(
    native: Conversation,
    properties: Mapping[str, Any],
    messages: list[Message],
    runs: list[Any],
) -> Conversation:
    own, words, exact = parking.unpark(properties, parking.CONVERSATION_WORDS)
    fields: dict[str, Any] = {name: getattr(native, name) for name in native.model_fields_set}
    fields |= {
        name: words[word] for name, word in parking.CONVERSATION_FIELDS.items() if word in words
    }
    agent = Agent(name=words.get(parking.AGENT), version=words.get(parking.AGENT_VERSION))
    if agent != Agent():
        fields["agents"] = (agent,)
    fields["tool_runs"] = [*runs, *fields.get("tool_runs", ())]
    return Conversation.model_validate({**fields, **exact, "properties": own, "messages": messages})


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _as_sent(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """An answer in the shape of a request; a request as it is.

    An answer lists every field, so null says nothing in it, and repeats messages of type ``openai`` in OpenAI's own
    format, which may hold what the plain ones leave out.
    """
    messages = raw.get("messages")
    listed = messages if isinstance(messages, list) else []
    if _ANSWERED[0] not in raw and not any(
        isinstance(message, Mapping) and _ANSWERED[1] in message for message in listed
    ):
        return raw
    twins = raw.get(_ANSWERED[0])
    if not isinstance(twins, list) or len(twins) != len(listed):
        twins = [{}] * len(listed)
    merged = [
        {**_said(twin), **_said(message)} if isinstance(message, Mapping) else message
        for message, twin in zip(listed, twins, strict=True)
    ]
    return {**_said(raw), **({"messages": merged} if listed else {})}


def _said(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        return {}
    return {key: value for key, value in raw.items() if value is not None and key not in _ANSWERED}
