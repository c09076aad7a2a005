"""Where one list continues another. Linear, by the prefix function of Knuth, Morris and Pratt."""

from __future__ import annotations

from collections.abc import Sequence


def overlap(known: Sequence[int], seen: Sequence[int]) -> int:
    """How many of the last of ``known`` are the first of ``seen``: the most that fit."""
    if len(known) <= len(seen) and seen[: len(known)] == known:
        return len(known)
    tail = known[max(0, len(known) - len(seen)) :]
    length = 0
    for length in _prefix_lengths(tail, seen):  # noqa: B007 - the last one counts
        pass
    return length


def longest_run(known: Sequence[int], seen: Sequence[int]) -> tuple[int, int]:
    """The longest start of ``seen`` that stands anywhere in ``known``, as ``(start, length)``.

    Of several equally long ones: that at the start of ``known``, else the last.
    """
    best = (0, 0)
    for end, length in enumerate(_prefix_lengths(known, seen), 1):
        start = end - length
        if length > best[1] or (length == best[1] and length > 0 and best[0] > 0):
            best = (start, length)
    return best


def _prefix_lengths(text: Sequence[int], pattern: Sequence[int]) -> list[int]:
    """For each place in ``text``, how much of the start of ``pattern`` ends there."""
    borders = _borders(pattern)
    found, length = [], 0
    for item in text:
        while length and (length == len(pattern) or pattern[length] != item):
            length = borders[length - 1]
        if length < len(pattern) and pattern[length] == item:
            length += 1
        found.append(length)
    return found


def _borders(pattern: Sequence[int]) -> list[int]:
    borders, length = [0] * len(pattern), 0
    for i in range(1, len(pattern)):
        while length and pattern[i] != pattern[length]:
            length = borders[length - 1]
        if pattern[i] == pattern[length]:
            length += 1
        borders[i] = length
    return borders
