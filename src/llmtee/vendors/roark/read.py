"""Roark's history: its chats from the oldest on, and the transcript of each.

A list of chats says nothing of their messages, so a page takes two steps: its list, and then the same list again with
one transcript for each of its chats. What a page's position holds stays a list of ids that way. A chat that is not there
any more is asked for by itself, in a third step: it was deleted, or has no transcript. Source: the public pages on ``GET
/v1/chat``, ``GET /v1/chat/{id}`` and ``GET /v1/chat/{id}/transcript``, November 2026.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from llmtee.errors import HistoryIncomplete, InputError
from llmtee.jsonfields import as_count, as_list, as_object, as_text, join, text_or_none
from llmtee.model import Item
from llmtee.model.times import parse_time
from llmtee.spec import (
    CarrySlot,
    Exchange,
    Page,
    Position,
    Reader,
    Request,
    Window,
    beyond,
    with_carry,
)
from llmtee.vendors.roark import wire
from llmtee.vendors.roark.parse import parse
from llmtee.vendors.roark.settings import Roark

CARRY: Final = CarrySlot("properties.llmtee", items=("", "data", "data[]", "chat", "chat.data"))

PAGE_SIZE: Final = 50
"""Chats of a page: so many transcripts are read in one step."""
_LARGEST_PAGE: Final = 100
_GONE: Final = (404, 410)
_TRIES: Final = 3
_AGAIN: Final = "try again later, or ask the vendor"
_NOT_READ: Final = "Roark does not give back tool invocations, prompts and the languages of messages: they stay there"
_decode = with_carry(parse, CARRY)


def read(settings: Roark) -> Reader:
    """Reads chats by the time at which they started. ``max_items`` is the chats of a page, 100 at most."""
    return _Reader(min(settings.max_items or PAGE_SIZE, _LARGEST_PAGE))


class _Reader:
    def __init__(self, size: int) -> None:
        self._size = size

    def start(self, window: Window) -> Position:
        since = None if window.since is None else window.since.isoformat()
        return {
            "since": since,
            "until": window.until.isoformat(),
            "after": None,
            "chats": None,
            "alone": False,
            "told": False,
            "seen": 0,
            "fewest": None,
            "passed": 0,
            "edge": None,
            "again": 0,
        }

    def requests(self, position: Position) -> Sequence[Request]:
        if position["alone"]:
            return [
                request
                for chat in position["chats"]
                for request in (_chat_request(chat), _transcript_request(chat))
            ]
        query = {"limit": str(self._size), "sortBy": "createdAt", "sortDirection": "asc"}
        if position["after"] is not None:
            query["after"] = position["after"]
        listing = Request("GET", wire.CHAT_PATH, query=query)
        return [listing, *map(_transcript_request, position["chats"] or ())]

    def page(self, position: Position, exchanges: Sequence[Exchange]) -> Page:
        if position["alone"]:
            return _alone(position, exchanges)
        listing = _Listing(exchanges[0])
        if position["chats"] is None:
            return _listed(position, listing)
        return _read(position, listing, exchanges[1:])


def _listed(position: Position, listing: _Listing) -> Page:
    """The first step: which chats there are."""
    rows = [(chat["id"], chat.get("createdAt")) for chat in listing.chats]
    new, edge = beyond(position["edge"], rows, "Roark's list of chats")
    if again := set(range(len(rows))) - set(new):
        raise HistoryIncomplete(
            f"Roark's list of chats has chat {rows[min(again)][0]} a second time: {_AGAIN}"
        )
    chosen = [chat["id"] for chat in listing.chats if _is_inside(chat, position)]
    fewest = min(listing.total, position["fewest"] or listing.total)
    seen = position["seen"] + len(listing.chats)
    cursor = listing.cursor(position["after"])
    if cursor is None and seen < fewest:
        if position["again"] < _TRIES:  # list and total may be of two moments
            return Page(items=(), next={**position, "again": position["again"] + 1})
        raise HistoryIncomplete(
            f"Roark's list of chats ends after {seen}, though there are {fewest}: {_AGAIN}"
        )
    where: dict[str, Any] = {
        **position,
        "seen": seen,
        "fewest": fewest,
        "passed": position["passed"] + len(listing.chats) - len(chosen),
        "edge": edge,
        "again": 0,
        "cursor": cursor,
    }
    if chosen:
        return Page(items=(), next={**where, "chats": chosen}, total=listing.total)
    return Page(
        items=(),
        next=_following(where),
        total=listing.total,
        notes=_last_notes(where),
    )


def _read(position: Position, listing: _Listing, transcripts: Sequence[Exchange]) -> Page:
    """The second step: the chats with their transcripts."""
    chats = {chat["id"]: chat for chat in listing.chats}
    items: list[Item] = []
    missing = []
    for own, exchange in zip(position["chats"], transcripts, strict=True):
        if own in chats and exchange.status not in _GONE:
            items.append(_conversation(chats[own], exchange.json, own))
        else:
            missing.append(own)
    told = {**position, "told": True}
    return Page(
        items=tuple(items),
        next={**told, "chats": missing, "alone": True} if missing else _following(told),
        total=listing.total,
        notes=(
            *(() if position["told"] else (_NOT_READ,)),
            *(() if missing else _last_notes(position)),
        ),
    )


def _alone(position: Position, exchanges: Sequence[Exchange]) -> Page:
    """The third step: chats that the list has lost, or that have no transcript."""
    items: list[Item] = []
    notes = []
    for own, of_chat, of_transcript in zip(
        position["chats"], exchanges[::2], exchanges[1::2], strict=True
    ):
        if of_chat.status in _GONE:
            notes.append(f"chat {own} was deleted while the history was read")
            continue
        raw = as_object(of_chat.json, f"chat {own}")
        chat = as_object(raw.get("data"), f"chat {own}: data")
        if of_transcript.status in _GONE:
            notes.append(
                f"Roark has chat {own}, but no transcript of it: it comes without messages"
            )
            items.append(_conversation(chat, {}, own))
        else:
            items.append(_conversation(chat, of_transcript.json, own))
    return Page(
        items=tuple(items),
        next=_following(position),
        notes=(*notes, *_last_notes(position)),
    )


def _following(position: Position) -> Position | None:
    if position["cursor"] is None:
        return None
    where = {key: value for key, value in position.items() if key != "cursor"}
    return {**where, "after": position["cursor"], "chats": None, "alone": False}


def _last_notes(position: Position) -> tuple[str, ...]:
    if position["cursor"] is None and position["passed"]:
        return (f"{position['passed']} chats lie outside of the time that is read",)
    return ()


def _chat_request(chat: str) -> Request:
    return Request("GET", f"{wire.CHAT_PATH}/{quote(chat, safe='')}", may_be_gone=True)


def _transcript_request(chat: str) -> Request:
    path = f"{wire.CHAT_PATH}/{quote(chat, safe='')}/transcript"
    return Request("GET", path, may_be_gone=True)


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────


class _Listing:
    """One answer of ``GET /v1/chat``."""

    def __init__(self, exchange: Exchange) -> None:
        raw = as_object(exchange.json, "")
        paging = as_object(raw.get("pagination") or {}, "pagination")
        listed = as_list(raw.get("data"), "data")
        total = as_count(paging.get("total"), "pagination.total")
        if "data" not in raw or total is None:
            missing = "pagination.total" if "data" in raw else "data"
            raise HistoryIncomplete(
                f"Roark's list of chats has no {missing}, so it cannot be told whether all are there: "
                "is base_url Roark's?"
            )
        self.chats = [as_object(chat, f"data[{i}]") for i, chat in enumerate(listed)]
        for i, chat in enumerate(self.chats):
            as_text(chat.get("id"), f"data[{i}].id")
        self.total = total
        self._more = paging.get("hasMore")
        self._cursor = text_or_none(paging.get("nextCursor"), "pagination.nextCursor")

    def cursor(self, used: str | None) -> str | None:
        """Of the next page; ``None`` at the end."""
        if not isinstance(self._more, bool):
            raise HistoryIncomplete(
                f"Roark's list of chats does not say whether there are more (hasMore): {_AGAIN}"
            )
        if not self._more:
            return None
        if not self._cursor:
            raise HistoryIncomplete(
                f"Roark says that there are more chats, and gives no nextCursor to read them by: {_AGAIN}"
            )
        if self._cursor == used:
            raise HistoryIncomplete(
                f"Roark's list of chats gives the same nextCursor again, {used!r}: {_AGAIN}"
            )
        if not self.chats:
            raise HistoryIncomplete(
                f"Roark gave a page without chats, and says that there are more: {_AGAIN}"
            )
        return self._cursor


def _time(chat: Mapping[str, Any], key: str, path: str) -> dt.datetime | None:
    try:
        return parse_time(chat.get(key))
    except ValueError as error:
        raise InputError(str(error), path=join(path, key)) from None


def _is_inside(chat: Mapping[str, Any], position: Position) -> bool:
    place = f"chat {chat['id']}"
    began = _time(chat, "startTimestamp", place) or _time(chat, "createdAt", place)
    since, until = position["since"], dt.datetime.fromisoformat(position["until"])
    return began is None or (
        began < until and (since is None or began >= dt.datetime.fromisoformat(since))
    )


def _conversation(chat: Mapping[str, Any], transcript: Any, own: str) -> Item:
    try:
        (item,) = _decode({"chat": chat, "transcript": as_object(transcript, "transcript")})
    except InputError as error:
        raise InputError(error.reason, path=f"chat {own}: {error.path}") from None
    return item
