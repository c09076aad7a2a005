"""A conversation: the transcript of one session, or of one segment of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from llmtee.model import times
from llmtee.model._base import Frozen, JsonObject, Tagged, Text, Time, empty
from llmtee.model.event import ToolRun
from llmtee.model.ids import derive_id
from llmtee.model.message import Agent, Message, Person

if TYPE_CHECKING:
    from llmtee.views import Timeline


class Branch(Frozen):
    """Messages that are no part of the transcript: what was superseded, was not chosen, or went on beside it."""

    reason: Text
    """Why they stand here:

    - ``edited``: a message was rewritten, and it and what followed gave way.
    - ``regenerated``: another answer was asked for, and it gave way.
    - ``choice``: a further answer of the same call, which the application did not go on with.
    - ``reworded``: an answer as the model gave it; the application has written it back in other words.
    - ``prompt``: a system prompt that another one replaced. It held for all answers up to ``after``.
    - ``side_call``: what a sub-agent, a tool or another prompt asked a model while the conversation went on.
    """
    after: Text | None = None
    """Id of the message that it follows, in the transcript or in another branch; ``None`` at the start."""
    messages: tuple[Message, ...] = ()
    detached: bool = False
    """Whether its calls were not told what stands before it, as a sub-agent with a history of its own."""
    agent: Agent | None = None
    """Of a side call: the agent that made it."""
    parent: Text | None = None
    """Of a side call: id of the event that it is a step of, such as a tool run."""


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
    branches: tuple[Branch, ...] = ()
    """What is kept beside the transcript, in the order in which it was left."""
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
    properties: JsonObject = empty()
    metrics: JsonObject = empty()
    feedback: JsonObject = empty()
    tags: tuple[Text, ...] = ()
    source: Text | None = None
    source_ids: dict[Text, Text] = empty()
    """Its ids elsewhere, by system."""
    flags: tuple[Text, ...] = ()
    extra: JsonObject = empty()
    """Fields of a vendor that have no canonical home: an object by the vendor's name."""

    def timeline(self) -> Timeline:
        """Who did what and when, as bars: model calls, tools, and what agents did side by side. Shows itself in a notebook."""
        from llmtee import views  # noqa: PLC0415 - who logs needs none

        return views.timeline(self)

    def __repr__(self) -> str:
        """Short: a transcript is looked at in a notebook, or as ``to_json()``."""
        told = [repr(self.session or self.id)]
        if self.segment:
            told.append(f"segment {self.segment}")
        told.append(f"{len(self.messages)} messages")
        if self.tool_runs:
            told.append(f"{len(self.tool_runs)} tool runs")
        if self.branches:
            told.append(f"{len(self.branches)} branches")
        if self.started_at is not None:
            told.append(f"started {times.to_iso(self.started_at)}")
        return f"<Conversation {', '.join(told)}>"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """What a notebook shows: the transcript, to fold out, and all that stands beside it."""
        from llmtee import views  # noqa: PLC0415 - who logs needs none

        return views.conversation(self)


def conversation_id(session: str, segment: int = 0) -> str:
    """The id of a session's conversation: a UUIDv5."""
    return derive_id("conversation", session, *([str(segment)] if segment else []))
