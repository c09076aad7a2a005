"""Voker's management API as values: what it keeps, how to ask for it, and how it refuses. No I/O."""

from __future__ import annotations

from llmtee.vendors.voker.api.background import vendor_request
from llmtee.vendors.voker.api.operations import (
    create_agent,
    create_agent_version,
    create_event,
    create_fingerprint,
    create_person,
    get_agent,
    get_agent_version,
    get_person,
    update_person,
)
from llmtee.vendors.voker.api.records import Agent, AgentVersion, Fingerprint, Person
from llmtee.vendors.voker.errors import (
    AgentNotFound,
    AgentVersionNotFound,
    FingerprintNotFound,
    PersonNotFound,
    SessionIdEmpty,
)

__all__ = [
    "Agent",
    "AgentNotFound",
    "AgentVersion",
    "AgentVersionNotFound",
    "Fingerprint",
    "FingerprintNotFound",
    "Person",
    "PersonNotFound",
    "SessionIdEmpty",
    "create_agent",
    "create_agent_version",
    "create_event",
    "create_fingerprint",
    "create_person",
    "get_agent",
    "get_agent_version",
    "get_person",
    "update_person",
    "vendor_request",
]
