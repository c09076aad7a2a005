"""`Reader`: how a vendor's history is read, page by page. Values in, values out: who sends the requests is elsewhere.

A reader never ends quietly. What it is told must add up: a page that is shorter than its own count, a cursor that is
missing, a total that is not reached is a `HistoryIncomplete`, which says what to do.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from llmtee.model import Item, Supplement
from llmtee.spec.wire import Exchange, Request

Position: TypeAlias = Mapping[str, Any]
"""Where a reader stands, as JSON: kept in a file, reading goes on from it in another process. It stays small: it may
hold the ids of a page or two, never those of a whole history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which part of a history is read: what began in ``since <= time < until``.

    It is fixed before the first request, so that what arrives meanwhile does not move the pages.
    """

    until: dt.datetime
    """UTC, aware. Usually the time at which reading begins."""
    since: dt.datetime | None = None
    """UTC, aware; ``None``: from the first there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What one step of reading gave."""

    items: tuple[Item | Supplement, ...]
    """In the order in which the vendor has them; each item once in the whole history, whatever moved meanwhile."""
    next: Position | None
    """Where to go on; ``None`` at the end, when everything has added up."""
    total: int | None = None
    """How many items the whole history holds, as far as the vendor says so; an estimate, for progress."""
    notes: tuple[str, ...] = ()
    """What a user should know of this page, a sentence each, such as what a vendor no longer has."""
    ended: tuple[str, ...] = ()
    """Sessions that are known to have ended by now, as an event log knows it."""
    again: int = 0
    """How often this part was read in vain by now, since it did not add up: the driver waits a little before it asks
    again, longer each time. A reader gives up after a few."""


class Reader(Protocol):
    """Reads one vendor's history with some settings. Has no state of its own: all of it is in the position."""

    def start(self, window: Window) -> Position:
        """The position before the first page."""

    def requests(self, position: Position) -> Sequence[Request]:
        """What to ask for the next page: at least one request. They may be sent at the same time, and again."""

    def page(self, position: Position, exchanges: Sequence[Exchange]) -> Page:
        """Reads the answers, all of them successful (2xx), in the order of the requests.

        A request that ``may_be_gone`` may have 404 and 410 instead.

        Raises:
            HistoryIncomplete: they do not add up.
            InputError: an answer is not of the vendor's shape.
        """
