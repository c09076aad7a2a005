"""Why a model stopped, in every provider's word for it: tracers keep whatever their source said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WORDS: Mapping[str, tuple[str, ...]] = {
    "stop": ("stop", "end_turn", "stop_sequence", "completed", "eos"),
    "length": ("length", "max_tokens", "max_output_tokens", "model_context_window_exceeded"),
    "tool_call": ("tool_call", "tool_calls", "tool-calls", "tool_use", "function_call"),
    "content_filter": (
        *("content_filter", "content-filter", "content_filtered", "guardrail_intervened"),
        *("refusal", "safety", "recitation", "blocklist", "prohibited_content", "spii", "language"),
        *("image_safety", "image_prohibited_content", "image_recitation", "image_other"),
    ),
    "pause": ("pause_turn", "compaction", "in_progress", "queued"),
    "error": (
        *("error", "failed", "cancelled", "other", "no_image"),
        *("malformed_function_call", "unexpected_tool_call", "too_many_tool_calls"),
        *("malformed_model_output", "malformed_tool_use"),
    ),
}
"""Canonical words, and those of Chat Completions, Responses, Anthropic, Gemini, Bedrock, OpenTelemetry and the Vercel
AI SDK for them, in lower case."""

_CANONICAL = {word: canonical for canonical, words in WORDS.items() for word in words}


def finish_reason(word: Any) -> str | None:
    """The canonical word, where ``word`` is one that a provider has."""
    return _CANONICAL.get(word.lower()) if isinstance(word, str) else None
