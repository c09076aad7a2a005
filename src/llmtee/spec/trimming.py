"""Cutting a text to size: one mark for all vendors, so that a reader knows it wherever it turns up."""

from __future__ import annotations

import re
from typing import Final

_CUT: Final = "[… {:,} characters cut by llmtee …]"
_CUT_BEFORE: Final = re.compile(r"\[… ([\d,]+) characters cut by llmtee …\]")


def trim_middle(text: str, length: int) -> str:
    """``text`` in at most ``length`` characters: its start and its end, and between them how much is missing.

    A text that was cut before says how much is missing of the original. A ``length`` shorter than the mark itself
    leaves the mark.
    """
    if len(text) <= length:
        return text
    start, end = middle(text, length)
    missing = end - start
    for earlier in _CUT_BEFORE.finditer(text, start, end):
        missing += int(earlier[1].replace(",", "")) - len(earlier[0])
    return text[:start] + _CUT.format(missing) + text[end:]


def middle(text: str, length: int) -> tuple[int, int]:
    """Where the part begins and ends that `trim_middle` cuts out, in characters."""
    kept = max(0, length - len(_CUT.format(len(text))))
    return kept - kept // 2, len(text) - kept // 2
