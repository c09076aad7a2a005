"""The events that are recorded: one model call each, about 2 KB of words or about 20 KB, no two the same."""

from __future__ import annotations

import random
from typing import Any

from llmtee.formats import openai_chat
from llmtee.model import ModelCall

SIZES = {"2 KB": 1, "20 KB": 19}
"""How many messages of the history an event of each size repeats."""
PER_SESSION = 20

_WORDS = [
    "".join(random.Random(number).choices("abcdefghijklmnopqrstuvwxyz", k=2 + number % 9))
    for number in range(2000)
]


def records(count: int, size: str = "2 KB", first: int = 0) -> list[dict[str, Any]]:
    """What `Tee.record_call` takes beside the format's name: request, response, session and times."""
    return [_record(number, SIZES[size]) for number in range(first, first + count)]


def calls(count: int, size: str = "2 KB") -> list[ModelCall]:
    """The same as canonical events, which `Tee.record` takes."""
    return [openai_chat.decode_record(record) for record in records(count, size)]


def session_of(number: int) -> str:
    """The session of an event."""
    return f"session {number // PER_SESSION}"


def _record(number: int, turns: int) -> dict[str, Any]:
    source = random.Random(number)
    history = [
        {"role": ("user", "assistant")[turn % 2], "content": _text(source, 150)}
        for turn in range(turns)
    ]
    answer = {"role": "assistant", "content": _text(source, 100), "refusal": None}
    return {
        "session": session_of(number),
        "started_at": "2026-01-01T10:00:00Z",
        "ended_at": "2026-01-01T10:00:01Z",
        "request": {"model": "gpt-4o", "messages": history, "temperature": 0.5},
        "response": {
            "id": f"chatcmpl-{number}",
            "model": "gpt-4o",
            "choices": [{"index": 0, "message": answer, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 200, "completion_tokens": 150, "total_tokens": 350},
        },
    }


def _text(source: random.Random, words: int) -> str:
    return " ".join(source.choices(_WORDS, k=words))
