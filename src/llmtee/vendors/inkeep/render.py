"""A canonical conversation to the body of ``POST /conversations``: always all messages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

from llmtee import jsontext
from llmtee.errors import RenderError
from llmtee.model import Agent, Conversation, Item, Message
from llmtee.model.ids import derive_id
from llmtee.model.times import to_iso
from llmtee.spec import WireItem
from llmtee.vendors.inkeep import parking
from llmtee.vendors.inkeep.fields import write_back, write_time
from llmtee.vendors.inkeep.messages import encode_slot, said_at
from llmtee.vendors.inkeep.notes import Notes
from llmtee.vendors.inkeep.parse import decode_native
from llmtee.vendors.inkeep.people import encode_person
from llmtee.vendors.inkeep.settings import Inkeep
from llmtee.vendors.inkeep.toolresults import Folded, Slot, fold
from llmtee.vendors.inkeep.wire import KINDS, VISIBILITIES

_WRITTEN_BACK: Final = frozenset(
    {"externalId", "externalUrl", "supportTicketConversationId", "createdAt", "updatedAt"}
    | {"projectId", "integrationId", "properties", "userProperties", "tags", "visibility"}
)
_ORDER: Final = (
    *("id", "externalId", "externalUrl", "type", "supportTicketConversationId", "createdAt"),
    *("updatedAt", "projectId", "integrationId", "properties", "userProperties", "tags"),
    *("visibility", "messages"),
)
_NUL: Final = "\x00"


def render(item: Item, settings: Inkeep) -> WireItem:
    """The conversation in Inkeep's shape; skipped when it has no message, since Inkeep needs one."""
    if not isinstance(item, Conversation):
        raise RenderError(
            f"Inkeep holds conversations, not a {item.kind}; assemble events first (llmtee.assemble)"
        )
    if not item.messages:
        reason = "it has no message, and Inkeep needs at least one"
        return WireItem(id=item.id, body=None, session=item.session, skip=reason)
    notes = Notes()
    body = without_nul(_body(item, settings, notes), notes)
    return WireItem(id=item.id, body=body, session=item.session, notes=notes.made())


def _body(conversation: Conversation, settings: Inkeep, notes: Notes) -> dict[str, Any]:
    kind = _kind(conversation)
    folded = fold(
        _identified(conversation, notes),
        conversation.tool_runs,
        as_text=settings.tool_results == "text",
    )
    _note_results(folded, notes)
    out = _native(conversation, kind, notes)
    dates = _dates(conversation, folded.slots)
    out["messages"] = [
        encode_slot(slot, kind, date, notes) for slot, date in zip(folded.slots, dates, strict=True)
    ]
    properties = _properties(conversation, decode_native(out), folded)
    if properties:
        out["properties"] = properties
    if out.get("createdAt") is None and (known := [date for date in dates if date is not None]):
        out["createdAt"] = to_iso(min(known))
        notes.add("started_at", "changed", "had no time; dated by the first message that has one")
    if "visibility" not in out and settings.visibility is not None:
        out["visibility"] = settings.visibility
    if settings.project_id is not None:
        out["projectId"] = settings.project_id
    if settings.integration_id is not None:
        out["integrationId"] = settings.integration_id
    return {key: out[key] for key in _ORDER if key in out}


def _kind(conversation: Conversation) -> str:
    ours = conversation.extra.get("inkeep")
    kind = ours.get("type") if isinstance(ours, Mapping) else None
    return kind if isinstance(kind, str) and kind in KINDS else "openai"


def _identified(conversation: Conversation, notes: Notes) -> list[Message]:
    """The messages, each with an id of its own: Inkeep matches by it, and two with one id would become one."""
    seen: set[str] = set()
    messages = []
    for position, message in enumerate(conversation.messages):
        message_id = message.id or derive_id("message", conversation.id, str(position))
        if message_id in seen:
            notes.add(
                "messages[].id", "changed", "an id stood on two messages; the later got another"
            )
            message_id = derive_id("message", conversation.id, str(position), message_id)
        seen.add(message_id)
        messages.append(message.model_copy(update={"id": message_id}))
    return messages


