"""What Roark's read API answers, to a conversation: a chat without its messages, and a transcript without times.

Source: the public pages on ``GET /v1/chat``, ``GET /v1/chat/{id}`` and ``GET /v1/chat/{id}/transcript``, November 2026.
Tool invocations, prompts and languages of messages cannot be read back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from llmtee import jsontext
from llmtee.jsonfields import as_list, as_object, as_text, rest, text_or_none
from llmtee.model import Agent, Conversation, Message, TextPart
from llmtee.model.ids import derive_id
from llmtee.model.snapshot import to_json_value
from llmtee.vendors.roark import participants, wire
from llmtee.vendors.roark.frame import Frame, read_time

_HOMES = (*wire.WireChat.__annotations__, "id", "title", "updatedAt")
_OFFSETS = ("startOffsetMs", "endOffsetMs")


def read_chat(chat: Mapping[str, Any], transcript: Mapping[str, Any], path: str) -> Conversation:
    """The conversation of a chat and its transcript; either may be empty.

    Args:
        chat: as ``GET /v1/chat`` has it under ``data``.
        transcript: as ``GET /v1/chat/{id}/transcript`` has it under ``data``.
        path: what stands before the chat's fields in their JSON path.

    Raises:
        InputError: something is not of the shape; the error names the JSON path.
    """
    frame = Frame(chat, path)
    fields = frame.fields()
    roark_id = text_or_none(chat.get("id"), f"{path}id")
    if roark_id is not None:
        fields["source_ids"] = {**fields["source_ids"], "roark": roark_id}
    if (title := text_or_none(chat.get("title"), f"{path}title")) is not None:
        fields["title"] = title
    read = [dict(chat), dict(transcript)] if roark_id is None else [roark_id]
    source = jsontext.dumps_sorted(to_json_value(read)).decode()
    own_id = frame.own_id() or derive_id("roark", source)
    extra = {
        key: value
        for key, value in {**rest(chat, *_HOMES), **frame.unmodelled()}.items()
        if value is not None
    }
    return Conversation(
        id=own_id,
        messages=tuple(_Transcript(transcript, frame, own_id, fields["started_at"]).messages()),
        updated_at=read_time(chat, "updatedAt", path),
        extra={"roark": extra} if extra else {},
        **fields,
    )


class _Transcript:
    def __init__(
        self, raw: Mapping[str, Any], frame: Frame, own_id: str, start: dt.datetime | None
    ) -> None:
        self.raw, self.frame, self.own_id, self.start = raw, frame, own_id, start
        listed = as_list(raw.get("participants"), "transcript.participants")
        participants_of = (as_object(one, "transcript.participants") for one in listed)
        self.participants = {
            one["id"]: one for one in participants_of if isinstance(one.get("id"), str)
        }

    def messages(self) -> list[Message]:
        entries = as_list(self.raw.get("entries"), "transcript.entries")
        return [
            self._message(entry, f"transcript.entries[{i}]", i) for i, entry in enumerate(entries)
        ]

    def _message(self, raw: Any, path: str, i: int) -> Message:
        raw = as_object(raw, path)
        role = as_text(raw.get("role"), f"{path}.role")
        offsets = {key: raw[key] for key in _OFFSETS if _is_number(raw.get(key))}
        # Offsets alone say when within the chat, not when.
        extra = offsets if self.start is None else {}
        return Message(
            role=wire.ROLES.get(role, role),
            parts=(TextPart(text=as_text(raw.get("text"), f"{path}.text")),),
            id=derive_id("roark", "message", self.own_id, str(i)),
            started_at=self._at(offsets.get("startOffsetMs")),
            ended_at=self._at(offsets.get("endOffsetMs")),
            agent=self._agent(raw) if role != wire.CUSTOMER else None,
            person=self.frame.person(None, path) if role != wire.AGENT else None,
            extra={"roark": extra} if extra else {},
        )

    def _agent(self, raw: Mapping[str, Any]) -> Agent | None:
        speaker = self.participants.get(str(raw.get("participantId")), {})
        agent_id = speaker.get("agentId")
        if not isinstance(agent_id, str):
            return self.frame.agent(None, "")
        named = Agent(ids={participants.ROARK: agent_id})
        place = participants.position(named, self.frame.agents)
        return named if place is None else self.frame.agents[place]

    def _at(self, offset: float | None) -> dt.datetime | None:
        if offset is None or self.start is None:
            return None
        try:
            return self.start + dt.timedelta(milliseconds=offset)
        except OverflowError:
            return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
