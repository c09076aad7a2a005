"""OpenAI's clients, traced: one more keyword argument or two, and nothing else changes."""

from __future__ import annotations

from typing import Any

from llmtee.compat.voker.ai._traced import traced

_CLIENTS = ("OpenAI", "AsyncOpenAI")


def __getattr__(name: str) -> Any:
    if name not in _CLIENTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = traced(
        "openai",
        name,
        extra="openai",
        base_argument="base_openai_client",
        resources=("chat", "responses"),
        home=__name__,
    )
    return found
