"""What Voker's management API answers with.

Source: the seed page of the Python SDK and voker 0.0.15, 2026-11. Fields that it does not name are kept as they come.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from llmtee.model._base import Time


class Record(BaseModel):
    """Base of what Voker answers with."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)


class Agent(Record):
    """An agent registered at Voker."""

    agent_name: str
    """Its name, by which Voker knows it."""
    description: str | None = None
    agent_number: int
    """A number that Voker gave it."""
    created_at: Time
    deprecated_at: Time | None = None
    """``None`` while it is in use."""


class AgentVersion(Record):
    """One version of an agent."""

    agent_version_name: str
    """Its name, unique within the agent."""
    description: str | None = None
    agent_version_number: int
    """A number that Voker gave it."""
    created_at: Time
    deprecated_at: Time | None = None
    """``None`` while it is in use."""


class Person(Record):
    """A person that agents talk to."""

    person_id: str
    """The application's own id of the person."""
    properties: dict[str, Any] | None = None
    created_at: Time


class Fingerprint(Record):
    """The environment of a client, which every event names."""

    fingerprint_id: str
