"""Google genai's client, traced: one more keyword argument or two, and nothing else changes."""

from __future__ import annotations

from typing import Any

from llmtee.compat.voker.ai._traced import traced

_CLIENTS = ("Client",)


def __getattr__(name: str) -> Any:
    if name not in _CLIENTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = traced(
        "google.genai",
        name,
        extra="gemini",
        base_argument="base_genai_client",
        resources=("_models", "_aio"),
        home=__name__,
    )
    return found
