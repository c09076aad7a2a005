"""A line of time: to scale while something goes on, with long pauses folded."""

from __future__ import annotations

import datetime as dt
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from llmtee.views._blocks import span as in_words

_MILLISECOND: Final = dt.timedelta(milliseconds=1)
_LONG: Final = 0.35
"""A pause is folded when it is longer than this part of all the time in which something went on."""
_APART: Final = 76.0
"""Least distance of two labels."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A time in which something went on."""

    start: float
    """Milliseconds since the start of the line."""
    end: float
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Axis:
    """Where times stand."""

    origin: dt.datetime
    pieces: tuple[_Piece, ...]
    gaps: tuple[tuple[float, float, float], ...]
    """Left, right and milliseconds of each folded pause."""
    ticks: tuple[tuple[float, str], ...]
    """Place and label."""

    def at(self, time: dt.datetime) -> float:
        """Where a time stands; the nearest place for one outside the line."""
        since = (time - self.origin) / _MILLISECOND
        place = max(bisect_right(self.pieces, since, key=lambda piece: piece.start) - 1, 0)
        piece = self.pieces[place]
        whole = piece.end - piece.start
        part = min(max((since - piece.start) / whole, 0.0), 1.0) if whole else 0.0
        return piece.left + part * (piece.right - piece.left)


def axis(
    spans: Sequence[tuple[dt.datetime, dt.datetime]], left: float, right: float, gap: float
) -> Axis:
    """A line on which all spans lie.

    Args:
        spans: starts and ends, ends not before their starts.
        left: where the line begins.
        right: where it ends.
        gap: the width of a folded pause.
    """
    if not spans:
        return Axis(dt.datetime.min.replace(tzinfo=dt.UTC), (_Piece(0, 0, left, right),), (), ())
    origin = min(start for start, _ in spans)
    busy = _busy(
        sorted(((s - origin) / _MILLISECOND, (e - origin) / _MILLISECOND) for s, e in spans)
    )
    most = max(int((right - left) / (gap * 3)) - 1, 0)
    joined = _joined(busy, most)
    total = sum(end - start for start, end in joined)
    width = right - left - gap * (len(joined) - 1)
    # A moment in which only one thing happened has no length, and needs some room all the same.
    least = min(8.0, width / len(joined))
    scale = (width - least * len(joined)) / total if total else 0.0
    pieces, gaps, at = [], [], left
    for place, (start, end) in enumerate(joined):
        if place:
            gaps.append((at, at + gap, start - joined[place - 1][1]))
            at += gap
        wide = (end - start) * scale + (least if total else width / len(joined))
        pieces.append(_Piece(start, end, at, at + wide))
        at += wide
    return Axis(origin, tuple(pieces), tuple(gaps), tuple(_ticks(pieces, right)))


def _busy(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Spans joined where they touch."""
    found: list[tuple[float, float]] = []
    for start, end in spans:
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def _joined(busy: list[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """Spans joined over the pauses that are drawn to scale: all but the ``most`` longest that are long."""
    total = sum(end - start for start, end in busy)
    pauses = [later[0] - earlier[1] for earlier, later in pairwise(busy)]
    # Where nothing took any time, the pauses are all there is to see.
    long = [place for place, pause in enumerate(pauses) if total and pause > total * _LONG]
    folded = set(sorted(long, key=lambda place: -pauses[place])[:most])
    found = [busy[0]]
    for place, span in enumerate(busy[1:]):
        if place in folded:
            found.append(span)
        else:
            found[-1] = (found[-1][0], span[1])
    return found


def _ticks(pieces: Sequence[_Piece], right: float) -> list[tuple[float, str]]:
    """Where each piece begins, and round times within it."""
    found: list[tuple[float, str]] = []
    for piece in pieces:
        whole, wide = piece.end - piece.start, piece.right - piece.left
        step = _round(whole * 110 / wide) if whole and wide else 0.0
        count = int((piece.end - piece.start) / step) if step else 0
        first = math.floor(piece.start / step) + 1 if step else 0
        for since in (piece.start, *(step * (first + place) for place in range(count + 1))):
            x = piece.left + ((since - piece.start) / whole * wide if whole else 0.0)
            if since <= piece.end and x <= right and (not found or x - found[-1][0] >= _APART):
                found.append((x, f"+{in_words(since)}" if since else "0"))
    return found


def _round(milliseconds: float) -> float:
    """The next larger length that people count in."""
    known = (
        *(m * 10.0**e for e in range(5) for m in (1, 2, 5) if m * 10**e < 60_000),
        *(60_000.0 * m for m in (1, 2, 5, 10, 30, 60, 120, 360, 720)),
    )
    day = 86_400_000.0
    return next((one for one in known if one >= milliseconds), math.ceil(milliseconds / day) * day)
