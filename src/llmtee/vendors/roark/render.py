"""A conversation to Roark's chat."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmtee.model import Conversation, Item, Message, ToolRun, times
from llmtee.model.ids import derive_id
from llmtee.spec import Note, WireItem
from llmtee.vendors.roark import participants, properties, tools, wire
from llmtee.vendors.roark.settings import Roark
from llmtee.vendors.roark.text import PROMPTS, TOOLS, calls_text, plain_text, wire_role
from llmtee.vendors.roark.timing import Span, spans, to_ms

REASONS: Mapping[str, str] = {
    "updated_at": "a chat is written once, and Roark dates its changes itself",
    "agents": "an agent is an id, or a name with a description",
    "people": "a customer is a phone number and a label; properties of the first one are parked",
    "extra": "properties are for filtering; what other vendors need has no place there",
    "tool_runs": "a tool invocation is name, parameters, result, description, times and agent",
    "messages": "a message is role, plain text, language, times and who spoke",
    "messages[].generation": "Roark knows no model calls; their totals stand in properties",
    "messages[].properties": "Roark's messages have none; the last value stands in the chat's properties",
    "messages[].tags": "Roark's messages have no tags",
    "messages[].parts": "Roark's messages are plain text; tool calls and results are tool invocations",
}
"""Why a canonical field is lost, for the ledger."""

_NO_CONVERSATION = "Roark takes whole conversations only; assemble the events first"
_NO_MESSAGE = (
    "Roark has no place for a chat in which neither the agent nor a customer says anything"
)
_NO_TIME = (
    "Roark dates every message, and nothing in this conversation has a time; give started_at to it "
    "or to one of its messages"
)
_NO_TEXT = "Roark takes only messages with text in them"
_ONLY_CALLS = "it only calls tools; the calls stand in toolInvocations"
_RESULT = "it is what a tool answered; the answer stands in toolInvocations"
_JOINED_PROMPT = "Roark keeps one prompt an agent; several system messages were joined"
_LATE_PROMPT = "Roark keeps prompts with the agent; one from within the transcript was moved there"


def render(item: Item, settings: Roark) -> WireItem:
    """A conversation as the body of ``POST /v1/chat``, or skipped with the reason."""
    if not isinstance(item, Conversation):
        return WireItem(item.id, None, session=item.session, skip=_NO_CONVERSATION)
    notes: list[Note] = []
    said = _said(item, notes)
    if not said:
        return WireItem(item.id, None, session=item.session, skip=_NO_MESSAGE)
    dated = spans(item, notes)
    if dated is None:
        return WireItem(item.id, None, session=item.session, skip=_NO_TIME)
    body = _Chat(item, settings, dated, notes).body(said)
    return WireItem(item.id, body, session=item.session, notes=tuple(notes))


@dataclass(frozen=True, slots=True)
class _Said:
    """A message that Roark takes."""

    place: int
    """Where it stands in the conversation."""
    role: str
    text: str


def _said(conversation: Conversation, notes: list[Note]) -> list[_Said]:
    said, silent = [], []
    for i, message in enumerate(conversation.messages):
        role = wire_role(message)
        if role is None:
            if message.role.lower() in TOOLS:
                notes.append(Note(f"messages[{i}]", "changed", _RESULT))
            continue
        if message.role != wire.ROLES[role]:
            notes.append(
                Note(f"messages[{i}].role", "changed", f"{message.role!r} speaks as {role}")
            )
        text = plain_text(message.parts, notes, f"messages[{i}].parts")
        if text.strip():
            said.append(_Said(i, role, text))
        elif message.tool_calls:
            silent.append(_Said(i, role, calls_text(message)))
        else:
            notes.append(Note(f"messages[{i}]", "dropped", _NO_TEXT))
    if said:
        notes += [Note(f"messages[{entry.place}]", "changed", _ONLY_CALLS) for entry in silent]
    return said or silent


def _ours(extra: Mapping[str, Any]) -> dict[str, Any]:
    """What reading a payload of Roark left in ``extra``."""
    ours = extra.get(participants.ROARK)
    return ours if isinstance(ours, dict) else {}


class _Chat:
    """One chat in the making."""

    def __init__(
        self, conversation: Conversation, settings: Roark, dated: Sequence[Span], notes: list[Note]
    ) -> None:
        self.conversation, self.settings = conversation, settings
        self.dated, self.notes = dated, notes
        self.agents = participants.agents_of(conversation, settings.agent, notes)
        self.people = participants.people_of(conversation)
        self.ours = _ours(conversation.extra)

    def body(self, said: Sequence[_Said]) -> wire.WireChat:
        started = min(span.start for span in self.dated)
        calls = tools.invocations(self.conversation)
        messages = [self._message(entry) for entry in said]
        invoked = [self._invocation(call, started) for call in calls]
        start, end = self._bounds(messages, invoked)
        body: wire.WireChat = {"startTimestamp": start, "endTimestamp": end, "messages": messages}
        if invoked:
            body["toolInvocations"] = invoked
        if words := self._properties(calls):
            body["properties"] = words
        if self._trace_id() is not None:
            body["traceId"] = self._trace_id()
        as_read = self.ours.get("no_external_id") == self.conversation.id
        if self.settings.external_id and not as_read:
            body["externalId"] = self._external_id()
        self._participants(body)
        return self._as_read(body)

    # ── messages and calls ──────────────────────────────────────────────────────────────────────────────────────

    def _message(self, said: _Said) -> wire.WireMessage:
        message, span = self.conversation.messages[said.place], self.dated[said.place]
        out: wire.WireMessage = {
            "role": said.role,  # type: ignore[typeddict-item]
            "text": said.text,
            "startTimestamp": times.to_iso(span.start),
        }
        if message.language:
            out["languageCode"] = message.language
        if span.end is not None:
            out["endTimestamp"] = times.to_iso(span.end)
        if said.role == wire.AGENT and (agent := self._reference(message)) is not None:
            out["agent"] = agent
        if said.role == wire.CUSTOMER and (customer := self._customer(message)) is not None:
            out["customer"] = customer
        return out

    def _invocation(self, call: tools.Invocation, start: dt.datetime) -> wire.WireInvocation:
        out = tools.encode(call, self.dated, start, self.notes)
        asked = self.conversation.messages[call.asked] if call.asked is not None else None
        holder = call.run if call.run is not None and call.run.agent is not None else asked
        agent = self._reference(holder) if holder is not None else None
        if agent is not None:
            out["agent"] = agent
        return out

    def _reference(self, holder: Message | ToolRun) -> wire.AgentReference | None:
        """What a message or run says of the agent: as it was read, else an id where there are several agents."""
        read = _ours(holder.extra).get("agent")
        if participants.is_agent_reference(read):
            return read
        if holder.agent is None or len(self.agents) == 1:
            return None
        place = participants.position(holder.agent, self.agents)
        return None if place is None else participants.agent_reference(self.agents[place])

    def _customer(self, message: Message) -> wire.WireCustomer | None:
        """What a message says of the customer: as it was read, else who it is where there are several."""
        read = _ours(message.extra).get("customer")
        if participants.is_customer_reference(read):
            return read
        if message.person is None or len(self.people) < 2:
            return None
        return participants.encode_customer(message.person)

    def _bounds(
        self, messages: Sequence[wire.WireMessage], invoked: Sequence[wire.WireInvocation]
    ) -> tuple[str, str]:
        """Start and end of the chat: the conversation's own, widened to cover everything in it."""
        entries = (*messages, *invoked)
        texts = [entry["startTimestamp"] for entry in entries]
        texts += [entry["endTimestamp"] for entry in entries if "endTimestamp" in entry]
        inside = [dt.datetime.fromisoformat(text) for text in texts]
        own_start = to_ms(self.conversation.started_at)
        own_end = to_ms(self.conversation.ended_at)
        start = min(inside if own_start is None else [own_start, *inside])
        # The start counts for the end as well: a conversation may be said to end before it starts.
        end = max([start, *inside] if own_end is None else [start, own_end, *inside])
        for name, own, widest in (("started_at", own_start, start), ("ended_at", own_end, end)):
            if own != widest:
                reason = "it must cover all messages and tool invocations"
                self.notes.append(Note(name, "changed", reason))
        return times.to_iso(start), times.to_iso(end)

    # ── what holds for the whole ────────────────────────────────────────────────────────────────────────────────

    def _properties(self, calls: Sequence[tools.Invocation]) -> dict[str, Any]:
        conversation = self.conversation
        words = properties.conversation_words(conversation)
        if self.people:
            known = self.people[0].properties.items()
            words |= {
                properties.PERSON + name: value
                for name, value in known
                if name != participants.PHONE
            }
        words |= self._agent_words()
        if any(call.call_id is not None for call in calls):
            words["toolCallIds"] = properties.join([call.call_id or "" for call in calls])
        if conversation.trace_id is not None and self._trace_id() != conversation.trace_id:
            words["traceId"] = conversation.trace_id
        if not self.settings.external_id:
            words["externalId"] = conversation.id
        elif self._external_id() != conversation.id:
            words["conversationId"] = conversation.id
        return properties.mix(conversation.properties, {**words, **self._totals(calls)})

    def _agent_words(self) -> dict[str, Any]:
        words = {}
        if any(agent.version for agent in self.agents):
            words["agentVersion"] = properties.join([agent.version or "" for agent in self.agents])
        if any(agent.name and participants.roark_id(agent) for agent in self.agents):
            words["agentName"] = properties.join([agent.name or "" for agent in self.agents])
        return words

    def _totals(self, calls: Sequence[tools.Invocation]) -> dict[str, Any]:
        read = self.ours.get("totals")
        before = properties.read_totals(read) if isinstance(read, Mapping) else {}
        failed = sum(call.failed for call in calls)
        return {**before, **properties.totals(self.conversation.messages, failed)}

    def _trace_id(self) -> str | None:
        trace_id = (self.conversation.trace_id or "").replace("-", "").lower()
        return trace_id if wire.TRACE_ID.fullmatch(trace_id) else None

    def _external_id(self) -> str:
        own = self.conversation.id
        return (
            own if 0 < len(own) <= wire.MAX_EXTERNAL_ID else derive_id("roark", "externalId", own)
        )

    # ── who took part ───────────────────────────────────────────────────────────────────────────────────────────

    def _participants(self, body: wire.WireChat) -> None:
        alone = len(self.agents) == 1
        agents = [participants.encode_agent(agent, alone=alone) for agent in self.agents]
        for place, texts in self._prompts().items():
            agents[place]["prompt"] = {"resolvedPrompt": "\n\n".join(texts)}
        customers = [
            customer
            for person in self.people
            if (customer := participants.encode_customer(person)) is not None
        ]
        for one, many, entries in (
            ("agent", "agents", agents),
            ("customer", "customers", customers),
        ):
            forms = self.ours.get("forms")
            body.update(participants.in_form(one, many, entries, forms))  # type: ignore[typeddict-item]

    def _prompts(self) -> dict[int, list[str]]:
        """The texts of system messages by the agent that they are for, the first one where it is not said."""
        prompts: dict[int, list[str]] = {}
        begun = False
        for i, message in enumerate(self.conversation.messages):
            if message.role.lower() not in PROMPTS:
                begun = True
                continue
            text = plain_text(message.parts, self.notes, f"messages[{i}].parts")
            if not text:
                continue
            place = participants.position(message.agent, self.agents) if message.agent else None
            texts = prompts.setdefault(place or 0, [])
            if texts:
                self.notes.append(Note(f"messages[{i}]", "changed", _JOINED_PROMPT))
            if begun:
                self.notes.append(Note(f"messages[{i}]", "changed", _LATE_PROMPT))
            texts.append(text)
        return prompts

    def _as_read(self, body: wire.WireChat) -> wire.WireChat:
        """With the empty optional fields of the chat that the conversation was read from."""
        empty = self.ours.get("empty")
        if not isinstance(empty, Mapping):
            return body
        allowed: dict[str, Any] = {"toolInvocations": [], "properties": {}, "traceId": None}
        again = {key: value for key, value in allowed.items() if key in empty and key not in body}
        return {**body, **again}  # type: ignore[typeddict-item]
