"""`read`: records of any format in files and streams, as canonical items."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from llmtee.bulk._decoders import AUTO, Decoder, decoder
from llmtee.bulk._identity import Repetitions
from llmtee.bulk._records import Raw, records
from llmtee.bulk._source import Place, Source, name_of, open_lines, places
from llmtee.errors import InputError
from llmtee.model import Item


def read(
    source: Source,
    format: str = AUTO,  # noqa: A002 - the name that users type
    *,
    on_error: Callable[[InputError], None] | None = None,
) -> Iterator[Item]:
    """The events and conversations in files and streams, lazily, in order.

    Args:
        source: a path, an open stream (text or binary), ``"-"`` for stdin, or a list of these. JSON Lines, or a
            JSON document that is one record or a list of them; UTF-8, plain or gzipped. Blank lines are skipped.
        format: name of a format or of a vendor; ``"auto"`` tells the format of each record by its shape, and
            refuses to guess.
        on_error: called with what cannot be read, and reading goes on: with the next record, or after an
            unreadable file with the next file. Without it the first error is raised.

    Returns:
        An iterator. Records without an id get the same id whenever the same source is read; equal ones in one
        source get different ones.

    Raises:
        UnknownName: nobody has registered the format (at once).
        InputError: something cannot be read (while iterating); it names source, line and JSON path.
    """
    return _items(places(source), decoder(format), on_error or _raise)


def _raise(error: InputError) -> None:
    raise error


def _items(
    sources: list[Place], how: Decoder, on_error: Callable[[InputError], None]
) -> Iterator[Item]:
    for place in sources:
        name = name_of(place)
        repetitions = Repetitions(single=how.single)
        for raw in _raws(place, name):
            if isinstance(raw, InputError):
                on_error(raw)
                continue
            try:
                items = how.decode(raw.value)
            except InputError as error:
                on_error(raw.error(error, name))
                continue
            yield from (repetitions.told_apart(item, raw.value) for item in items)


def _raws(place: Place, name: str) -> Iterator[Raw | InputError]:
    try:
        with open_lines(place) as lines:
            yield from records(lines, name)
    except InputError as error:  # the rest of this source cannot be read
        yield error
