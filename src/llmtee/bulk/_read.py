"""`read`: records of any format in files and streams, as canonical items."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from llmtee.bulk._identity import Repetitions, claim, renamed
from llmtee.bulk._input import Reading, opened_inputs, reading_of
from llmtee.bulk._source import Place, Source, places
from llmtee.bulk._traces import OpenTraces
from llmtee.bulk.tables import mapping_of
from llmtee.bulk.tables.mapping import Given
from llmtee.decoders import AUTO, Choice, Detection, placed
from llmtee.errors import InputError
from llmtee.model import Item


def read(
    source: Source,
    format: str = AUTO,  # noqa: A002 - the name that users type
    *,
    mapping: Given = None,
    on_error: Callable[[InputError], None] | None = None,
    on_detect: Callable[[Detection], None] | None = None,
) -> Iterator[Item]:
    """The events and conversations in files and streams, lazily, in order.

    Args:
        source: a path, a folder, a glob such as ``"logs/**/*.jsonl.gz"``, an open stream (text or binary), ``"-"``
            for stdin, or a list of these. JSON Lines, JSON documents that are one record or a list of them, CSV,
            Parquet or Arrow IPC; text in UTF-8, plain or packed by gzip or zstd: told by content. Of a folder, all
            files below it that have a known suffix, in the order of their paths. Blank lines are skipped.
        format: name of a format or of a vendor; ``"auto"`` tells the format of each record by its content, so
            that one file may hold several formats, and refuses to guess.
        mapping: which columns of a table fill which fields, as a dictionary or the path of a TOML file; see
            ``docs/tables.md``. ``"auto"`` takes what the names of the columns suggest. Objects in JSON are rows, too,
            where a mapping is given.
        on_error: called with what cannot be read, and reading goes on: with the next record, or after an
            unreadable file with the next file. Without it the first error is raised.
        on_detect: called with what ``"auto"`` chose and why, once for each format in each source, before the
            first item of that format.

    Returns:
        An iterator. Records without an id get the same id whenever the same source is read; equal ones in one
        source get different ones. What tracers wrote of one trace is joined, whichever records, files or batches
        it stands in: such events come at the end, or earlier where more than 100,000 spans and the like would
        have to wait (those that come too late for their trace are flagged ``trace_split``). Rows that hold one
        message each are joined to conversations in the same way.

    Raises:
        UnknownName: nobody has registered the format (at once).
        UsageError: the mapping cannot work (at once, or when a table has no such column); a table needs a mapping,
            and there is none: the error proposes one; or an extra is not installed.
        InputError: something cannot be read (while iterating); it names source, line and JSON path or column.
    """
    reading = reading_of(format, mapping_of(mapping))
    return _items(places(source), reading, on_error or _raise, on_detect)


def _raise(error: InputError) -> None:
    raise error


def _items(
    sources: list[Place],
    reading: Reading,
    on_error: Callable[[InputError], None],
    on_detect: Callable[[Detection], None] | None,
) -> Iterator[Item]:
    traces = OpenTraces()
    for source in opened_inputs(sources, reading):
        if isinstance(source, InputError):
            on_error(source)
            continue
        repetitions = Repetitions()
        told: set[str] = set()
        choose: Choice = source.choose
        for raw in source.records:
            if isinstance(raw, InputError):
                on_error(raw)
                continue
            try:
                how, found = choose(raw.value)
                parts = how.traces.split(raw.value) if how.traces else []
                items = [] if how.traces else how.decode(raw.value)
            except InputError as error:
                on_error(raw.error(error))
                continue
            if found is not None and on_detect is not None and found.format not in told:
                told.add(found.format)
                on_detect(placed(found, raw.source, raw.line))
            if how.traces:
                items = list(traces.add(how.traces, parts))
            for item in items:
                claimed = claim(item, raw.value, single=how.single)
                yield renamed(item, repetitions.ordinal(claimed))
    yield from traces.rest()
