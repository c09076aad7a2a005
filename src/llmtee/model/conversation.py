"""A conversation: the transcript of one session, or of one segment of it."""

from __future__ import annotations

from typing import ClassVar, Literal

from llmtee.model._base import JsonObject, Tagged, Text, Time
from llmtee.model.event import ToolRun
from llmtee.model.ids import derive_id
from llmtee.model.message import Agent, Message, Person


class Conversation(Tagged):
    """Messages in order, tool runs, and who took part. Assembled from events, or read from a vendor."""

    tag_field: ClassVar[str] = "kind"

    kind: Literal["conversation"] = "conversation"
    id: Text
    """Derived from the session (and the segment), so that an upsert updates and never duplicates."""
    session: Text | None = None
    segment: int = 0
    """Counts the parts of a session that were closed one after another, from 0."""
    messages: tuple[Message, ...] = ()
    tool_runs: tuple[ToolRun, ...] = ()
    """Runs that were recorded as events or that a vendor lists apart from the messages.

    A call and its result that stand only in the messages are not repeated here.
    """
    agents: tuple[Agent, ...] = ()
    people: tuple[Person, ...] = ()
    started_at: Time | None = None
    ended_at: Time | None = None
    updated_at: Time | None = None
    trace_id: Text | None = None
    title: Text | None = None
    visibility: Text | None = None
    """``private`` or ``public``."""
    properties: JsonObject = {}
    metrics: JsonObject = {}
    feedback: JsonObject = {}
    tags: tuple[Text, ...] = ()
    source: Text | None = None
    source_ids: dict[Text, Text] = {}
    """Its ids elsewhere, by system."""
    flags: tuple[Text, ...] = ()
    extra: JsonObject = {}
    """Fields of a vendor that have no canonical home: an object by the vendor's name."""


def conversation_id(session: str, segment: int = 0) -> str:
    """The id of a session's conversation: a UUIDv5."""
    return derive_id("conversation", session, *([str(segment)] if segment else []))
