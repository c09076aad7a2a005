"""A model call as a session keeps it: its messages by number, and nothing that a conversation does not use."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from llmtee import jsontext
from llmtee.assembly._histories import Histories
from llmtee.model import Event, Generation, Message, ModelCall, ToolResultPart

PROMPTS = ("system", "developer")
"""Roles of the messages that may stand before a conversation."""

Order: TypeAlias = tuple[dt.datetime, dt.datetime, int, str]

_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)
_UNUSED: dict[str, Any] = {
    "input": (),
    "choices": (),
    "tools": (),
    "template": None,
    "native": None,
    "name": None,
    "duration_ms": None,
    "extra": {},
}
"""Fields of a call that a conversation has no place for. ``native`` repeats the whole history once more."""


class Said(NamedTuple):
    """One choice of a call."""

    message: int
    """Its number in the table."""
    finish_reason: str | None
    finish_reason_raw: str | None


@dataclass(frozen=True, slots=True)
class Call:
    """A call without its messages: they stand in the session's `Histories`."""

    event: ModelCall
    """The event without input, choices, and what no conversation uses."""
    prompt: int
    """The system and developer messages at the start of the input, as a history."""
    history: int
    """The rest of the input."""
    said: tuple[Said, ...]
    size: int
    """How many messages the input has."""

    @property
    def order(self) -> Order:
        """Where the call belongs among all calls of the session."""
        return order(self.event, self.size)


def order(event: Event, size: int = 0) -> Order:
    """By time. What has none comes first, shorter histories before longer ones, and so can supersede nothing."""
    first = event.started_at or event.ended_at or _NEVER
    last = event.ended_at or event.started_at or _NEVER
    return first, last, size, event.id


def read_call(event: ModelCall, histories: Histories) -> Call:
    """The call of an event, its messages put into the table: the one step that costs what the event is long."""
    count = 0
    while count < len(event.input) and event.input[count].role in PROMPTS:
        count += 1
    said = (
        Said(histories.number(choice.message), choice.finish_reason, choice.finish_reason_raw)
        for choice in event.choices
    )
    return Call(
        event=event.model_copy(update=_UNUSED),
        prompt=histories.history(event.input[:count]),
        history=histories.history(event.input[count:]),
        said=tuple(said),
        size=len(event.input),
    )


Weight: TypeAlias = tuple[int, bytes]
"""How much a record says, of what a conversation uses. Of two records under one id the heavier counts."""


def weight_of(event: Event) -> Weight:
    """The weight of an event as it was given."""
    if not isinstance(event, ModelCall):
        return _length_and_text(event.to_json())
    said = [[choice.finish_reason, choice.finish_reason_raw] for choice in event.choices]
    messages = [*event.input, *(choice.message for choice in event.choices)]
    return _call_weight(event.model_copy(update=_UNUSED), messages, said)


def weight_of_call(call: Call, histories: Histories) -> Weight:
    """The weight of a call as it is kept: the same as that of its event."""
    messages = [
        *histories.messages_of(call.prompt),
        *histories.messages_of(call.history),
        *(histories.messages[said.message] for said in call.said),
    ]
    return _call_weight(call.event, messages, [[*said[1:]] for said in call.said])


def _call_weight(event: ModelCall, messages: Iterable[Message], said: list[list[Any]]) -> Weight:
    told = [message.to_json() for message in messages]
    return _length_and_text({"event": event.to_json(), "messages": told, "said": said})


def _length_and_text(tree: dict[str, Any]) -> Weight:
    text = jsontext.dumps_sorted(tree)
    return len(text), text


def reply_of(call: ModelCall, message: Message, said: Said | None) -> Message:
    """An answer as it stands in a conversation, with what is known of its making."""
    learned: dict[str, Any] = {
        "started_at": message.started_at or call.started_at,
        "ended_at": message.ended_at or call.ended_at,
        "agent": message.agent or call.agent,
        "properties": {**_scores(call), **call.properties, **message.properties},
        "tags": tuple(dict.fromkeys((*call.tags, *message.tags))),
        "source_ids": {**call.source_ids, **message.source_ids},
        "generation": generation_of(call, said),
    }
    return message.model_copy(update=learned)


def _scores(call: ModelCall) -> dict[str, Any]:
    """Metrics and feedback of a call, for which a message has no fields of its own."""
    scores = {"metrics": call.metrics, "feedback": call.feedback}
    return {name: value for name, value in scores.items() if value}


def generation_of(call: ModelCall, said: Said | None) -> Generation:
    """What a conversation keeps of a call; ``said`` is the answer, if there was one."""
    return Generation(
        event=call.id,
        provider=call.provider,
        model=call.model,
        response_model=call.response_model,
        parameters=call.parameters,
        finish_reason=said.finish_reason if said else None,
        finish_reason_raw=said.finish_reason_raw if said else None,
        usage=call.usage,
        cost=call.cost,
        started_at=call.started_at,
        ended_at=call.ended_at,
        first_token_at=call.first_token_at,
        error=call.error,
    )


def is_heard(message: Message) -> bool:
    """Whether the person speaks, and not a tool, which at some providers has the role ``user`` too."""
    results = any(isinstance(part, ToolResultPart) for part in message.parts)
    return message.role == "user" and not results
