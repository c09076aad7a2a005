"""What stands around the messages in OpenAI Responses: the stored prompt, the conversation at the provider, the times."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from llmtee.model import Message, OtherPart, PromptTemplate
from llmtee.model.times import from_unix

HISTORY_INCOMPLETE = "history_incomplete"
"""The flag of a call whose earlier messages the provider keeps."""


def template_of(raw: Any) -> PromptTemplate | None:
    """The stored prompt that a request names; the parameters keep it as it came."""
    match raw:
        case {"id": str(name)}:
            version, variables = raw.get("version"), raw.get("variables")
            return PromptTemplate(
                id=name,
                version=version if isinstance(version, str) else None,
                variables=variables if isinstance(variables, dict) else {},
            )
    return None


def conversation_of(raw: Mapping[str, Any]) -> str | None:
    """The id of the provider's own conversation."""
    match raw.get("conversation"):
        case str(name) | {"id": str(name)} if name:
            return name
    return None


def history_flags(raw: Mapping[str, Any], messages: tuple[Message, ...] = ()) -> tuple[str, ...]:
    """The flag of a request or response that leaves messages to the provider, by an id or by references to items."""
    elsewhere = any(raw.get(key) for key in ("previous_response_id", "conversation"))
    referred = any(
        isinstance(part, OtherPart) and part.name == "item_reference"
        for message in messages
        for part in message.parts
    )
    return (HISTORY_INCOMPLETE,) if elsewhere or referred else ()


def times_of(response: Mapping[str, Any]) -> dict[str, dt.datetime]:
    """When a response began and ended, as fields of the event."""
    names = {"started_at": "created_at", "ended_at": "completed_at"}
    found = {name: _time(response.get(key)) for name, key in names.items()}
    return {name: value for name, value in found.items() if value is not None}


def _time(value: Any) -> dt.datetime | None:
    """The time where it is one: local servers write 0 for unknown."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return None
    try:
        return from_unix(value)
    except ValueError:
        return None
