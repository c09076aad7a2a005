"""Tokens and money.

Usage is inclusive totals, named subsets of them, and the provider's own block. ``None`` means not reported;
0 means reported as zero. Providers count differently (Anthropic leaves caches out of the input, Gemini leaves
thoughts out of the output); the formats add up, so that here a total is always a total.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from llmtee.model._base import Frozen, JsonObject, Text, empty


class Usage(Frozen):
    """Token counts of one model call."""

    input_tokens: int | None = None
    """Everything billed as input, caches included."""
    output_tokens: int | None = None
    """Everything billed as output, reasoning included."""
    total_tokens: int | None = None
    """As the provider reported it; not computed."""

    cache_read: int | None = None
    """Part of the input that came from a cache."""
    cache_write: int | None = None
    """Part of the input that was written to a cache."""
    cache_write_5m: int | None = None
    """Part of ``cache_write`` that is kept for five minutes."""
    cache_write_1h: int | None = None
    """Part of ``cache_write`` that is kept for one hour."""
    text_input: int | None = None
    audio_input: int | None = None
    image_input: int | None = None
    video_input: int | None = None
    tool_use_prompt: int | None = None
    """Part of the input that describes server-side tool results (Gemini)."""

    reasoning: int | None = None
    """Part of the output that was thought, not said."""
    text_output: int | None = None
    audio_output: int | None = None
    image_output: int | None = None
    video_output: int | None = None
    accepted_prediction: int | None = None
    rejected_prediction: int | None = None

    raw: JsonObject | None = None
    """The provider's own usage block, untouched."""

    def problems(self) -> tuple[str, ...]:
        """What cannot be true of these counts; empty when they add up. Nothing is repaired."""
        counts = {name: n for name, n in vars(self).items() if type(n) is int}
        found = [f"{name} is negative" for name, n in counts.items() if n < 0]
        for name, part in counts.items():
            whole = _WHOLES.get(name)
            if whole is not None and (total := counts.get(whole)) is not None and part > total:
                found.append(f"{name} ({part}) exceeds {whole} ({total})")
        if None not in (self.input_tokens, self.output_tokens, self.total_tokens):
            least = (self.input_tokens or 0) + (self.output_tokens or 0)
            if self.total_tokens != least:
                found.append(f"total_tokens ({self.total_tokens}) is not input + output ({least})")
        return tuple(found)


_WHOLES = {
    part: whole
    for whole, parts in (
        (
            "input_tokens",
            (
                *("cache_read", "cache_write", "text_input", "audio_input", "image_input"),
                *("video_input", "tool_use_prompt"),
            ),
        ),
        ("cache_write", ("cache_write_5m", "cache_write_1h")),
        (
            "output_tokens",
            ("reasoning", "text_output", "audio_output", "image_output", "video_output"),
        ),
    )
    for part in parts
}
"""What each count is a part of."""


class Cost(Frozen):
    """What one model call cost. llmtee has no price table: the amount is what somebody said."""

    amount: Decimal
    currency: Text = "USD"
    """ISO 4217."""
    source: Literal["provider", "vendor", "computed", "caller"] = "caller"
    """Who said so."""
    price_table_version: Text | None = None
    details: dict[str, Decimal] = empty()
    """Amounts of parts such as ``input`` and ``output``, where they were given."""
