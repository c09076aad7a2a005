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
from llmtee.formats.conventions import ANTHROPIC, GEMINI, LANGSMITH
from llmtee.formats.openai_chat import usage as chat_usage
from llmtee.jsonfields import as_amount, as_object, join
from llmtee.model import Cost, Usage

_TOTALS, _DETAILS = LANGSMITH.totals, LANGSMITH.details
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
    for name in ANTHROPIC.beside_input:
        [key] = ANTHROPIC.counts[name]
        if (n := tokens(raw.get(key), join(path, key))) is not None:
            counts[name] = n
            if "input_tokens" in counts:
                counts["input_tokens"] += n


def _add_gemini(raw: Mapping[str, Any], counts: dict[str, int], path: str) -> None:
    """Gemini's own block leaves thoughts out of the output and tool results out of the input."""
    if "promptTokenCount" not in raw and "candidatesTokenCount" not in raw:
        return
    read = {name: tokens(raw.get(key), join(path, key)) for key, name in GEMINI.totals.items()}
    counts |= {name: n for name, n in read.items() if n is not None}
    for total, beside in (
        ("input_tokens", GEMINI.beside_input),
        ("output_tokens", GEMINI.beside_output),
    ):
        told = [n for name in (total, *beside) if (n := read[name]) is not None]
        if told:
            counts[total] = sum(told)


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
