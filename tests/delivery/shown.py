"""What the emulated vendors show of what ``killed.call`` made."""

from __future__ import annotations

from collections import Counter
from typing import Any


def _text(content: Any) -> str:
    return content if isinstance(content, str) else str(content[0]["text"])


def shown(vendors: dict[str, Any], prefix: str = "") -> dict[str, Counter[str]]:
    """How often each vendor shows each question: the last one of an event, each one of a conversation.

    Args:
        vendors: emulators of all four, in the order of ``conftest.py``.
        prefix: what the questions begin with that are looked for.
    """
    voker, honeyhive, inkeep, roark = vendors.values()
    found = {
        "voker": [
            _text(event["properties"]["inputs"]["messages"][-1]["content"])
            for event in voker.events
        ],
        "honeyhive": [
            _text(event["inputs"]["chat_history"][-1]["content"])
            for event in honeyhive.events.values()
            if event["event_type"] == "model"
        ],
        "inkeep": [
            _text(message["content"])
            for conversation in inkeep.conversations.values()
            for message in conversation["messages"]
            if message["role"] == "user"
        ],
        "roark": [
            message["text"]
            for chat in roark.chats
            for message in chat.body["messages"]
            if message["role"] == "CUSTOMER"
        ],
    }
    return {
        name: Counter(text for text in texts if text.startswith(prefix))
        for name, texts in found.items()
    }
