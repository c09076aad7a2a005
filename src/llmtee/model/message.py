"""A message: a role, ordered parts, and what is known of how it came about."""

from __future__ import annotations

from llmtee.model._base import Frozen, Json, JsonObject, Text, Time, empty
from llmtee.model.parts import AnyPart, CitationPart, RefusalPart, TextPart, ToolCallPart
from llmtee.model.usage import Cost, Usage

ROLES = ("system", "developer", "user", "assistant", "tool")
"""The canonical roles. Any other word is kept as it came."""


class Agent(Frozen):
    """The agent that spoke or acted."""

    name: Text | None = None
    version: Text | None = None
    description: Text | None = None
    ids: dict[Text, Text] = empty()
    """The agent's ids elsewhere, by system: ``{"roark": "3c90…"}``."""
    extra: JsonObject = empty()


class Person(Frozen):
    """The person that an agent talks to."""

    id: Text | None = None
    """The application's own id of the person."""
    properties: JsonObject = empty()
    ids: dict[Text, Text] = empty()
    """The person's ids elsewhere, by system."""
    extra: JsonObject = empty()


class ErrorInfo(Frozen):
    """Why a call, a tool or a step failed."""

    message: Text
    type: Text | None = None
    """The exception's or the provider's own name for it."""
    code: Text | None = None
    status: int | None = None
    """HTTP status, where there was one."""
    details: Json = None
    """The rest of the provider's error body, verbatim."""


class Generation(Frozen):
    """How an assistant message was made: what a conversation keeps of the model call behind it."""

    event: Text | None = None
    """Id of the model call."""
    provider: Text | None = None
    model: Text | None = None
    """The model asked for."""
    response_model: Text | None = None
    """The model that answered."""
    parameters: JsonObject = empty()
    finish_reason: Text | None = None
    finish_reason_raw: Text | None = None
    usage: Usage | None = None
    cost: Cost | None = None
    started_at: Time | None = None
    ended_at: Time | None = None
    first_token_at: Time | None = None
    error: ErrorInfo | None = None


class Message(Frozen):
    """One message.

    The fields from ``id`` on are empty in what a provider sends and receives; a conversation fills them.
    """

    role: Text
    parts: tuple[AnyPart, ...] = ()
    name: Text | None = None
    """The speaker's name, where a provider lets one be given."""
    extra: JsonObject = empty()
    """Fields that have no canonical home: an object by the name of the format or vendor that they belong to."""

    id: Text | None = None
    """Deterministic in a conversation: the same message has the same id whenever it is assembled."""
    started_at: Time | None = None
    ended_at: Time | None = None
    language: Text | None = None
    """BCP 47, such as ``en``."""
    agent: Agent | None = None
    person: Person | None = None
    generation: Generation | None = None
    properties: JsonObject = empty()
    tags: tuple[Text, ...] = ()
    source_ids: dict[Text, Text] = empty()
    """The message's ids elsewhere, by system."""

    @property
    def text(self) -> str:
        """The text and refusal parts, joined as they stand."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart | RefusalPart))

    @property
    def tool_calls(self) -> tuple[ToolCallPart, ...]:
        """The tool calls in it, in order."""
        return tuple(part for part in self.parts if isinstance(part, ToolCallPart))

    @property
    def citations(self) -> tuple[CitationPart, ...]:
        """The citations in it, in order."""
        return tuple(part for part in self.parts if isinstance(part, CitationPart))
