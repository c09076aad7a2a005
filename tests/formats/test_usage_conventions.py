"""Each source's counts become inclusive totals, by its convention alone: a law for every format that counts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtee import registry
from llmtee.formats.conventions import CONVENTIONS
from llmtee.model import ModelCall, Usage

PROVIDERS: dict[str, Any] = {
    "openai-chat": lambda usage: {
        "response": {
            "choices": [{"message": {"role": "assistant", "content": "x"}}],
            "usage": usage,
        }
    },
    "openai-responses": lambda usage: {
        "response": {"object": "response", "id": "resp_1", "output": [], "usage": usage}
    },
    "anthropic-messages": lambda usage: {
        "response": {"type": "message", "content": [], "stop_reason": "end_turn", "usage": usage}
    },
    "gemini": lambda usage: {
        "response": {"candidates": [{"finishReason": "STOP"}], "usageMetadata": usage}
    },
    "bedrock-converse": lambda usage: {
        "response": {"output": {"message": {"role": "assistant", "content": []}}, "usage": usage}
    },
    "langsmith": lambda usage: {
        "id": "r",
        "run_type": "llm",
        "start_time": "2026-11-17T09:14:02",
        "extra": {"metadata": {"usage_metadata": usage}},
    },
    "langfuse": lambda usage: {
        "id": "o",
        "traceId": "t",
        "type": "GENERATION",
        "startTime": "2026-11-17T09:14:02Z",
        "usageDetails": usage,
    },
    "otel-genai": lambda usage: {
        "traceId": "a" * 32,
        "spanId": "b" * 16,
        "attributes": {"gen_ai.operation.name": "chat", **usage},
    },
    "openinference": lambda usage: {
        "traceId": "a" * 32,
        "spanId": "b" * 16,
        "attributes": {"openinference.span.kind": "LLM", **usage},
    },
}
"""A record of each format around a block of counts."""

FLAT = ("otel-genai", "openinference", "langfuse")
"""Whose paths are keys with dots in them."""

counts = st.integers(0, 10**12)


def read(name: str, block: dict[str, Any]) -> ModelCall:
    [call] = registry.format(name).decode(PROVIDERS[name](block))
    assert isinstance(call, ModelCall)
    return call


def block_of(name: str, values: dict[str, int]) -> dict[str, Any]:
    """Canonical counts where the source writes them, under the first of its names."""
    block: dict[str, Any] = {}
    for count, value in values.items():
        path = CONVENTIONS[name].counts[count][0]
        outer, dot, inner = path.partition(".")
        if dot and name not in FLAT:
            block.setdefault(outer, {})[inner] = value
        else:
            block[path] = value
    return block


def test_every_format_that_counts_has_its_convention() -> None:
    assert PROVIDERS.keys() == CONVENTIONS.keys() == set(registry.format_names()) - {"llmtee"}
    for convention in CONVENTIONS.values():
        assert convention.source
        assert convention.counts.keys() <= set(Usage.model_fields)
        assert {*convention.beside_input, *convention.beside_output} <= convention.counts.keys()


WITH_TOTALS = [name for name, one in CONVENTIONS.items() if not one.sides and one.decided is None]


@pytest.mark.parametrize("name", WITH_TOTALS)
@settings(max_examples=40)
@given(data=st.data())
def test_what_stands_beside_a_total_is_added_and_nothing_else(
    name: str, data: st.DataObject
) -> None:
    convention = CONVENTIONS[name]
    breakdowns = (
        "total_tokens",
        "cache_write_5m",
        "cache_write_1h",
    )  # tell what a cache_write is made of
    known = [key for key in convention.counts if key not in breakdowns]
    told = {
        key: data.draw(counts) for key in data.draw(st.sets(st.sampled_from(known), min_size=1))
    }
    told |= {key: data.draw(counts) for key in ("input_tokens", "output_tokens")}
    usage = read(name, block_of(name, told)).usage
    assert usage is not None
    for total, beside in (
        ("input_tokens", convention.beside_input),
        ("output_tokens", convention.beside_output),
    ):
        assert getattr(usage, total) == told[total] + sum(told.get(part, 0) for part in beside)
    for key in known:
        if key not in ("input_tokens", "output_tokens"):
            assert getattr(usage, key) == told.get(key)  # not reported is None, never 0


@pytest.mark.parametrize("name", ["bedrock-converse", "otel-genai", "openinference"])
@settings(max_examples=40)
@given(asked=counts, said=counts, caches=st.integers(1, 10**12))
def test_where_producers_differ_the_sum_of_all_tells(
    name: str, asked: int, said: int, caches: int
) -> None:
    told = {"input_tokens": asked, "output_tokens": said, "cache_read": caches}
    inclusive = read(name, block_of(name, told | {"total_tokens": asked + said})).usage
    exclusive = read(name, block_of(name, told | {"total_tokens": asked + said + caches})).usage
    assert inclusive is not None
    assert exclusive is not None
    assert exclusive.input_tokens == asked + caches
    assert exclusive.cache_read == caches
    if caches <= asked:
        assert inclusive.input_tokens == asked


@pytest.mark.parametrize("name", CONVENTIONS)
def test_sums_that_cannot_be_are_flagged_on_the_event_and_the_block_is_kept(name: str) -> None:
    part = "reasoning" if "reasoning" in CONVENTIONS[name].counts else "cache_read"
    if CONVENTIONS[name].sides:
        block: dict[str, Any] = {"input": 5, "output": 3, "total": 1}
    elif part in (*CONVENTIONS[name].beside_output, *CONVENTIONS[name].beside_input):
        block = block_of(name, {"input_tokens": 5, "output_tokens": 3, "cache_read": 9})
    else:
        told = {"input_tokens": 5, "output_tokens": 3, part: 9}
        if CONVENTIONS[name].decided and part == "cache_read":
            told |= {"total_tokens": 8}
        block = block_of(name, told)
    call = read(name, block)
    assert call.usage is not None
    assert call.usage.raw is not None
    assert block.items() <= call.usage.raw.items()
    assert any(flag.startswith("usage: ") for flag in call.flags)
