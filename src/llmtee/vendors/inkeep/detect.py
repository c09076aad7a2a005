"""Tells Inkeep's conversations from other records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TYPES = ("openai", "support_ticket", "support_copilot")


def detect(payload: Any) -> str | None:
    """Why a payload is surely Inkeep's; ``None`` where that cannot be told."""
    if not isinstance(payload, Mapping):
        return None
    listed = payload.get("conversations")
    if isinstance(listed, list) and listed:
        return "a page of conversations" if all(map(_told, listed)) else None
    return _told(payload)


def _told(raw: Any) -> str | None:
    if not isinstance(raw, Mapping):
        return None
    if isinstance(raw.get("messagesOpenAIFormat"), list):
        return "it has messagesOpenAIFormat"
    kind, messages = raw.get("type"), raw.get("messages")
    if isinstance(kind, str) and kind in _TYPES and isinstance(messages, list):
        return f"a conversation of type {kind} with messages"
    return None
