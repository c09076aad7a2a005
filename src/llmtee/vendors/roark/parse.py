"""Roark's chat to a conversation: the body of ``POST /v1/chat``, and what the read API answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee import jsontext
from llmtee.errors import InputError
from llmtee.jsonfields import as_list, as_object, as_text, rest, text_or_none, type_name
from llmtee.model import Agent, Conversation, Item, Message, Person, TextPart, ToolRun
from llmtee.model.ids import derive_id
from llmtee.model.snapshot import to_json_value
from llmtee.vendors.roark import participants, properties, wire
from llmtee.vendors.roark.frame import Frame, read_time
from llmtee.vendors.roark.reading import read_chat

_CHAT_FIELDS = tuple(wire.WireChat.__annotations__)
_MESSAGE_FIELDS = tuple(wire.WireMessage.__annotations__)
_INVOCATION_FIELDS = tuple(wire.WireInvocation.__annotations__)
_EMPTY: Mapping[str, Any] = {"toolInvocations": [], "properties": {}, "traceId": None}


def parse(payload: Any) -> list[Item]:
    """The conversations of a payload: of a body of ``POST /v1/chat`` one, of an answer of ``GET /v1/chat`` many.

    An answer for one chat, a transcript (``GET /v1/chat/{id}/transcript``), and both together as
    ``{"chat": …, "transcript": …}`` are read as well. A transcript has offsets only, so without its chat its messages
    stay without times.

    Raises:
        InputError: the payload is none of these; the error names the JSON path.
    """
    if not isinstance(payload, Mapping):
        raise InputError(f"must be an object, a chat of Roark, not {type_name(payload)}")
    if "messages" in payload:
        return [_Reader(payload).conversation()]
    if "chat" in payload or "transcript" in payload:
        chat = _data(payload.get("chat") or {}, "chat")
        return [read_chat(chat, _data(payload.get("transcript") or {}, "transcript"), "chat.")]
    data = payload.get("data", payload)
    if isinstance(data, list):
        return [
            read_chat(as_object(chat, f"data[{i}]"), {}, f"data[{i}].")
            for i, chat in enumerate(data)
        ]
    data = as_object(data, "data")
    if "entries" in data:
        return [read_chat({}, data, "")]
    if "startTimestamp" in data:
        return [read_chat(data, {}, "data." if "data" in payload else "")]
    raise InputError(
        "is not a chat of Roark: it has neither messages (a body of POST /v1/chat), nor data with "
        "a chat, chats or a transcript (an answer of GET /v1/chat)"
    )


def _data(answer: Any, path: str) -> Mapping[str, Any]:
    answer = as_object(answer, path)
    return as_object(answer.get("data", answer), f"{path}.data")


class _Reader:
    """One body."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw, self.frame = raw, Frame(raw)
        known = self.frame.own_id()
        self.id = known or derive_id("roark", jsontext.dumps_sorted(to_json_value(raw)).decode())

    def conversation(self) -> Conversation:
        fields = self.frame.fields()
        extra = {**rest(self.raw, *_CHAT_FIELDS), **self.frame.unmodelled()}
        if self.raw.get("externalId") is None and "externalId" not in self.frame.told.words:
            # Only this very conversation is written without one again: delivered, it has the id of its session.
            extra["no_external_id"] = self.id
        if empty := [key for key, value in _EMPTY.items() if self.raw.get(key, ...) == value]:
            extra["empty"] = dict.fromkeys(empty, True)
        messages = as_list(self.raw.get("messages"), "messages")
        invoked = as_list(self.raw.get("toolInvocations"), "toolInvocations")
        prompts = self._prompts()
        return Conversation(
            id=self.id,
            messages=(
                *prompts,
                *(self._message(raw, i) for i, raw in enumerate(messages)),
            ),
            tool_runs=tuple(
                self._tool_run(raw, i, fields.get("session")) for i, raw in enumerate(invoked)
            ),
            extra={"roark": extra} if extra else {},
            **fields,
        )

    def _prompts(self) -> list[Message]:
        found: dict[int, Message] = {}
        agents = self.frame.agents
        entries = [self.raw.get("agent"), *as_list(self.raw.get("agents"), "agents")]
        for raw in entries:
            prompt = raw.get("prompt") if isinstance(raw, Mapping) else None
            text = prompt.get("resolvedPrompt") if isinstance(prompt, Mapping) else None
            if not isinstance(text, str) or not text:
                continue
            place = participants.position(participants.decode_agent(raw, "agent"), agents)
            if place is not None and place not in found:
                found[place] = Message(
                    role="system",
                    parts=(TextPart(text=text),),
                    id=derive_id("roark", "prompt", self.id, str(place)),
                    agent=agents[place] if len(agents) > 1 else None,
                )
        return [found[place] for place in sorted(found)]

    def _message(self, raw: Any, i: int) -> Message:
        path = f"messages[{i}]"
        raw = as_object(raw, path)
        role = as_text(raw.get("role"), f"{path}.role")
        agent = customer = None
        if role != wire.CUSTOMER:
            agent = self.frame.agent(raw.get("agent"), f"{path}.agent")
        if role != wire.AGENT:
            customer = self.frame.person(raw.get("customer"), f"{path}.customer")
        return Message(
            role=wire.ROLES.get(role, role),
            parts=(TextPart(text=as_text(raw.get("text"), f"{path}.text")),),
            id=derive_id("roark", "message", self.id, str(i)),
            started_at=read_time(raw, "startTimestamp", f"{path}."),
            ended_at=read_time(raw, "endTimestamp", f"{path}."),
            language=text_or_none(raw.get("languageCode"), f"{path}.languageCode"),
            agent=agent,
            person=customer,
            extra=self._extra(raw, _MESSAGE_FIELDS, agent, customer),
        )

    def _tool_run(self, raw: Any, i: int, session: str | None) -> ToolRun:
        path = f"toolInvocations[{i}]"
        raw = as_object(raw, path)
        call_ids = properties.split(self.frame.told.words.get("toolCallIds"))
        agent = self.frame.agent(raw.get("agent"), f"{path}.agent")
        return ToolRun(
            id=derive_id("roark", "tool_run", self.id, str(i)),
            session=session,
            name=as_text(raw.get("name"), f"{path}.name"),
            call_id=(call_ids[i] or None) if i < len(call_ids) else None,
            description=text_or_none(raw.get("description"), f"{path}.description"),
            arguments=raw.get("parameters"),
            result=raw.get("result"),
            started_at=read_time(raw, "startTimestamp", f"{path}."),
            ended_at=read_time(raw, "endTimestamp", f"{path}."),
            agent=agent,
            extra=self._extra(raw, _INVOCATION_FIELDS, agent),
        )

    def _extra(
        self,
        raw: Mapping[str, Any],
        known: tuple[str, ...],
        agent: Agent | None,
        customer: Person | None = None,
    ) -> dict[str, Any]:
        """Undocumented fields, and who spoke or acted, where `render` would not name them in the same way."""
        extra = rest(raw, *known)
        usual: dict[str, Any] = {}
        if agent is not None and len(self.frame.agents) > 1:
            usual["agent"] = participants.agent_reference(agent)
        if customer is not None and len(self.frame.people) > 1:
            usual["customer"] = participants.encode_customer(customer)
        for key in ("agent", "customer"):
            if raw.get(key) is not None and raw[key] != usual.get(key):
                extra[key] = raw[key]
        return {"roark": extra} if extra else {}
