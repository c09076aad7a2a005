"""`read`, of everything that can be read: files and streams, a vendor's history, an event log."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any, overload

from llmtee.bulk import _read
from llmtee.bulk._source import Source
from llmtee.bulk.tables.mapping import Given
from llmtee.decoders import AUTO, Detection
from llmtee.delivery.history import pages
from llmtee.delivery.recorded import EventLog
from llmtee.errors import InputError, UsageError
from llmtee.model import Item, Supplement
from llmtee.model.times import parse_time
from llmtee.spec import ExporterSettings, Page, Window

logger = logging.getLogger("llmtee")

Time = dt.datetime | str


@overload
def read(
    source: Source,
    format: str = ...,
    *,
    mapping: Given = ...,
    on_error: Callable[[InputError], None] | None = ...,
    on_detect: Callable[[Detection], None] | None = ...,
) -> Iterator[Item]: ...


@overload
def read(
    source: ExporterSettings | EventLog,
    *,
    since: Time | None = ...,
    until: Time | None = ...,
    on_note: Callable[[str], None] | None = ...,
) -> Iterator[Item | Supplement]: ...


def read(
    source: Source | ExporterSettings | EventLog,
    format: str = AUTO,  # noqa: A002 - the name that users type
    *,
    since: Time | None = None,
    until: Time | None = None,
    on_note: Callable[[str], None] | None = None,
    mapping: Given = None,
    on_error: Callable[[InputError], None] | None = None,
    on_detect: Callable[[Detection], None] | None = None,
) -> Iterator[Any]:
    """What was logged, lazily, as canonical items.

    ``read(HoneyHive(project="Simple RAG"), since="2026-01-01")`` reads a vendor's history over the network, with the
    key from the environment. ``read(EventLog(dir))`` reads what llmtee itself recorded. All else is files: a path, a
    folder, a glob such as ``"logs/**/*.jsonl.gz"``, an open stream, ``"-"`` for stdin, or a list of these; JSON Lines,
    JSON, CSV, Parquet or Arrow IPC, text in UTF-8, plain or packed by gzip or zstd.

    Args:
        source: an exporter to a vendor that can be read back, an `EventLog`, or files.
        format: of files; the name of a format or of a vendor, or ``"auto"``.
        since: of a history: only what began at this time or later; ISO 8601 or a ``datetime``, UTC where it has no
            zone.
        until: of a history: only what began before this time; now by default.
        on_note: of a history: told what a user should know, such as what the vendor no longer has; logged by default.
        mapping: of files: which columns of a table fill which fields, as a dictionary or the path of a TOML file, or
            ``"auto"``; see ``docs/tables.md``.
        on_error: of files: called with what cannot be read, and reading goes on; without it the first error is raised.
        on_detect: of files: called with what ``"auto"`` chose and why, once for each format in each source.

    Returns:
        An iterator: events and conversations, and from histories supplements such as ratings too. Close it when it is
        left half-way. Records of files without an id get the same id whenever the same file is read. What tracers
        wrote of one trace is joined, and comes at the end, or when more than 100,000 spans would have to wait.

    Raises:
        UnknownName: nobody has registered the format (at once).
        UsageError: ``since`` or ``until`` with files, or something of files with a history; a table has no mapping, or
            one that cannot work: the error proposes one.
        InputError: something cannot be read (while iterating).
        ConfigError: the vendor's key is missing.
        HistoryIncomplete: the vendor has no history to read, or what it gives does not add up.
        ApiError: the vendor does not answer.
        EventLogError: the event log cannot be read.
    """
    if isinstance(source, ExporterSettings | EventLog):
        of_files = {"mapping": mapping, "on_error": on_error, "on_detect": on_detect}
        names = [name for name, value in of_files.items() if value is not None]
        if format != AUTO or names:
            names = [*(["format"] if format != AUTO else []), *names]
            raise UsageError(
                f"{', '.join(names)}: only files take that, a history has its own shape"
            )
        window = window_of(since, until)
        found = source.pages(window) if isinstance(source, EventLog) else pages(source, window)
        return _items(found, on_note or logger.warning)
    if since is not None or until is not None or on_note is not None:
        raise UsageError("since, until and on_note are for a vendor's history and an event log")
    return _read.read(source, format, mapping=mapping, on_error=on_error, on_detect=on_detect)


def window_of(since: Time | None, until: Time | None) -> Window:
    """The window from one time to another, or to now.

    Raises:
        UsageError: one of the two is no time, or the end is before the beginning.
    """
    begin, end = _time("since", since), _time("until", until)
    end = end or dt.datetime.now(dt.UTC)
    if begin is not None and begin > end:
        raise UsageError(f"since {begin.isoformat()} is after until {end.isoformat()}")
    return Window(since=begin, until=end)


def _time(name: str, value: Time | None) -> dt.datetime | None:
    try:
        return parse_time(value)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


def _items(found: Any, tell: Callable[[str], None]) -> Iterator[Item | Supplement]:
    with closing(found):
        some: Iterable[Page] = found
        for page in some:
            for note in page.notes:
                tell(note)
            yield from page.items
