"""Tells records of LangSmith from those of others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RUN_TYPES = ("llm", "chain", "tool", "retriever", "embedding", "prompt", "parser")


def detect(raw: Any) -> str | None:
    """Why a record is surely of this format; ``None`` if it is not."""
    if not isinstance(raw, Mapping):
        return None
    runs = raw.get("runs")
    if isinstance(runs, list) and runs and "run_type" not in raw:
        first = runs[0]
        return detect(first) if isinstance(first, Mapping) and "runs" not in first else None
    kind = raw.get("run_type")
    if not isinstance(kind, str) or kind not in RUN_TYPES:
        return None
    if "dotted_order" in raw or {"id", "inputs", "start_time"} <= raw.keys():
        return f"a run of type {kind}"
    return None
