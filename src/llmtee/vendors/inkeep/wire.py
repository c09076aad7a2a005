"""Inkeep's own shapes, in its own words.

Source: the seed page *Log Conversation*, the vendor's generated TypeScript SDK (0.2.4-alpha.36) and its public pages,
November 2026. A field that is not ``Required`` may be left out; ``None`` is sent as null.
"""

from __future__ import annotations

from typing import Any, Final, Literal, Required, TypedDict

Kind = Literal["openai", "support_ticket", "support_copilot"]
Role = Literal["system", "user", "assistant"]

KINDS: Final = ("openai", "support_ticket", "support_copilot")
ROLES: Final = ("system", "user", "assistant")
VISIBILITIES: Final = ("private", "public")
DETAILS: Final = ("auto", "low", "high")
MAX_BYTES: Final = 2_000_000
"""The seed page says 2 MB; the smaller reading is the safe one."""


class TextPart(TypedDict):
    """A piece of text in ``content``."""

    type: Literal["text"]
    text: str


class ImageUrl(TypedDict, total=False):
    """The address of an image; a data URL holds its bytes."""

    url: Required[str]
    detail: Literal["auto", "low", "high"]


class ImagePart(TypedDict):
    """An image in ``content``. There is no part for audio, files, video or refusals."""

    type: Literal["image_url"]
    image_url: ImageUrl


class Link(TypedDict, total=False):
    """A source that a message rests on."""

    url: Required[str]
    label: str | None
    title: str | None
    description: str | None
    type: str | None
    """``documentation``, ``site``, ``github_issue``, … or any other word."""
    breadcrumbs: list[str] | None


class Function(TypedDict):
    """The function that a tool call names."""

    name: str
    arguments: str
    """JSON as text."""


class ToolCall(TypedDict):
    """A tool call; only in conversations of type ``openai``."""

    id: str
    type: Literal["function"]
    function: Function


class UserProperties(TypedDict, total=False):
    """Who the user is; any other keys stand beside these."""

    id: str | float | None
    identificationType: str | None
    userId: str | float | None
    supportAgentName: str | None
    supportAgentEmail: str | None
    userType: str | None


class WireMessage(TypedDict, total=False):
    """One entry of ``messages``."""

    id: str
    type: Kind
    """In the seed's example only: the conversation's own type, or left out."""
    externalId: str | None
    externalUrl: str | None
    createdAt: str | None
    updatedAt: str | None
    role: Required[str]
    """`ROLES` in conversations of type ``openai``, else any word."""
    content: Required[str | list[TextPart | ImagePart]]
    name: str | None
    links: list[Link] | None
    properties: dict[str, Any] | None
    userProperties: UserProperties | None
    tool_calls: list[ToolCall] | None


class WireConversation(TypedDict, total=False):
    """The body of ``POST /conversations``."""

    id: str
    externalId: str | None
    externalUrl: str | None
    type: Required[Kind]
    supportTicketConversationId: str | None
    createdAt: str | None
    updatedAt: str | None
    projectId: str | None
    integrationId: str | None
    properties: dict[str, Any] | None
    userProperties: UserProperties | None
    tags: list[str] | None
    visibility: Literal["private", "public"] | None
    messages: Required[list[WireMessage]]


_NEAREST: Final[dict[str, Role]] = {
    "developer": "system",
    "tool": "assistant",
    "function": "assistant",
    "model": "assistant",
    "ai": "assistant",
    "agent": "assistant",
    "bot": "assistant",
}


def nearest_role(role: str, *, speaks_as_model: bool) -> Role:
    """The role of type ``openai`` that comes nearest to ``role``.

    Args:
        role: any canonical or foreign role.
        speaks_as_model: whether the message calls tools or was generated, for a role that nobody knows.
    """
    if role in ROLES:
        return role  # type: ignore[return-value]
    return _NEAREST.get(role.lower(), "assistant" if speaks_as_model else "user")
