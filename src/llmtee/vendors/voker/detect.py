"""Tells a body of Voker's from other records."""

from __future__ import annotations

from typing import Any


def detect(payload: Any) -> str | None:
    """Why a payload is surely Voker's; ``None`` where that cannot be told."""
    match payload:
        case {"event_name": "llm", "properties": {"inputs": {}, "output": {}}}:
            return "its event_name is llm, with inputs and output among its properties"
    return None
