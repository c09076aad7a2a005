"""Tells records of Langfuse from those of others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAME = "langfuse"

CALLS = ("GENERATION",)
STEPS = ("SPAN", "EVENT", "AGENT", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING", "GUARDRAIL")
TYPES = (*CALLS, "TOOL", *STEPS)
"""The types of observations."""

SCORES = ("NUMERIC", "CATEGORICAL", "BOOLEAN", "TEXT", "CORRECTION")
_TRACE_SIGNS = {
    *("sessionId", "userId", "release", "public", "bookmarked", "htmlPath", "observations"),
    *("environment", "projectId", "scores", "totalCost", "externalId"),
}


def detect(raw: Any) -> str | None:
    """Why a record is surely of this format; ``None`` if it is not."""
    if not isinstance(raw, Mapping):
        return None
    if isinstance(raw.get("data"), list) and "meta" in raw and raw["data"]:
        return detect(raw["data"][0]) if "data" not in _keys(raw["data"][0]) else None
    keys = {_alias(key) for key in raw if isinstance(key, str)}
    kind = raw.get("type")
    if isinstance(kind, str) and kind in TYPES and {"traceId", "startTime"} <= keys:
        return f"an observation of type {kind}, with a trace and a start"
    value = raw.get("dataType", raw.get("data_type"))
    if isinstance(value, str) and value in SCORES and {"name", "value"} <= keys:
        return f"a score of type {value}"
    if {"id", "timestamp"} <= keys and not {"kind", "messages", "type"} & keys:
        signs = sorted(_TRACE_SIGNS & keys)
        if len(signs) >= 3:
            return f"a trace with {', '.join(signs[:3])}"
    return None


def _keys(raw: Any) -> set[str]:
    return set(raw) if isinstance(raw, Mapping) else set()


def _alias(key: str) -> str:
    head, *tail = key.split("_")
    return head + "".join(word.capitalize() for word in tail)
