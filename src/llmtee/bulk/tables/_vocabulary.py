"""The fields of an event, or of a message, that a column of a table can fill."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from llmtee.model import Usage


class Field(NamedTuple):
    """What a field holds and how its cells are read."""

    kind: str
    """``text``, ``time``, ``milliseconds``, ``seconds``, ``count``, ``amount``, ``json``, ``any`` (an object or list in JSON, else text),
    ``content`` (content parts, else text), ``texts``, or ``any-value``."""
    about: str


FIELDS: Final[Mapping[str, Field]] = MappingProxyType(
    {
        "id": Field("text", "the row's own id; a second import then makes no second event"),
        "session": Field("text", "the session, or conversation, that the row belongs to"),
        "parent": Field("text", "the id of the row that it is a step of"),
        "trace_id": Field("text", "the trace"),
        "kind": Field("text", "`model_call`, `tool_run` or `step`; by default what the row has"),
        "name": Field("text", "what to call it; the speaker, where rows are messages"),
        "source": Field("text", "the environment or application that wrote it"),
        "agent": Field("text", "the agent's name"),
        "agent_version": Field("text", "the agent's version"),
        "person": Field("text", "the id of the person"),
        "provider": Field("text", "`openai`, `anthropic`, …"),
        "model": Field("text", "the model asked for"),
        "response_model": Field("text", "the model that answered"),
        "system": Field("text", "the system prompt"),
        "input": Field("text", "what was asked"),
        "output": Field("text", "what was answered"),
        "messages": Field(
            "json", "messages in the shape of OpenAI Chat; the last answer is output"
        ),
        "finish_reason": Field("text", "`stop`, `length`, `tool_call`, `content_filter`"),
        "role": Field("text", "of the one message that a row is: `user`, `assistant`, …"),
        "content": Field(
            "content", "of the one message that a row is: text, or content parts as JSON"
        ),
        "tool_calls": Field(
            "json", "of the one message that a row is, in the shape of OpenAI Chat"
        ),
        "tool": Field("text", "the name of the tool that ran"),
        "tool_call_id": Field("text", "the id that the model gave to the call"),
        "tool_arguments": Field("any", "what the tool was given"),
        "tool_result": Field("any", "what the tool gave back"),
        "request": Field("json", "a provider's request, whole"),
        "response": Field("json", "a provider's response, whole"),
        "started_at": Field("time", "when it began; of a message, when it was said"),
        "ended_at": Field("time", "when it ended"),
        "first_token_at": Field("time", "when the first token came"),
        "duration_ms": Field("milliseconds", "how long it took, in milliseconds"),
        "duration_s": Field("seconds", "how long it took, in seconds"),
        "cost": Field("amount", "what it cost"),
        "currency": Field("text", "of the cost; `USD` by default"),
        "error": Field("any", "why it failed: text, or an object with `message`, `type`, `code`"),
        "error_type": Field("text", "the name of the error"),
        "tags": Field(
            "texts", "tags: a list, or a text cut at the `separator`, by default a comma"
        ),
        "properties": Field("json", "an object, the values of which become properties"),
    }
)
"""By name; beside them, `OPEN` fields with a name of the user's own."""

OPEN: Final[Mapping[str, Field]] = MappingProxyType(
    {
        "properties": Field("any-value", "a property, such as `properties.plan`"),
        "person.properties": Field("any-value", "what is known of the person"),
        "parameters": Field(
            "any-value", "a parameter of the model, such as `parameters.temperature`"
        ),
        "metrics": Field("any-value", "a measurement or score by its name"),
        "feedback": Field(
            "any-value",
            "feedback by its name: `feedback.rating`, `feedback.score`, `feedback.comment`",
        ),
        "usage": Field("count", "a token count: `usage.input_tokens`, `usage.output_tokens`, …"),
        "source_ids": Field("text", "the row's id in another system, by the system's name"),
    }
)
"""Objects of which a column fills one value: ``<object>.<name>``."""

USAGE: Final = tuple(name for name in Usage.model_fields if name != "raw")

TYPES: Final = ("text", "number", "boolean", "json", "time")
"""What the ``type`` of a column may say of an open field; else a cell is what the table says it is."""

MESSAGE: Final = ("role", "content")
"""Fields that make each row one message."""
EXCHANGE: Final = ("request", "response")
"""Fields that make each row a record of a provider's format."""


@lru_cache(1024)
def field_of(name: str) -> Field | None:
    """What a field holds; ``None`` if there is none of the name."""
    if name in FIELDS:
        return FIELDS[name]
    for owner, field in OPEN.items():
        inner = name.removeprefix(f"{owner}.")
        if inner and inner != name and (owner != "usage" or inner in USAGE):
            return field
    return None


@lru_cache(1024)
def split_name(name: str) -> tuple[str, str]:
    """``properties`` and ``plan`` of ``properties.plan``; nothing before the name of a field that is not open."""
    for owner in OPEN:
        if name.startswith(f"{owner}."):
            return owner, name[len(owner) + 1 :]
    return "", name
