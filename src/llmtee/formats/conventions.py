"""How each source counts tokens: the one place that says it, read by the code and by the page on formats.

Canonical counts are inclusive totals with named subsets (`Usage`). Sources differ in the names, and in whether a total
holds its parts: what a source reports beside a total is added to it, and nothing else is ever changed. ``None`` is
not reported, 0 is zero. Sums that cannot be are flagged on the event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

_MODALITIES: Final = ("text", "audio", "image", "video")


@dataclass(frozen=True)
class Convention:
    """How one source counts."""

    source: str
    """Where the fact is from."""
    counts: Mapping[str, tuple[str, ...]]
    """Canonical counts to the paths in the source's block that hold them, the first that is there wins."""
    beside_input: tuple[str, ...] = ()
    """Counts that the source leaves out of its input total: added to it."""
    beside_output: tuple[str, ...] = ()
    """The same for the output total."""
    decided: str | None = None
    """How it is told, record by record, whether the input holds its caches, where producers differ."""
    sides: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Where every count is a bucket of its own: totals to what the keys that they are the sums of begin with."""
    totals: Mapping[str, str] = field(init=False)
    """Paths at the top of the block, to the counts that they hold."""
    details: Mapping[str, Mapping[str, str]] = field(init=False)
    """Inner blocks, with their paths to the counts that they hold."""

    def __post_init__(self) -> None:
        totals: dict[str, str] = {}
        details: dict[str, dict[str, str]] = {}
        for name, paths in self.counts.items():
            for path in paths:
                block, dot, key = path.partition(".")
                if dot:
                    details.setdefault(block, {})[key] = name
                else:
                    totals[path] = name
        object.__setattr__(self, "totals", MappingProxyType(totals))
        object.__setattr__(self, "details", MappingProxyType(details))


def _each(pattern: str) -> dict[str, tuple[str, ...]]:
    """A count for each kind of content; ``{}`` in ``pattern`` stands for the kind, before it the side."""
    side, _, path = pattern.partition(":")
    return {f"{kind}_{side}": (path.format(kind),) for kind in _MODALITIES}


def _openai(asked: str, said: str, ins: str, outs: str) -> dict[str, tuple[str, ...]]:
    return {
        "input_tokens": (asked,),
        "output_tokens": (said,),
        "total_tokens": ("total_tokens",),
        "cache_read": (f"{ins}.cached_tokens",),
        "cache_write": (f"{ins}.cache_write_tokens",),
        **_each(f"input:{ins}.{{}}_tokens"),
        "reasoning": (f"{outs}.reasoning_tokens",),
        **_each(f"output:{outs}.{{}}_tokens"),
        "accepted_prediction": (f"{outs}.accepted_prediction_tokens",),
        "rejected_prediction": (f"{outs}.rejected_prediction_tokens",),
    }


OPENAI_CHAT = Convention(
    source="`CompletionUsage` of OpenAI's SDK, 2026",
    counts=_openai(
        "prompt_tokens",
        "completion_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
    ),
)
OPENAI_RESPONSES = Convention(
    source="`ResponseUsage` of OpenAI's SDK, 2026",
    counts=_openai(
        "input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details"
    ),
)
ANTHROPIC = Convention(
    source="`Usage` of Anthropic's SDK, 2026",
    counts={
        "input_tokens": ("input_tokens",),
        "cache_write": ("cache_creation_input_tokens",),
        "cache_read": ("cache_read_input_tokens",),
        "output_tokens": ("output_tokens",),
        "cache_write_5m": ("cache_creation.ephemeral_5m_input_tokens",),
        "cache_write_1h": ("cache_creation.ephemeral_1h_input_tokens",),
        "reasoning": ("output_tokens_details.thinking_tokens",),
    },
    beside_input=("cache_read", "cache_write"),
)
GEMINI = Convention(
    source="`GenerateContentResponseUsageMetadata` of Google's SDK, 2026",
    counts={
        "input_tokens": ("promptTokenCount",),
        "output_tokens": ("candidatesTokenCount",),
        "total_tokens": ("totalTokenCount",),
        "cache_read": ("cachedContentTokenCount",),
        "tool_use_prompt": ("toolUsePromptTokenCount",),
        "reasoning": ("thoughtsTokenCount",),
    },
    beside_input=("tool_use_prompt",),
    beside_output=("reasoning",),
)
BEDROCK = Convention(
    source="`TokenUsage` of the Bedrock Runtime API, 2026",
    counts={
        "input_tokens": ("inputTokens",),
        "output_tokens": ("outputTokens",),
        "total_tokens": ("totalTokens",),
        "cache_read": ("cacheReadInputTokens",),
        "cache_write": ("cacheWriteInputTokens",),
    },
    decided="the caches are added where the total is the sum of all, or they exceed the input",
)

_GEN, _OI, _AI, _LLM = "gen_ai.usage.", "llm.token_count.", "ai.usage.", "llm.usage."
OTEL = Convention(
    source="OpenTelemetry's GenAI conventions, autumn 2026, with OpenInference's, OpenLLMetry's and the Vercel AI SDK's",
    counts={
        "input_tokens": (
            *(f"{_GEN}input_tokens", f"{_OI}prompt", f"{_GEN}prompt_tokens"),
            *(f"{_LLM}prompt_tokens", f"{_AI}inputTokens", f"{_AI}promptTokens"),
        ),
        "output_tokens": (
            *(f"{_GEN}output_tokens", f"{_OI}completion", f"{_GEN}completion_tokens"),
            *(f"{_LLM}completion_tokens", f"{_AI}outputTokens", f"{_AI}completionTokens"),
        ),
        "total_tokens": (
            *(f"{_OI}total", f"{_GEN}total_tokens", f"{_LLM}total_tokens", f"{_AI}totalTokens"),
        ),
        "cache_read": (
            *(f"{_GEN}cache_read.input_tokens", f"{_OI}prompt_details.cache_read"),
            *(f"{_GEN}cache_read_input_tokens", f"{_GEN}cache_read_tokens"),
            *(f"{_GEN}details.cache_read_tokens", f"{_GEN}details.cached_tokens"),
            *(f"{_AI}cachedInputTokens", f"{_AI}inputTokenDetails.cacheReadTokens"),
        ),
        "cache_write": (
            *(f"{_GEN}cache_creation.input_tokens", f"{_OI}prompt_details.cache_write"),
            *(f"{_GEN}cache_creation_input_tokens", f"{_GEN}cache_write_tokens"),
            *(f"{_GEN}details.cache_write_tokens", f"{_AI}inputTokenDetails.cacheWriteTokens"),
        ),
        "reasoning": (
            *(f"{_GEN}reasoning.output_tokens", f"{_OI}completion_details.reasoning"),
            *(f"{_GEN}reasoning_tokens", f"{_GEN}details.reasoning_tokens"),
            *(f"{_AI}reasoningTokens", f"{_AI}outputTokenDetails.reasoningTokens"),
        ),
        **_each(f"input:{_GEN}{{}}.input_tokens"),
        **_each(f"output:{_GEN}{{}}.output_tokens"),
        "audio_input": (f"{_GEN}audio.input_tokens", f"{_OI}prompt_details.audio"),
        "audio_output": (f"{_GEN}audio.output_tokens", f"{_OI}completion_details.audio"),
    },
    decided="the caches are added where they exceed the input, or the total is the sum of all",
)
LANGFUSE = Convention(
    source="Langfuse's documentation and model definitions, 2026: `usageDetails`",
    counts={
        "cache_read": (
            *("input_cached", "input_cached_tokens", "input_cache_read"),
            *("cache_read_input_tokens", "cache_read"),
        ),
        "cache_write": (
            *("input_cache_creation", "input_cache_write"),
            *("cache_creation_input_tokens", "cache_creation"),
        ),
        "cache_write_5m": (
            *("input_cache_creation_5m", "cache_creation_5m", "ephemeral_5m_input_tokens"),
        ),
        "cache_write_1h": (
            *("input_cache_creation_1h", "cache_creation_1h", "ephemeral_1h_input_tokens"),
        ),
        "reasoning": ("output_reasoning", "output_reasoning_tokens", "reasoning_tokens"),
        "accepted_prediction": ("output_accepted_prediction_tokens",),
        "rejected_prediction": ("output_rejected_prediction_tokens",),
        **{
            f"{kind}_{side}": (f"{side}_{kind}", f"{side}_{kind}_tokens")
            for side in ("input", "output")
            for kind in _MODALITIES
        },
    },
    sides={
        "output_tokens": ("output", "completion", "reasoning"),
        "input_tokens": ("input", "prompt", "cache_", "ephemeral_"),
    },
)
LANGFUSE_OLDER = Convention(
    source="Langfuse's API before `usageDetails`: `usage`",
    counts={
        "input_tokens": ("input", "promptTokens"),
        "output_tokens": ("output", "completionTokens"),
        "total_tokens": ("total", "totalTokens"),
    },
)
_INS = ("input_token_details", "prompt_token_details", "input_tokens_details")
_OUTS = ("output_token_details", "completion_token_details", "output_tokens_details")


def _in(blocks: tuple[str, ...], *keys: str) -> tuple[str, ...]:
    return tuple(f"{block}.{key}" for block in blocks for key in keys)


LANGSMITH = Convention(
    source="`UsageMetadata` of LangSmith's SDK, 2026, and the provider's own block where a run holds that",
    counts={
        "input_tokens": ("input_tokens", "prompt_tokens", "promptTokens", "promptTokenCount"),
        "output_tokens": ("output_tokens", "completion_tokens", "completionTokens"),
        "total_tokens": ("total_tokens", "totalTokens", "totalTokenCount"),
        "cache_read": _in(_INS, "cache_read", "cached_tokens"),
        "cache_write": _in(_INS, "cache_creation", "cache_write_tokens"),
        "cache_write_5m": _in(_INS, "ephemeral_5m_input_tokens"),
        "cache_write_1h": _in(_INS, "ephemeral_1h_input_tokens"),
        **{f"{kind}_input": _in(_INS, kind) for kind in _MODALITIES},
        "reasoning": _in(_OUTS, "reasoning", "reasoning_tokens"),
        **{f"{kind}_output": _in(_OUTS, kind) for kind in _MODALITIES},
    },
)

CONVENTIONS: Mapping[str, Convention] = MappingProxyType(
    {
        "anthropic-messages": ANTHROPIC,
        "bedrock-converse": BEDROCK,
        "gemini": GEMINI,
        "langfuse": LANGFUSE,
        "langsmith": LANGSMITH,
        "openai-chat": OPENAI_CHAT,
        "openai-responses": OPENAI_RESPONSES,
        "openinference": OTEL,
        "otel-genai": OTEL,
    }
)
"""The convention of each format that counts tokens in a way of its own."""
