"""Rows that are one message each, joined to conversations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from llmtee.bulk.tables._rows import finish, generated, placed, shared
from llmtee.bulk.tables._values import values_of
from llmtee.bulk.tables.mapping import TableMapping
from llmtee.errors import InputError
from llmtee.formats.openai_chat.messages import decode_message
from llmtee.model import Conversation, Generation, Item, Message, conversation_id

_ROLES = {"human": "user", "customer": "user", "bot": "assistant", "ai": "assistant"}
_OF_THE_WHOLE = ("source", "trace_id")


class Spoken(NamedTuple):
    """One message, and what its row says of the conversation."""

    session: str
    message: Message
    whole: dict[str, Any]


@dataclass(frozen=True, slots=True)
class MessageRows:
    """Reads rows as messages; how the parts of a conversation are put together."""

    mapping: TableMapping

    def split(self, row: Any) -> list[tuple[str | None, Any]]:
        """The message of a row, with its session.

        Raises:
            InputError: a cell is not what its field holds; the error names the column.
        """
        values = values_of(row, self.mapping)
        for name in ("session", "role"):
            if name not in values.fields:
                column = next(one.column for one in self.mapping.columns if one.field == name)
                raise InputError(f"{name}: is missing", path=column)
        try:
            spoken = _spoken(values)
        except InputError as error:
            raise placed(error, values) from None
        return [(spoken.session, spoken)]


def join(parts: Sequence[Spoken]) -> list[Item]:
    """The conversation of some messages: in the order of their times where all have one, else as they came."""
    if all(part.message.started_at is not None for part in parts):
        parts = sorted(parts, key=lambda part: part.message.started_at or 0)
    session = parts[0].session
    messages = tuple(part.message for part in parts)
    begun = [one.started_at for one in messages if one.started_at is not None]
    ended = [one.ended_at or one.started_at for one in messages]
    last = [one for one in ended if one is not None]
    whole: dict[str, Any] = {}
    for name in _OF_THE_WHOLE:
        said = {part.whole[name] for part in parts if name in part.whole}
        if len(said) == 1:
            whole[name] = said.pop()
    flags = [flag for part in parts for flag in part.whole.get("flags", ())]
    return [
        Conversation(
            id=conversation_id(session),
            session=session,
            messages=messages,
            agents=_each(one.agent for one in messages),
            people=_each(one.person for one in messages),
            started_at=min(begun, default=None),
            ended_at=max(last, default=None),
            flags=tuple(dict.fromkeys(flags)),
            **whole,
        )
    ]


def _each(found: Any) -> tuple[Any, ...]:
    known: list[Any] = []
    for one in found:
        if one is not None and one not in known:
            known.append(one)
    return tuple(known)


def _spoken(values: Any) -> Spoken:
    made, stopped = generated(values), finish(values.take("finish_reason"))
    fields = shared(values)
    session = fields.pop("session")
    role = values.take("role").strip()
    said: dict[str, Any] = {"role": _ROLES.get(role.lower(), role.lower())}
    for name in ("content", "tool_calls", "tool_call_id", "name"):
        if (value := values.take(name)) is not None:
            said[name] = value
    message = decode_message(said, "")
    generation = {key: value for key, value in {**made, **stopped}.items() if key != "flags"}
    if "error" in fields:
        generation["error"] = fields.pop("error")
    beside: dict[str, Any] = {
        name: fields.pop(name) for name in ("feedback", "metrics") if name in fields
    }
    if "duration_ms" in fields:
        beside["duration_ms"] = fields.pop("duration_ms")
    if generation and message.role == "assistant":
        times = ("started_at", "ended_at", "first_token_at")
        generation |= {name: fields[name] for name in times if name in fields}
        fields["generation"] = Generation(**generation)
    elif generation:
        beside |= Generation(**generation).to_json()
    fields.pop("first_token_at", None)
    whole = {name: fields.pop(name) for name in _OF_THE_WHOLE if name in fields}
    whole["flags"] = (*fields.pop("flags", ()), *made.get("flags", ()))
    fields.pop("parent", None)
    if beside:
        # A message has no fields for these: they are kept as properties.
        fields["properties"] = {**beside, **fields.get("properties", {})}
    return Spoken(session, Message(**{**dict(message), **fields}), whole)
