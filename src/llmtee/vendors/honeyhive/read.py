"""HoneyHive's history, oldest first, through ``/v1/events/export`` (legacy) or ``/v1/events/search`` (v1).

Both give numbered pages of a list that moves while it is read, newest first. So numbered pages are avoided: the window
is cut into slices of time that fit into one answer each, for one answer shows one moment. A slice with more events than
fit is cut smaller, and the width of the next ones follows how dense the events are. Only what cannot be cut, events of
one and the same millisecond, or without any time, is read by numbered pages where one does not hold it: all of them,
until two readings agree.

Source: the OpenAPI documents 1.1.0 and 1.9.0, 2026-11. A date range includes both its ends, so neighbours share a
border: an event on it is taken from the later slice. Start times are numbers that may have a fraction, and may be
missing.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from llmtee.errors import HistoryIncomplete
from llmtee.model import Item
from llmtee.spec import Exchange, Page, Position, Request, Window
from llmtee.vendors.honeyhive import spans, wire
from llmtee.vendors.honeyhive.answers import Answer, items_of, read_answer, undated_of
from llmtee.vendors.honeyhive.pack import LIMITS
from llmtee.vendors.honeyhive.settings import HoneyHive

SLICE_EVENTS: Final = 250
"""Events in one answer, unless the settings say otherwise: each may repeat its conversation, so they are long."""
TRIES: Final = 5
"""How often what does not add up is read again."""
TOGETHER: Final = 100_000
"""Events of one millisecond, or without a time, at most: they are in memory at the same time."""
_FULL: Final = 0.6
"""How much of an answer a slice is meant to fill."""
_EMPTY: Final = 8
"""By so much, at most, one slice is wider or narrower than the one before it."""
_UNDATED: Final = {
    "field": "start_time",
    "operator": "not exists",
    "value": None,
    "type": "datetime",
}
_TIMELESS: Final = "{:,} events or sessions have no time at all, so they are in no window: read without a beginning to get them"


def read(settings: HoneyHive) -> HoneyHiveReader:
    """The reader of a project's history."""
    return HoneyHiveReader(settings)


