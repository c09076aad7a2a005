"""An event log as a source of history: all that it holds, in order, without becoming its deliverer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from llmtee import config, jsontext
from llmtee.delivery.decode import decode, decode_by_registry
from llmtee.errors import HistoryIncomplete
from llmtee.eventlog import SUPPLEMENT, Entry, Record
from llmtee.eventlog.looking import Look
from llmtee.model import Item, Supplement, SupplementBase, load_supplement
from llmtee.spec import Page, Position, Window

_PAGE: Final = 500
_JOURNAL_RECORDS: Final = 50_000
"""Of the journal, which is read in one page."""
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True, init=False)
class EventLog:
    """What llmtee has recorded in a directory: ``llmtee.read(EventLog("/var/lib/myapp/llmtee"))``.

    It is only looked at: whoever records there or delivers from there goes on undisturbed. Records of any format are
    read as they are before they are delivered, those included that no process has taken out of the journal yet.

    Args:
        dir: the directory; else ``LLMTEE_DIR``, else the settings file, else ``./.llmtee``.
    """

    directory: Path

    def __init__(self, dir: str | Path | None = None) -> None:  # noqa: A002 - as ``Tee`` has it
        object.__setattr__(self, "directory", config.event_log_dir(dir))

    def pages(
        self, window: Window | None = None, *, position: Position | None = None
    ) -> Generator[Page, None, None]:
        """All that was recorded, in the order in which it was taken in.

        Args:
            window: events by the time at which they began, or else were recorded; and what was recorded before
                ``until``. Everything until now by default.
            position: the ``next`` of an earlier page of the same window, with which reading goes on.

        Raises:
            UsageError: the directory holds no event log.
            EventLogError: it cannot be read, or a newer llmtee wrote it.
            HistoryIncomplete: it is another log than the one of the position.
        """
        window = window or Window(until=dt.datetime.now(dt.UTC))
        look = Look(self.directory)
        try:
            yield from _pages(look, window, position)
        finally:
            look.close()


def _pages(look: Look, window: Window, position: Position | None) -> Generator[Page, None, None]:
    identity, (total, deleted) = look.identity, look.counts()
    after = 0
    notes: tuple[str, ...] = ()
    if position is not None:
        after = int(position["after"])
        if position["log"] not in (None, identity):
            raise HistoryIncomplete(
                f"{look.directory} holds another event log than before: begin again, without the position"
            )
    elif deleted:
        notes = (
            f"{deleted:,} older events are gone: the log deletes what is delivered, see `Retention`",
        )
    while True:
        entries = look.entries(after, _PAGE)
        if not entries:
            waiting = look.journal(_JOURNAL_RECORDS)
            # What somebody took in while the journal was read is in the table by now, and perhaps in neither.
            entries = look.entries(after, _PAGE)
            if not any(_before(seen.entry.recorded_at, window) for seen in entries):
                break
        after = entries[-1].number
        following = {"log": identity, "after": after}
        yield _page([seen.entry for seen in entries], window, following, total, notes)
        notes = ()
    decoded = {entry.id: entry for record in waiting for entry in decode(record)}
    known = look.known(list(decoded), after)  # recorded once more, under the same id
    late = [entry for entry in decoded.values() if entry.id not in known]
    yield _page(late, window, None, total + len(late), notes)


def _page(
    entries: Sequence[Entry],
    window: Window,
    following: Position | None,
    total: int,
    notes: tuple[str, ...],
) -> Page:
    items: list[Item | Supplement] = []
    unreadable: list[str] = []
    ended: list[str] = []
    for entry in entries:
        if not _before(entry.recorded_at, window):
            continue
        if entry.kind == "end":
            ended.append(entry.session)
            continue
        try:
            found = _read(entry)
        except Exception as error:  # noqa: BLE001 - formats may be third-party, and records may be anything
            unreadable.append(f"{entry.id}: {error}")
            continue
        items += [item for item in found if _inside(item, entry, window)]
    if unreadable:
        some = "; ".join(unreadable[:_SHOWN]) + ("; …" if len(unreadable) > _SHOWN else "")
        notes = (*notes, f"{len(unreadable):,} records cannot be read: {some}")
    return Page(items=tuple(items), next=following, total=total, notes=notes, ended=tuple(ended))


def _read(entry: Entry) -> Sequence[Item | Supplement]:
    """What an entry says. One that could not be decoded is tried once more: its format may be installed by now."""
    if entry.format == SUPPLEMENT:
        return [load_supplement(jsontext.loads(entry.payload))]
    if entry.event is not None:
        return [entry.event]
    if entry.kind == "event":
        return decode_by_registry(entry.format, jsontext.loads(entry.payload))
    record = Record(entry.id, entry.format, entry.payload, entry.recorded_at)
    found = decode(record)
    for again in found:
        if again.event is None:
            raise ValueError(again.error)
    return [again.event for again in found if again.event is not None]


def _before(recorded_at: float, window: Window) -> bool:
    return recorded_at < window.until.timestamp()


def _inside(item: Item | Supplement, entry: Entry, window: Window) -> bool:
    began = None if isinstance(item, SupplementBase) else item.started_at
    at = entry.recorded_at if began is None else began.timestamp()
    return (window.since is None or at >= window.since.timestamp()) and _before(at, window)
