"""One message of Inkeep to a canonical one, and back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from llmtee.formats.openai_chat import messages as chat_messages
from llmtee.jsonfields import as_list, as_object, as_text, rest, text_or_none
from llmtee.model import CitationPart, Generation, Message, ToolCallPart
from llmtee.model.snapshot import to_json_value
from llmtee.model.times import to_iso
from llmtee.vendors.inkeep import parking
from llmtee.vendors.inkeep.fields import read_time, unmodelled, write_back, write_time
from llmtee.vendors.inkeep.notes import Notes
from llmtee.vendors.inkeep.parts import WireParts
from llmtee.vendors.inkeep.people import decode_person, encode_person
from llmtee.vendors.inkeep.toolresults import Slot
from llmtee.vendors.inkeep.wire import nearest_role

_HOMES: Final = frozenset(
    {"id", "role", "content", "name", "links", "properties", "userProperties", "tool_calls"}
    | {"createdAt"}
)
_WRITTEN_BACK: Final = frozenset(
    {"externalId", "externalUrl", "createdAt", "updatedAt", "name", "links", "properties"}
    | {"userProperties", "tool_calls"}
)
_ORDER: Final = (
    *("id", "type", "externalId", "externalUrl", "createdAt", "updatedAt", "role", "content"),
    *("name", "links", "properties", "userProperties", "tool_calls"),
)


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def decode_slot(raw: Any, path: str) -> Slot:
    """A message, and the tool results that stand in its properties.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    raw = as_object(raw, path)
    message = decode_native(raw, path)
    properties = raw.get("properties")
    if not properties:
        return Slot(message)
    properties = as_object(properties, f"{path}.properties")
    own, words, exact = parking.unpark(properties, parking.MESSAGE_WORDS)
    fields = {
        **{name: getattr(message, name) for name in message.model_fields_set},
        **exact,
        "id": message.id,
        "properties": own,
        "parts": parking.restore_parts(message.parts, exact.get("parts")),
    }
    if made := parking.read_generation(words):
        fields["generation"] = made
    try:
        whole = Message.model_validate(fields)
    except (
        ValueError
    ):  # the mark is there, but not what llmtee writes: then they are just properties
        return Slot(message.model_copy(update={"properties": dict(properties)}))
    results = words.get(parking.RESULTS)
    return Slot(whole, results if isinstance(results, dict) else {})


def decode_native(raw: Mapping[str, Any], path: str) -> Message:
    """A message without its properties."""
    content = raw.get("content")
    content = "" if content is None else content
    chat = chat_messages.decode_message(
        to_json_value(
            {"role": "assistant", "content": content, "tool_calls": raw.get("tool_calls")}
        ),
        path,
    )
    texts = [part for part in chat.parts if not isinstance(part, ToolCallPart)]
    calls = [part for part in chat.parts if isinstance(part, ToolCallPart)]
    links = as_list(raw.get("links"), f"{path}.links")
    cited = [_decode_link(link, f"{path}.links[{i}]") for i, link in enumerate(links)]
    ours = unmodelled(raw, _HOMES)
    started_at = read_time(raw, "createdAt", ours)
    extra: dict[str, Any] = {"inkeep": ours} if ours else {}
    if isinstance(content, list) and len(content) < 2:
        extra |= chat.extra
    return Message(
        role=as_text(raw.get("role"), f"{path}.role"),
        parts=(*([] if content == "" else texts), *cited, *calls),
        name=text_or_none(raw.get("name"), f"{path}.name"),
        id=text_or_none(raw.get("id"), f"{path}.id"),
        started_at=started_at,
        person=decode_person(raw.get("userProperties"), f"{path}.userProperties"),
        extra=extra,
    )


def _decode_link(raw: Any, path: str) -> CitationPart:
    raw = as_object(raw, path)
    crumbs = raw.get("breadcrumbs")
    more = rest(raw, "url", "title", "label", "description", "type", "breadcrumbs")
    return CitationPart(
        url=text_or_none(raw.get("url"), f"{path}.url"),
        title=text_or_none(raw.get("title"), f"{path}.title"),
        label=text_or_none(raw.get("label"), f"{path}.label"),
        description=text_or_none(raw.get("description"), f"{path}.description"),
        source_type=text_or_none(raw.get("type"), f"{path}.type"),
        breadcrumbs=None if crumbs is None else tuple(_crumbs(crumbs, f"{path}.breadcrumbs")),
        extra={"inkeep": more} if more else {},
    )


def _crumbs(raw: Any, path: str) -> list[str]:
    return [as_text(crumb, f"{path}[{i}]") for i, crumb in enumerate(as_list(raw, path))]


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def encode_slot(slot: Slot, kind: str, date: dt.datetime | None, notes: Notes) -> dict[str, Any]:
    """A message with what was folded into it, as an entry of ``messages``.

    Args:
        slot: the message, with its final id.
        kind: the conversation's type.
        date: the time to write where the message has none.
        notes: takes what was changed on purpose.
    """
    message = slot.message
    parts = WireParts.of(message, kind, notes)
    out: dict[str, Any] = {
        **write_back(message.extra, _WRITTEN_BACK),
        "id": message.id,
        "role": _role(message, kind, notes),
        "content": parts.text_or_list(chat_messages.content_form(message) == "parts"),
    }
    ours = message.extra.get("inkeep")
    if isinstance(ours, Mapping) and ours.get("type") == kind:
        out["type"] = kind
    write_time(out, "createdAt", said_at(message))
    if message.name is not None:
        out["name"] = message.name
    if parts.links:
        out["links"] = parts.links
    if parts.calls:
        out["tool_calls"] = parts.calls
    if message.person is not None and (person := encode_person(message.person)):
        out["userProperties"] = person
    properties = _properties(slot, decode_native(out, "message"), parts)
    if properties:
        out["properties"] = properties
    if date is not None and out.get("createdAt") is None:
        out["createdAt"] = to_iso(date)
        reason = "had no time; dated by its generation or the message before, else Inkeep says now"
        notes.add("messages[].started_at", "changed", reason)
    return {key: out[key] for key in _ORDER if key in out}


def said_at(message: Message) -> dt.datetime | None:
    """When a message was said. An answer: when it was complete, for its call began when the question was asked."""
    if message.generation is not None and message.started_at is not None:
        return message.ended_at or message.started_at
    return message.started_at


def _role(message: Message, kind: str, notes: Notes) -> str:
    if kind != "openai":
        return message.role
    speaks = message.generation is not None or bool(message.tool_calls)
    role = nearest_role(message.role, speaks_as_model=speaks)
    if role != message.role:
        notes.add(
            "messages[].role",
            "changed",
            f"Inkeep has no role {message.role!r}; sent as {role!r}, the original stands in properties",
        )
    return role


def _properties(slot: Slot, native: Message, parts: WireParts) -> dict[str, Any]:
    message = slot.message
    beside = {"id", "parts", "properties", "generation"}
    exact = parking.differences(message, native, without=beside)
    if native.parts != message.parts:
        exact["parts"] = parking.layout(message.parts, native.parts, parts.all_places(native.parts))
    words = parking.generation_words(message.generation)
    if message.generation == Generation():
        exact["generation"] = {}
    if slot.results:
        words[parking.RESULTS] = slot.results
    return parking.park(message.properties, words, exact, parking.MESSAGE_WORDS)
