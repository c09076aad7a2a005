"""Events: one observed step each. What a span is to tracing."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from llmtee.model._base import Frozen, Json, JsonObject, Tagged, Text, Time, empty
from llmtee.model.ids import new_id
from llmtee.model.message import Agent, ErrorInfo, Message, Person
from llmtee.model.usage import Cost, Usage


class EventBase(Tagged):
    """What all events share."""

    tag_field: ClassVar[str] = "kind"

    id: Text = Field(default_factory=new_id)
    """A UUIDv7 for live events; a UUIDv5 of the source's name and id for imported ones."""
    session: Text | None = None
    """The session (conversation) it belongs to, in the application's own words."""
    parent: Text | None = None
    """Id of the event that it is a step of."""
    trace_id: Text | None = None
    """OpenTelemetry trace id, 32 lower-case hex digits."""
    name: Text | None = None
    """What to call it in a list. For a `ToolRun`: the tool."""
    agent: Agent | None = None
    person: Person | None = None

    started_at: Time | None = None
    ended_at: Time | None = None
    first_token_at: Time | None = None
    duration_ms: float | None = None
    """Milliseconds, where a clock of its own measured them; else take ``ended_at - started_at``."""

    error: ErrorInfo | None = None
    metrics: JsonObject = empty()
    """Measurements and scores by name: numbers, booleans, text."""
    feedback: JsonObject = empty()
    """What people said about it, by name."""
    properties: JsonObject = empty()
    tags: tuple[Text, ...] = ()
    source: Text | None = None
    """Where it was produced: an environment, an application, an SDK."""
    source_ids: dict[Text, Text] = empty()
    """Its ids elsewhere, by system: ``{"openai": "chatcmpl-123"}``."""
    flags: tuple[Text, ...] = ()
    """What a reader should know of its quality, such as ``history_incomplete`` or ``usage: …``."""
    extra: JsonObject = empty()
    """Fields of a vendor or source that have no canonical home: an object by the owner's name."""

    def _repr_html_(self) -> str:
        """What a notebook shows: what was asked and answered, to fold out, and all that is known of it."""
        from llmtee import views  # noqa: PLC0415 - who logs needs none

        return views.event(self)


class ToolDefinition(Frozen):
    """A tool that a model was offered."""

    name: Text | None = None
    description: Text | None = None
    parameters: Json = None
    """JSON Schema of the arguments."""
    type: Text = "function"
    """``function``, ``custom``, or the name of a server-side tool type."""
    extra: JsonObject = empty()


class Choice(Frozen):
    """One answer of a model."""

    message: Message
    finish_reason: Text | None = None
    """``stop``, ``length``, ``tool_call``, ``content_filter``, ``pause`` or ``error``."""
    finish_reason_raw: Text | None = None
    """The provider's own word."""
    extra: JsonObject = empty()


class PromptTemplate(Frozen):
    """The template that the input was made from."""

    messages: Json = None
    """The template: text, or a list of messages with placeholders."""
    variables: JsonObject = empty()
    id: Text | None = None
    version: Text | None = None


class Native(Frozen):
    """A provider's own request and response, verbatim."""

    dialect: Text
    """``openai-chat-completions``, ``openai-responses``, ``anthropic-messages``, ``gemini-models``, …"""
    request: Json = None
    response: Json = None


class ModelCall(EventBase):
    """One call of a model."""

    kind: Literal["model_call"] = "model_call"
    provider: Text | None = None
    """``openai``, ``anthropic``, ``gcp.gemini``, … in the words of the OpenTelemetry GenAI conventions."""
    model: Text | None = None
    """The model asked for."""
    response_model: Text | None = None
    """The model that answered."""
    parameters: JsonObject = empty()
    """``temperature``, ``top_p``, ``max_output_tokens``, ``stop``, ``seed``, … and the provider's own."""
    tools: tuple[ToolDefinition, ...] = ()
    template: PromptTemplate | None = None
    input: tuple[Message, ...] = ()
    """The messages sent, in order, the system prompt first where the provider keeps it apart."""
    choices: tuple[Choice, ...] = ()
    usage: Usage | None = None
    cost: Cost | None = None
    native: Native | None = None

    @property
    def output(self) -> Message | None:
        """The message of the first choice."""
        return self.choices[0].message if self.choices else None


class ToolRun(EventBase):
    """One run of a tool."""

    kind: Literal["tool_run"] = "tool_run"
    call_id: Text | None = None
    """The id that the model gave to the call."""
    description: Text | None = None
    arguments: Json = None
    result: Json = None


class Step(EventBase):
    """Any other step: a chain, an agent's turn, a retrieval, or the session itself."""

    kind: Literal["step"] = "step"
    step_type: Text = "chain"
    """``chain``, ``agent``, ``retriever``, …; ``session`` says what holds for the whole session."""
    inputs: JsonObject = empty()
    outputs: JsonObject = empty()
    config: JsonObject = empty()


Event: TypeAlias = Annotated[ModelCall | ToolRun | Step, Field(discriminator="kind")]
"""Any event; tell them apart with ``match`` or by ``kind``."""

_ADAPTER: TypeAdapter[ModelCall | ToolRun | Step] = TypeAdapter(Event)


def load_event(data: Any) -> ModelCall | ToolRun | Step:
    """The event of a JSON object as ``to_json`` writes it.

    Raises:
        pydantic.ValidationError: the object is not an event.
    """
    return _ADAPTER.validate_python(data)
