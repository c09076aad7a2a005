"""What Anthropic Messages keeps in ``extra``: fields without a canonical home, and how things stood on the wire."""

from __future__ import annotations

from typing import Any

from llmtee.model import Choice, Message, ModelCall, ToolDefinition
from llmtee.model.parts import Part

OWNER = "anthropic-messages"
"""Under which key of ``extra`` they stand. What others keep there is never written."""


def owned(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of this shape, as ``extra`` keeps them."""
    return {OWNER: fields} if fields else {}


def own(value: Part | Message | ToolDefinition | Choice | ModelCall) -> dict[str, Any]:
    """What ``extra`` keeps of this shape's fields."""
    fields = value.extra.get(OWNER)
    return dict(fields) if isinstance(fields, dict) else {}
