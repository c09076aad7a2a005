"""Tells Roark's chats from other records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SIDES = ("AGENT", "CUSTOMER")


def detect(payload: Any) -> str | None:
    """Why a payload is surely Roark's; ``None`` where that cannot be told."""
    if not isinstance(payload, Mapping):
        return None
    if _is_chat(payload) and _is_said(payload.get("messages"), "startTimestamp"):
        return "a chat with a start, an end, and messages of AGENT and CUSTOMER"
    inner = payload.get("data")
    if isinstance(inner, Mapping) and _is_said(inner.get("entries"), "startOffsetMs"):
        return "a transcript with offsets of AGENT and CUSTOMER"
    return None


def _is_chat(raw: Mapping[str, Any]) -> bool:
    return {"startTimestamp", "endTimestamp"} <= raw.keys()


def _is_said(messages: Any, time: str) -> bool:
    return (
        isinstance(messages, list)
        and bool(messages)
        and all(
            isinstance(one, Mapping) and one.get("role") in _SIDES and "text" in one and time in one
            for one in messages
        )
    )
