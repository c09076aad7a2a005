"""Messages as the plain text that Roark takes: what is not text becomes a word in brackets."""

from __future__ import annotations

from collections.abc import Iterable

from llmtee.model import (
    AnyPart,
    ContentPart,
    MediaPart,
    Message,
    OtherPart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
)
from llmtee.spec import Note
from llmtee.vendors.roark import wire

_PLACEHOLDER = "Roark's texts are plain: a placeholder in brackets stands for it"

_REASONING = "Roark has no place for reasoning"

PROMPTS = frozenset({"system", "developer"})
"""Roles of messages that tell the agent what to do."""
TOOLS = frozenset({"tool", "function"})
"""Roles of messages that hold what a tool answered."""
_CUSTOMERS = frozenset({"user", "human", "customer"})
_AGENTS = frozenset({"assistant", "agent", "ai", "bot", "model"})


def wire_role(message: Message) -> str | None:
    """``AGENT`` or ``CUSTOMER``; ``None`` for prompts and tool results, which are no messages at Roark."""
    role = message.role.lower()
    if role in PROMPTS or role in TOOLS:
        return None
    if role in _CUSTOMERS:
        return wire.CUSTOMER
    if role in _AGENTS or message.generation is not None or message.tool_calls:
        return wire.AGENT
    return wire.CUSTOMER


def plain_text(parts: Iterable[AnyPart | ContentPart], notes: list[Note], path: str) -> str:
    """The text in ``parts``, in order, with a placeholder on a line of its own for media and unknown parts.

    Reasoning, citations, tool calls and tool results are left out.

    Args:
        parts: of a message or of a tool's answer.
        notes: takes what was replaced or left out.
        path: the canonical path of ``parts``: ``messages[3].parts``.
    """
    text, after_placeholder = "", False
    for i, part in enumerate(parts):
        match part:
            case TextPart() | RefusalPart():
                piece, is_placeholder = part.text, False
            case MediaPart():
                piece, is_placeholder = _placeholder(part.media, _about(part)), True
                notes.append(Note(f"{path}[{i}]", "changed", _PLACEHOLDER))
            case OtherPart():
                piece, is_placeholder = _placeholder(part.name, None), True
                notes.append(Note(f"{path}[{i}]", "changed", _PLACEHOLDER))
            case ReasoningPart():
                notes.append(Note(f"{path}[{i}]", "dropped", _REASONING))
                continue
            case _:
                continue
        if text and (is_placeholder or after_placeholder) and not text[-1].isspace():
            text += "\n"
        text, after_placeholder = text + piece, is_placeholder
    return text


def calls_text(message: Message) -> str:
    """A message that only calls tools, as text, for a chat that would be empty without it."""
    calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
    return "\n".join(_placeholder("tool call", part.name) for part in calls)


def _placeholder(kind: str, about: str | None) -> str:
    return f"[{kind}: {about}]" if about else f"[{kind}]"


def _about(part: MediaPart) -> str | None:
    return part.transcript or part.filename or part.url or part.file_id or part.mime