def _note_results(folded: Folded, notes: Notes) -> None:
    home = "properties.toolResults of the message that made the call"
    reason = f"Inkeep has no role for tool results; kept in {home}"
    notes.add("messages[]", "changed", reason, folded.results)
    reason = (
        "no message made the call, so the result stands in the assistant's last message before it"
    )
    notes.add("messages[]", "changed", reason, folded.unasked)


def _native(conversation: Conversation, kind: str, notes: Notes) -> dict[str, Any]:
    """The fields that Inkeep has, apart from messages and properties."""
    out: dict[str, Any] = {
        **write_back(conversation.extra, _WRITTEN_BACK),
        "type": kind,
        "id": conversation.id or derive_id("inkeep", "external", conversation.session or ""),
    }
    if conversation.session is not None and conversation.session != out["id"]:
        out["externalId"] = conversation.session
    elif conversation.session is not None and out.get("externalId") != out["id"]:
        out.pop("externalId", None)
    write_time(out, "createdAt", conversation.started_at)
    write_time(out, "updatedAt", conversation.updated_at)
    if conversation.people and (person := encode_person(conversation.people[0])):
        out["userProperties"] = person
    if conversation.tags:
        out["tags"] = list(conversation.tags)
    if conversation.visibility in VISIBILITIES:
        out["visibility"] = conversation.visibility
    elif conversation.visibility is not None:
        reason = f"Inkeep knows private and public, not {conversation.visibility!r:.60}; kept in properties"
        notes.add("visibility", "changed", reason)
    return out


def _properties(conversation: Conversation, native: Conversation, folded: Folded) -> dict[str, Any]:
    beside = {"messages", "properties", "tool_runs", "agents", "people"}
    exact = parking.differences(conversation, native, without=beside)
    words = {
        word: exact.pop(name) for name, word in parking.CONVERSATION_FIELDS.items() if name in exact
    }
    if folded.runs:
        words[parking.CONVERSATION_FIELDS["tool_runs"]] = [run.to_json() for run in folded.runs]
    if conversation.agents:
        words |= _agent_words(conversation.agents[0])
        known = Agent(name=conversation.agents[0].name, version=conversation.agents[0].version)
        if conversation.agents != (known,) or known == Agent():
            exact["agents"] = [agent.to_json() for agent in conversation.agents]
    if conversation.people != native.people:
        exact["people"] = [person.to_json() for person in conversation.people]
    exact.pop("id", None)  # one that is empty
    return parking.park(conversation.properties, words, exact, parking.CONVERSATION_WORDS)


def _agent_words(agent: Agent) -> dict[str, str]:
    words = {parking.AGENT: agent.name, parking.AGENT_VERSION: agent.version}
    return {word: value for word, value in words.items() if value is not None}


# ── times ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _dates(conversation: Conversation, slots: Sequence[Slot]) -> list[dt.datetime | None]:
    """A time for each message: its own, or that of the message before; none where no time is known at all.

    Inkeep dates what comes without one with now, which would put an old message behind the newer ones.
    """
    known = [_time(slot.message) for slot in slots]
    last = conversation.started_at or next((time for time in known if time is not None), None)
    dates = []
    for time in known:
        last = time or last
        dates.append(last)
    return dates


def _time(message: Message) -> dt.datetime | None:
    made = message.generation
    return said_at(message) or (made and (made.ended_at or made.started_at)) or None


# ── what databases refuse ───────────────────────────────────────────────────────────────────────────────────────


def without_nul(body: dict[str, Any], notes: Notes) -> dict[str, Any]:
    """``body`` with U+0000, which databases refuse in text, replaced by U+FFFD."""
    if b"\\u0000" not in jsontext.dumps(body):
        return body
    clean, count = _replace_nul(body)
    notes.add("messages", "changed", "U+0000, which databases refuse, replaced by U+FFFD", count)
    return clean  # type: ignore[no-any-return]


def _replace_nul(value: Any) -> tuple[Any, int]:
    if isinstance(value, str):
        return value.replace(_NUL, "\ufffd"), int(_NUL in value)
    if isinstance(value, dict):
        pairs = [(_replace_nul(key), _replace_nul(inner)) for key, inner in value.items()]
        clean = {key: inner for (key, _), (inner, _) in pairs}
        return clean, sum(a + b for (_, a), (_, b) in pairs)
    if isinstance(value, list):
        items = [_replace_nul(inner) for inner in value]
        return [inner for inner, _ in items], sum(count for _, count in items)
    return value, 0
