"""`read`: records of any format in files and streams, as canonical items."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from llmtee.bulk._decoders import AUTO, Choice, Detection, choice, placed
from llmtee.bulk._identity import Repetitions
from llmtee.bulk._records import Raw, records
from llmtee.bulk._source import Place, Source, name_of, open_lines, places
from llmtee.bulk._traces import OpenTraces
from llmtee.errors import InputError
from llmtee.model import Item
from llmtee.model.snapshot import taken


def read(
    source: Source,
    format: str = AUTO,  # noqa: A002 - the name that users type
    *,
    on_error: Callable[[InputError], None] | None = None,
    on_detect: Callable[[Detection], None] | None = None,
) -> Iterator[Item]:
    """The events and conversations in files and streams, lazily, in order.

    Args:
        source: a path, an open stream (text or binary), ``"-"`` for stdin, or a list of these. JSON Lines, or a
            JSON document that is one record or a list of them; UTF-8, plain or gzipped. Blank lines are skipped.
        format: name of a format or of a vendor; ``"auto"`` tells the format of each record by its content, so
            that one file may hold several formats, and refuses to guess.
        on_error: called with what cannot be read, and reading goes on: with the next record, or after an
            unreadable file with the next file. Without it the first error is raised.
        on_detect: called with what ``"auto"`` chose and why, once for each format in each source, before the
            first item of that format.

    Returns:
        An iterator. Records without an id get the same id whenever the same source is read; equal ones in one
        source get different ones. What tracers wrote of one trace is joined, whichever records, files or batches
        it stands in: such events come at the end, or earlier where more than 100,000 spans and the like would
        have to wait (those that come too late for their trace are flagged ``trace_split``).

    Raises:
        UnknownName: nobody has registered the format (at once).
        InputError: something cannot be read (while iterating); it names source, line and JSON path.
    """
    return _items(places(source), choice(format), on_error or _raise, on_detect)


def _raise(error: InputError) -> None:
    raise error


def _items(
    sources: list[Place],
    choose: Choice,
    on_error: Callable[[InputError], None],
    on_detect: Callable[[Detection], None] | None,
) -> Iterator[Item]:
    traces = OpenTraces()
    for place in sources:
        name = name_of(place)
        repetitions = Repetitions()
        told: set[str] = set()
        for raw in _raws(place, name):
            if isinstance(raw, InputError):
                on_error(raw)
                continue
            try:
                how, found = choose(raw.value)
                parts = how.traces.split(raw.value) if how.traces else []
                items = [] if how.traces else how.decode(taken(raw.value))
            except InputError as error:
                on_error(raw.error(error, name))
                continue
            if found is not None and on_detect is not None and found.format not in told:
                told.add(found.format)
                on_detect(placed(found, name, raw.line))
            if how.traces:
                items = list(traces.add(how.traces, parts))
            for item in items:
                yield repetitions.told_apart(item, raw.value, single=how.single)
    yield from traces.rest()


def _raws(place: Place, name: str) -> Iterator[Raw | InputError]:
    try:
        with open_lines(place) as lines:
            yield from records(lines, name)
    except InputError as error:  # the rest of this source cannot be read
        yield error
