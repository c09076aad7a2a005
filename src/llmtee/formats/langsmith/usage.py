"""Token counts and cost of a LangSmith run.

LangSmith's own block, ``usage_metadata``, has totals that include every kind of token. A run may also hold the block
of the provider that answered, which counts as that provider does; and the run itself repeats the totals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from llmtee.errors import InputError
from llmtee.formats._traced.fields import Row, tokens, unwrapped
from llmtee.formats.openai_chat import usage as chat_usage
from llmtee.jsonfields import as_amount, as_object, join
from llmtee.model import Cost, Usage

_TOTALS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "total_tokens": "total_tokens",
    "prompt_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "promptTokens": "input_tokens",
    "completionTokens": "output_tokens",
    "totalTokens": "total_tokens",
    "promptTokenCount": "input_tokens",
    "totalTokenCount": "total_tokens",
}
_INPUT = {
    "cache_read": "cache_read",
    "cached_tokens": "cache_read",
    "cache_creation": "cache_write",
    "cache_write_tokens": "cache_write",
    "ephemeral_5m_input_tokens": "cache_write_5m",
    "ephemeral_1h_input_tokens": "cache_write_1h",
    **{name: f"{name}_input" for name in ("text", "audio", "image", "video")},
}
_OUTPUT = {
    "reasoning": "reasoning",
    "reasoning_tokens": "reasoning",
    **{name: f"{name}_output" for name in ("text", "audio", "image", "video")},
}
_DETAILS = {
    "input_token_details": _INPUT,
    "prompt_token_details": _INPUT,
    "input_tokens_details": _INPUT,  # OpenAI Responses
    "output_token_details": _OUTPUT,
    "completion_token_details": _OUTPUT,
    "output_tokens_details": _OUTPUT,
}
_ANTHROPIC = {
    "cache_read_input_tokens": "cache_read",
    "cache_creation_input_tokens": "cache_write",
}
_RUN = ("prompt", "completion", "total")


def decode_usage(row: Row, told: Any, answered: Iterable[Any]) -> Usage | None:
    """The counts of a call: of its metadata, else of its answer, else of the run.

    Args:
        row: the run.
        told: the block in its metadata.
        answered: blocks in its answer, the most telling first. An answer is free-form, so that what is no block of
            counts there is passed over.

    Raises:
        InputError: a count of the metadata or of the run is not a whole number; the error names its JSON path.
    """
    names = (
        *(f"{name}_tokens" for name in _RUN),
        "prompt_token_details",
        "completion_token_details",
    )
    own = {key: unwrapped(value) for key in names if (value := row.get(key)) is not None}
    found = []
    if isinstance(told, Mapping):
        found.append(_decode(told, row.path("extra.metadata.usage_metadata")))
    for block in answered:
        with suppress(InputError):
            found.append(_decode(block, ""))
    found.append(_decode(own, row.place))
    counted = (one for one in found if (one.input_tokens, one.output_tokens) != (None, None))
    return next(counted, None)


def _decode(raw: Mapping[str, Any], path: str) -> Usage:
    if "prompt_tokens_details" in raw or "completion_tokens_details" in raw:
        found = chat_usage.decode_usage(raw, path or "usage")
        return found or Usage(raw=dict(raw))
    counts: dict[str, int] = {}
    for key, name in _TOTALS.items():
        if (n := tokens(raw.get(key), join(path, key))) is not None:
            counts.setdefault(name, n)
    for key, names in _DETAILS.items():
        where = join(path, key)
        for inner, name in names.items():
            n = tokens(as_object(raw.get(key) or {}, where).get(inner), join(where, inner))
            if n is not None:
                counts.setdefault(name, n)
    _add_written(counts)
    _add_gemini(raw, counts, path)
    _add_anthropic(raw, counts, path)
    return Usage(**counts, raw=dict(raw))


def _add_written(counts: dict[str, int]) -> None:
    """LangChain leaves out of ``cache_creation`` what it names by how long it is kept."""
    named = [counts[name] for name in ("cache_write_5m", "cache_write_1h") if name in counts]
    whole = counts.get("cache_write", 0)
    if named and whole < sum(named):
        counts["cache_write"] = whole + sum(named)


def _add_anthropic(raw: Mapping[str, Any], counts: dict[str, int], path: str) -> None:
    """Anthropic's own block leaves both caches out of the input."""
    if any(key in raw for key in _DETAILS):
        return
    for key, name in _ANTHROPIC.items():
        if (n := tokens(raw.get(key), join(path, key))) is not None:
            counts[name] = n
            if "input_tokens" in counts:
                counts["input_tokens"] += n


def _add_gemini(raw: Mapping[str, Any], counts: dict[str, int], path: str) -> None:
    """Gemini's own block leaves thoughts out of the output and tool results out of the input."""
    if "promptTokenCount" not in raw and "candidatesTokenCount" not in raw:
        return
    read = {
        key: tokens(raw.get(key), join(path, key))
        for key in (
            *("cachedContentTokenCount", "toolUsePromptTokenCount"),
            *("candidatesTokenCount", "thoughtsTokenCount"),
        )
    }
    cached, used, said, thought = read.values()
    named = {"cache_read": cached, "tool_use_prompt": used, "reasoning": thought}
    counts |= {name: n for name, n in named.items() if n is not None}
    if used is not None and "input_tokens" in counts:
        counts["input_tokens"] += used
    if said is not None or thought is not None:
        counts["output_tokens"] = (said or 0) + (thought or 0)


def decode_cost(row: Row) -> Cost | None:
    """What LangSmith says that a run cost, in US dollars; its decimals may be text.

    Raises:
        InputError: an amount is not a number; the error names its JSON path.
    """
    read = {
        name: as_amount(value, row.path(f"{name}_cost"))
        for name in _RUN
        if (value := row.get(f"{name}_cost")) not in (None, "")
    }
    if not read:
        return None
    total = read.pop("total", None)
    names = {"prompt": "input", "completion": "output"}
    return Cost(
        amount=sum(read.values(), Decimal(0)) if total is None else total,
        source="vendor",
        details={names[name]: amount for name, amount in read.items()},
    )
