"""Token counts as Gemini reports them, to canonical ones and back.

Names of counts are in `conventions`. The prompt's count holds the cached tokens but not those of tool results; the candidates' count leaves thoughts out. A
zero is often not written at all, so a missing summand adds nothing, and a sum is missing where all its summands are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.errors import InputError
from llmtee.formats.conventions import GEMINI
from llmtee.formats.gemini.names import snake, without_nones
from llmtee.jsonfields import as_count, as_list, as_object
from llmtee.model import Usage

_MODALITIES = {"TEXT": "text", "AUDIO": "audio", "IMAGE": "image", "VIDEO": "video"}
_INPUT_DETAILS = ("promptTokensDetails", "toolUsePromptTokensDetails")
_OUTPUT_DETAILS = ("candidatesTokensDetails",)


def decode_usage(raw: Any, path: str) -> Usage | None:
    """The counts of a ``usageMetadata`` block, in either spelling, which is kept whole beside them.

    Raises:
        InputError: a count is not a whole number; the error names its JSON path.
    """
    if raw is None:
        return None
    raw = as_object(raw, path)
    counts = {name: _count(raw, key, path) for key, name in GEMINI.totals.items()}
    for total, beside in (
        ("input_tokens", GEMINI.beside_input),
        ("output_tokens", GEMINI.beside_output),
    ):
        counts[total] = _sum(counts[total], *(counts[name] for name in beside))
    return Usage(
        **counts,
        **_details(raw, _INPUT_DETAILS, "input", path),
        **_details(raw, _OUTPUT_DETAILS, "output", path),
        raw=raw,
    )


def _field(raw: Mapping[str, Any], name: str, path: str) -> tuple[Any, str]:
    key = name if raw.get(name) is not None else snake(name)
    return raw.get(key), f"{path}.{key}"


def _count(raw: Mapping[str, Any], name: str, path: str) -> int | None:
    return as_count(*_field(raw, name, path))


def _sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _details(
    raw: Mapping[str, Any], names: tuple[str, ...], side: str, path: str
) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        block, where = _field(raw, name, path)
        for i, one in enumerate(as_list(block, where)):
            entry = as_object(one, f"{where}[{i}]")
            word = entry.get("modality")
            modality = _MODALITIES.get(word) if isinstance(word, str) else None
            count = _count(entry, "tokenCount", f"{where}[{i}]")
            if modality is not None and count is not None:
                key = f"{modality}_{side}"
                found[key] = found.get(key, 0) + count
    return found


def encode_usage(usage: Usage) -> dict[str, Any]:
    """A ``usageMetadata`` block: the one that was read, where it was of this shape, else one made of the counts."""
    if usage.raw is not None and _reads_as(usage.raw, usage):
        return usage.raw
    total = usage.total_tokens
    if total is None and usage.input_tokens is not None and usage.output_tokens is not None:
        total = usage.input_tokens + usage.output_tokens
    prompt, tool_use = _split(usage.input_tokens, usage.tool_use_prompt)
    said, thought = _split(usage.output_tokens, usage.reasoning)
    return without_nones(
        {
            "promptTokenCount": prompt,
            "cachedContentTokenCount": usage.cache_read,
            "toolUsePromptTokenCount": tool_use,
            "candidatesTokenCount": said,
            "thoughtsTokenCount": thought,
            "totalTokenCount": total,
            "promptTokensDetails": _encode_details(usage, "input"),
            "candidatesTokensDetails": _encode_details(usage, "output"),
        }
    )


def _reads_as(raw: Any, usage: Usage) -> bool:
    try:
        return bool(raw) and decode_usage(raw, "usage") == usage
    except InputError:
        return False


def _split(whole: int | None, part: int | None) -> tuple[int | None, int | None]:
    """The rest of ``whole`` and ``part``. A part that is no part is left out: a count is never negative."""
    if whole is None or part is None:
        return whole, None  # a part alone would be read as the whole
    return (whole - part, part) if part <= whole else (whole, None)


def _encode_details(usage: Usage, side: str) -> list[dict[str, Any]] | None:
    counts = {word: getattr(usage, f"{name}_{side}") for word, name in _MODALITIES.items()}
    found = [
        {"modality": word, "tokenCount": count}
        for word, count in counts.items()
        if count is not None
    ]
    return found or None
