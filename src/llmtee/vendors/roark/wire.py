"""Roark's own shapes, in its own words.

Source: the seed page *Create a chat*, the Python SDK roark-analytics 7.6.0 (which has no chats, but calls of the same
shape), the vendor's public pages and its MCP server's, November 2026. Where they leave a question open, the stricter
reading stands. A field that is not ``Required`` may be left out.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal, Required, TypedDict

CHAT_PATH: Final = "/v1/chat"
PROJECT_HEADER: Final = "X-Roark-Project-Id"
MAX_EXTERNAL_ID: Final = 255
"""Characters of ``externalId``."""

AGENT: Final = "AGENT"
CUSTOMER: Final = "CUSTOMER"
ROLES: Final = {AGENT: "assistant", CUSTOMER: "user"}
"""Canonical roles by Roark's."""

TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")
PHONE: Final = re.compile(r"\+[1-9][0-9]{1,14}")
"""E.164."""


class AgentReference(TypedDict, total=False):
    """Which of the chat's agents spoke or acted. A name does not count here."""

    roarkId: str
    """A UUID."""
    customId: str


class Prompt(TypedDict):
    """What an agent was told."""

    resolvedPrompt: str


class WireAgent(TypedDict, total=False):
    """One of: ``roarkId`` alone; ``customId`` alone; ``name``, which may have ``customId`` and ``description``.

    A named agent is found by its ``customId``, else by its exact name, else created.
    """

    roarkId: str
    customId: str
    name: str
    description: str
    prompt: Prompt
    endpoint: Any
    """Its shape is not documented for chats."""


class WireCustomer(TypedDict, total=False):
    """A customer; both null means nobody in particular."""

    phoneNumberE164: Required[str | None]
    label: str | None


class WireMessage(TypedDict, total=False):
    """One entry of ``messages``: plain text with an absolute time."""

    role: Required[Literal["AGENT", "CUSTOMER"]]
    text: Required[str]
    startTimestamp: Required[str]
    endTimestamp: str
    languageCode: str
    agent: AgentReference
    customer: WireCustomer


class WireInvocation(TypedDict, total=False):
    """One entry of ``toolInvocations``: a call and its result. It has no id."""

    name: Required[str]
    parameters: Required[dict[str, Any]]
    result: Required[str | dict[str, Any]]
    startTimestamp: Required[str]
    endTimestamp: str
    description: str
    agent: AgentReference


class WireChat(TypedDict, total=False):
    """The body of ``POST /v1/chat``. ``agent`` or ``agents``, ``customer`` or ``customers``: never both forms.

    The example of the seed page shows ``agent`` and ``agents`` together all the same, so they are read together, and
    written together where they were read so.
    """

    startTimestamp: Required[str]
    endTimestamp: Required[str]
    messages: Required[list[WireMessage]]
    toolInvocations: list[WireInvocation]
    properties: dict[str, Any]
    traceId: str | None
    externalId: str
    agent: WireAgent
    agents: list[WireAgent]
    customer: WireCustomer
    customers: list[WireCustomer]
