"""What Voker's API answers with, and its errors."""

from __future__ import annotations

from llmtee.vendors.voker.api import Agent, AgentVersion, Fingerprint, Person
from llmtee.vendors.voker.api import AgentNotFound as AgentNotFoundError
from llmtee.vendors.voker.api import AgentVersionNotFound as AgentVersionNotFoundError
from llmtee.vendors.voker.api import FingerprintNotFound as FingerprintNotFoundError
from llmtee.vendors.voker.api import PersonNotFound as PersonNotFoundError
from llmtee.vendors.voker.api import SessionIdEmpty as SessionIdEmptyError

__all__ = [
    "Agent",
    "AgentNotFoundError",
    "AgentVersion",
    "AgentVersionNotFoundError",
    "Fingerprint",
    "FingerprintNotFoundError",
    "Person",
    "PersonNotFoundError",
    "SessionIdEmptyError",
]