@dataclass(frozen=True, slots=True)
class HoneyHiveReader:
    """A ``Reader``.

    Its position goes through these phases: ``count`` the window; read what is ``undated``, all
    of it, since no range of dates holds it; read the ``slices``, and a ``moment`` between two of them where one millisecond holds more than an answer; count the
    window again at the ``end``.
    """

    settings: HoneyHive

    def start(self, window: Window) -> Position:
        """Before the first page."""
        since = None if window.since is None else window.since.isoformat()
        return {"phase": "count", "since": since, "until": window.until.isoformat()}

    def requests(self, position: Position) -> list[Request]:
        """What to ask for next."""
        match position["phase"]:
            case "count":
                return [*self._counting(position), self._ask(1, 1)]
            case "end":
                return self._counting(position)
            case "slices":
                return [self._ask(1, self._limit, span) for span in self._spans(position)]
            case phase:
                span = None if phase == "undated" else spans.moment(position)
                return [self._ask(1 + n, self._together, span) for n in range(position["pages"])]

    def page(self, position: Position, exchanges: Sequence[Exchange]) -> Page:
        """Reads the answers."""
        counts = wire.api(self.settings.api).counts
        answers = [read_answer(exchange, counts) for exchange in exchanges]
        match position["phase"]:
            case "count":
                return self._counted(position, *answers)
            case "end":
                return self._checked(position, *answers)
            case "slices":
                return self._sliced(position, answers)
            case _:
                return self._gathered(position, answers)

    # ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _limit(self) -> int:
        return min(self.settings.max_items or SLICE_EVENTS, wire.MAX_PAGE)

    @property
    def _together(self) -> int:
        """In one answer of what cannot be sliced: the more, the fewer numbered pages."""
        return min(self.settings.max_items or wire.MAX_PAGE, wire.MAX_PAGE)

    def _ask(self, page: int, limit: int, span: tuple[int, int] | None = None) -> Request:
        """Events of a span of unix milliseconds, both ends included; ``None``: those that have no time."""
        api = wire.api(self.settings.api)
        body: dict[str, Any] = {"filters": [], "limit": limit, "page": page}
        if span is None:
            body["filters"] = [_UNDATED]
        else:
            since, until = map(spans.iso, span)
            body["dateRange"] = {api.since: since, api.until: until}
        if self.settings.api == "legacy":
            body["project"] = self.settings.project
        return Request("POST", api.read_path, body=body)

    def _counting(self, position: Position) -> list[Request]:
        first, last = spans.inside(position)
        return [self._ask(1, 1, (first, max(first, last)))]

    def _spans(self, position: Position) -> list[tuple[int, int]]:
        """The next slices, side by side: as many as may be asked for at a time."""
        found, begin, end = [], position["at"], spans.end(position)
        for _ in range(self.settings.concurrency or LIMITS.concurrency):
            found.append((begin, min(begin + position["width"], end)))
            begin = found[-1][1]
            if begin >= end:
                break
        return found

    # ── the whole window ────────────────────────────────────────────────────────────────────────────────────────

    def _counted(self, position: Position, inside: Answer, undated: Answer) -> Page:
        begin, counted = spans.begin(position), _told(position, inside)
        width = max(1, spans.end(position) - begin)
        if counted >= self._limit:
            width = max(1, int(width * self._aim / counted))
        position = {
            **position,
            "phase": "slices",
            "at": begin,
            "width": width,
            "tries": 0,
            "counted": counted,
            "read": 0,
            "total": counted + undated.count,
        }
        if undated.count:
            position |= {"phase": "undated", "pages": 1}
        return Page(items=(), next=_onward(position), total=position["total"])

    def _checked(self, position: Position, inside: Answer) -> Page:
        before, after, got = position["counted"], _told(position, inside), position["read"]
        if got < min(before, after):
            raise HistoryIncomplete(
                f"HoneyHive counted {before:,} events before they were read and {after:,} after that, but gave "
                f"{got:,}: meanwhile some were deleted, or got another start_time. Read again; the ids are the same, "
                "so a vendor that knows them takes nothing twice"
            )
        return Page(items=(), next=None, total=position["total"])

    # ── slices ──────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _aim(self) -> float:
        return self._limit * _FULL

    def _sliced(self, position: Position, answers: Sequence[Answer]) -> Page:
        """Takes the slices up to the first that holds too much or does not add up."""
        items: list[Item] = []
        for (begin, end), answer in zip(self._spans(position), answers, strict=True):
            width = end - begin
            if len(answer.events) >= self._limit or answer.count > self._limit:
                position = self._cut(position, width, answer.count)
                break
            if not answer.adds_up:
                position = _again(position, width, answer)
                break
            items += items_of(answer.events, position, (begin, end))
            position = {**position, "at": end, "width": self._next(width, answer), "tries": 0}
        return _page(position, items)

    def _next(self, width: int, answer: Answer) -> int:
        """The width after a slice that fitted: as dense as it was, the next one is as full as is meant."""
        factor = self._aim / answer.count if answer.count else _EMPTY
        return max(1, math.ceil(width * min(max(factor, 1 / _EMPTY), _EMPTY)))

    def _cut(self, position: Position, width: int, count: int) -> Position:
        if width <= 1:
            return {**position, "phase": "moment", "pages": 1, "tries": 0}
        return {**position, "width": max(1, min(width // 2, int(width * self._aim / count)))}

    # ── what cannot be sliced ───────────────────────────────────────────────────────────────────────────────────

    def _gathered(self, position: Position, answers: Sequence[Answer]) -> Page:
        """Takes all the numbered pages together, when they are complete and nothing moved between them."""
        first, limit = answers[0], self._together
        events = {event["event_id"]: event for answer in answers for event in answer.events}
        pages = first.count // limit + 1  # one more than needed, which shows that there is no more
        if first.count > TOGETHER:
            raise HistoryIncomplete(
                f"HoneyHive has {first.count:,} events {spans.where(position)}, more than the {TOGETHER:,} that can be "
                "read at once: ask HoneyHive for an export, and convert its files"
            )
        complete = pages == len(answers) and all(
            answer.count == first.count == len(events) for answer in answers
        )
        seen = hashlib.sha256("".join(sorted(events)).encode()).hexdigest() if complete else None
        if complete and (pages == 1 or seen == position.get("seen")):
            return self._taken(position, list(events.values()))
        tries = position["tries"] + 1
        if tries > TRIES:
            raise HistoryIncomplete(
                f"HoneyHive counts {first.count:,} events {spans.where(position)} and gives {len(events):,}, or others "
                f"each time; it was asked {tries} times. Read again when fewer events arrive there"
            )
        return _page({**position, "pages": pages, "seen": seen, "tries": tries}, [])

    def _taken(self, position: Position, events: list[dict[str, Any]]) -> Page:
        if position["phase"] == "moment":
            items = items_of(events, position, spans.moment(position))
            at = position["at"] + 1
            return _page({**position, "phase": "slices", "at": at, "tries": 0}, items)
        items, timeless = undated_of(events, position)
        notes = (_TIMELESS.format(timeless),) if timeless else ()
        following = _onward({**position, "phase": "slices", "tries": 0})
        return Page(items=tuple(items), next=following, total=position["total"], notes=notes)


def _told(position: Position, inside: Answer) -> int:
    first, last = spans.inside(position)
    return inside.count if first <= last else 0


def _page(position: Position, items: Sequence[Item]) -> Page:
    position = {**position, "read": position["read"] + len(items)}
    return Page(
        items=tuple(items),
        next=_onward(position),
        total=position["total"],
        again=position["tries"],
    )


def _onward(position: Position) -> Position:
    """The position, at the end when nothing is left to slice."""
    if position["phase"] != "slices":
        return position
    left = {key: value for key, value in position.items() if key not in ("pages", "seen")}
    return left if position["at"] < spans.end(position) else {**left, "phase": "end"}


def _again(position: Position, width: int, answer: Answer) -> Position:
    """Another try, then smaller slices, which find out where it does not add up."""
    if position["tries"] < TRIES:
        return {**position, "tries": position["tries"] + 1}
    if width > 1:
        return {**position, "width": width // 2}
    raise HistoryIncomplete(
        f"HoneyHive counts {answer.count:,} events {spans.where(position)} and gives {len(answer.ids):,}; it was asked "
        f"{TRIES + 1} times. Read again later; if it stays so, ask HoneyHive which of the two is right"
    )
