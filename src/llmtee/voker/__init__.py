"""Voker's management API: agents and their versions, people, fingerprints and events.

Directly, one call at a time, each with its answer::

    with Client() as voker:
        voker.people.update("user_123", {"plan": "pro"})
        print(voker.agents.get("customer-support-agent").created_at)

`AsyncClient` is the same with ``await``. In the background, through a ``Tee`` with a ``Voker`` exporter: recorded in its
event log and delivered as events are, whatever happens to the process or to Voker::

    Background(tee).people.update("user_123", {"plan": "pro"})

Direct calls are repeated where that is safe, end in time, and raise errors by name, all of them kinds of ``ApiError``.
"""

from __future__ import annotations

from llmtee.vendors.voker.api import (
    Agent,
    AgentNotFound,
    AgentVersion,
    AgentVersionNotFound,
    Fingerprint,
    FingerprintNotFound,
    Person,
    PersonNotFound,
    SessionIdEmpty,
)
from llmtee.voker._async import AsyncClient
from llmtee.voker._background import Background
from llmtee.voker._sync import Client

__all__ = [
    "Agent",
    "AgentNotFound",
    "AgentVersion",
    "AgentVersionNotFound",
    "AsyncClient",
    "Background",
    "Client",
    "Fingerprint",
    "FingerprintNotFound",
    "Person",
    "PersonNotFound",
    "SessionIdEmpty",
]
