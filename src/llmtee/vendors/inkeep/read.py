"""Inkeep's history: its conversations, then the feedback on them.

Both are lists that are paged by offset, without a filter and without a documented order: see `moving` for what is
assumed, and why nothing is missed or repeated while they change. Source: the vendor's generated TypeScript SDK
(0.2.4-alpha.36) and its public pages, November 2026.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Final

from llmtee.errors import HistoryIncomplete, InputError
from llmtee.jsonfields import as_count, as_list, as_object, as_text, join
from llmtee.model import Annotation, Conversation, Item, Supplement
from llmtee.model.times import parse_time
from llmtee.spec import CarrySlot, Exchange, Page, Position, Reader, Request, Window, with_carry
from llmtee.vendors.inkeep.feedback import FEEDBACK_PATH, read_supplement
from llmtee.vendors.inkeep.moving import Entry, Sweep
from llmtee.vendors.inkeep.parse import parse
from llmtee.vendors.inkeep.settings import Inkeep
from llmtee.vendors.inkeep.sketch import key_of
from llmtee.vendors.inkeep.transport import PATH

CARRY: Final = CarrySlot("properties.llmtee.carry", items=("", "[]", "conversations[]"))

PAGE_SIZE: Final = 50
"""Rows to ask for. The largest number is not documented; a page with fewer is taken as it comes."""
_TRIES: Final = 3
_CONVERSATIONS: Final = "conversations"
_LISTS: Final = {
    _CONVERSATIONS: PATH,
    "positive feedback": FEEDBACK_PATH,
    "negative feedback": FEEDBACK_PATH,
}
"""What is read, one after another. The two kinds of feedback come in one answer, but are lists of their own."""
_NEEDS: Final = (
    "reading takes the key of an API integration, INKEEPANALYTICS_API_INTEGRATION_KEY: "
    "that of a Web integration only writes"
)
_decode = with_carry(parse, CARRY)


def read(settings: Inkeep) -> Reader:
    """Reads conversations by the time at which they were created, and feedback by that at which it was given.

    A rating is an `Annotation` of its message, after all conversations. ``max_items`` is the rows of a page.
    """
    return _Reader(settings.max_items or PAGE_SIZE)


class _Reader:
    def __init__(self, size: int) -> None:
        self._size = size

    def start(self, window: Window) -> Position:
        since = None if window.since is None else window.since.isoformat()
        return {
            "since": since,
            "until": window.until.isoformat(),
            "totals": {},
            "again": 0,
            "list": self._first(_CONVERSATIONS),
        }

    def requests(self, position: Position) -> Sequence[Request]:
        sweep = Sweep.of_json(position["list"])
        query = {"limit": str(self._size), "offset": str(sweep.offset)}
        return [Request("GET", _LISTS[sweep.what], query=query, needs=_NEEDS)]

    def page(self, position: Position, exchanges: Sequence[Exchange]) -> Page:
        (exchange,) = exchanges
        sweep = Sweep.of_json(position["list"])
        rows, total, path = _rows(exchange, sweep.what)
        if (again := self._short(position, sweep, len(rows), total)) is not None:
            return Page(items=(), next=again)
        entries = [_entry(row, f"{path}[{i}]", position) for i, row in enumerate(rows)]
        given, after = sweep.take(entries, total, _now(exchange))
        read_row = _conversation if sweep.what == _CONVERSATIONS else _annotation
        totals = {**position["totals"], sweep.what: total}
        where = {**position, "totals": totals, "again": 0}
        return Page(
            items=tuple(read_row(rows[i], f"{path}[{i}]") for i in given),
            next=self._next(where, after),
            total=sum(totals.values()),
            notes=_notes(sweep, after),
        )

    def _short(self, position: Position, sweep: Sweep, count: int, total: int) -> Position | None:
        """The same page once more, where feedback is missing on it: rows and total may be of two moments.

        Pages of conversations may be shorter than was asked for. Were the two kinds of feedback one list, though, an
        offset would be none of this kind's, and something be missed.
        """
        left = total - sweep.offset
        if sweep.what == _CONVERSATIONS or count >= min(self._size, left):
            return None
        if position["again"] < _TRIES:
            return {**position, "again": position["again"] + 1}
        raise HistoryIncomplete(
            f"a page of {count} {sweep.what}, though {left} are left and {self._size} were asked for: "
            f"read smaller pages with max_items={max(2, count)}, or ask the vendor"
        )

    def _first(self, what: str) -> dict[str, Any]:
        return Sweep(what=what, size=self._size).to_json()

    def _next(self, position: Position, after: Sweep) -> Position | None:
        if not after.done:
            return {**position, "list": after.to_json()}
        left = list(_LISTS)[list(_LISTS).index(after.what) + 1 :]
        return {**position, "list": self._first(left[0])} if left else None


def _notes(before: Sweep, after: Sweep) -> tuple[str, ...]:
    if after.done and after.passed:
        return (f"{after.passed} {after.what} lie outside of the time that is read",)
    if after.number > before.number:
        return (f"the {after.what} changed while they were read: they are read again and compared",)
    return ()


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _rows(exchange: Exchange, what: str) -> tuple[list[Any], int, str]:
    """The rows of an answer, how many there are in all, and where they stand in it."""
    raw = as_object(exchange.json, "")
    if what == _CONVERSATIONS:
        return (*_counted(raw, "conversations", "total", raw.get("count")), "conversations")
    path = f"{what.partition(' ')[0]}Feedback"
    return (*_counted(raw, path, f"{path}Count", None), path)


def _counted(
    raw: Mapping[str, Any], rows_at: str, total_at: str, count: Any
) -> tuple[list[Any], int]:
    rows = as_list(raw.get(rows_at), rows_at)
    total = as_count(raw.get(total_at), total_at)
    if rows_at not in raw or total is None:
        missing = rows_at if rows_at not in raw else total_at
        raise HistoryIncomplete(
            f"the answer has no {missing}, so it cannot be told what is left: is base_url Inkeep's?"
        )
    if count is not None and count != len(rows):
        raise HistoryIncomplete(
            f"the answer says that it has {count} {rows_at}, and has {len(rows)}: try again later, or ask the vendor"
        )
    return rows, total


def _entry(row: Any, path: str, position: Position) -> Entry:
    row = as_object(row, path)
    own = as_text(row.get("id"), join(path, "id"))
    created = _time(row, "createdAt", path)
    since, until = position["since"], dt.datetime.fromisoformat(position["until"])
    return Entry(
        key=key_of(own),
        mark=key_of(own, str(row.get("updatedAt"))),
        updated=_time(row, "updatedAt", path),
        # What has no time belongs nowhere else.
        inside=created is None
        or (created < until and (since is None or created >= dt.datetime.fromisoformat(since))),
    )


def _time(row: Mapping[str, Any], key: str, path: str) -> dt.datetime | None:
    try:
        return parse_time(row.get(key))
    except ValueError as error:
        raise InputError(str(error), path=join(path, key)) from None


def _now(exchange: Exchange) -> dt.datetime | None:
    """Inkeep's clock, in whole seconds; else ours."""
    try:
        return parsedate_to_datetime(exchange.headers["date"]).astimezone(dt.UTC)
    except (KeyError, ValueError):
        return exchange.received_at


def _conversation(row: Any, path: str) -> Item:
    try:
        (item,) = _decode(row)
    except InputError as error:
        raise InputError(error.reason, path=join(path, error.path or "")) from None
    return item


def _annotation(row: Mapping[str, Any], path: str) -> Supplement:
    """Feedback, with the session of its conversation. Sources that people named have no field, and stand in ``feedback``."""
    try:
        said = read_supplement(row)
    except InputError as error:
        raise InputError(error.reason, path=join(path, error.path or "")) from None
    found: dict[str, Any] = {}
    if said.session is None and (around := row.get("conversation")) is not None:
        conversation = _conversation(around, join(path, "conversation"))
        found["session"] = conversation.session if isinstance(conversation, Conversation) else None
    if sources := row.get("sources"):
        found["feedback"] = {**said.feedback, "sources": sources}
    return Annotation.model_validate({**said.to_json(), **found}) if found else said
