"""Anthropic's clients, traced: one more keyword argument or two, and nothing else changes."""

from __future__ import annotations

from typing import Any

from llmtee.compat.voker.ai._traced import traced

_CLIENTS = ("Anthropic", "AsyncAnthropic")


def __getattr__(name: str) -> Any:
    if name not in _CLIENTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = traced(
        "anthropic",
        name,
        extra="anthropic",
        base_argument="base_anthropic_client",
        resources=("messages", "beta"),
        home=__name__,
    )
    return found
