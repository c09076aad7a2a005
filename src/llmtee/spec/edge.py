"""For readers of lists that are sorted by time: how far they have come, in a few words of a position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtee.errors import HistoryIncomplete, InputError
from llmtee.model.times import parse_time

Edge = Mapping[str, Any]
"""``at``: the newest time that was listed, as it was written; ``ids``: what is listed with that very time."""


def beyond(
    edge: Edge | None, rows: Sequence[tuple[str, Any]], what: str
) -> tuple[list[int], Edge | None]:
    """Which rows of a page are new, and the edge behind it.

    Args:
        edge: before the page; ``None`` at the start.
        rows: id and time of each, the oldest first.
        what: the list holds, for people: ``Roark's list of chats``.

    Raises:
        HistoryIncomplete: the rows are not in the order of their times, so that nobody can tell what was read.
        InputError: a time is missing, or is none.
    """
    at, ids = (None, []) if edge is None else (edge["at"], list(edge["ids"]))
    latest, new = parse_time(at), []
    for i, (own, text) in enumerate(rows):
        try:
            time = parse_time(text)
        except ValueError as error:
            raise InputError(str(error), path=f"[{i}], {own}") from None
        if time is None:
            raise InputError(f"has no time, by which {what} is sorted", path=f"[{i}], {own}")
        if latest is not None and time < latest:
            raise HistoryIncomplete(
                f"{what} is not sorted by time, as was asked for: {own} comes behind a newer one, so it "
                "cannot be told what was read: try again later, or ask the vendor"
            )
        if time != latest:
            latest, ids, at = time, [], text
        if own not in ids:
            new.append(i)
            ids.append(own)
    return new, None if at is None else {"at": at, "ids": ids}
