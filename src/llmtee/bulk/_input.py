"""Opens one source after another and says how its records are read."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from llmtee.bulk._records import Raw, records
from llmtee.bulk._source import Opened, Place, files_of, name_of, opened
from llmtee.bulk.tables import TableMapping, choice_by, rows_of, table_kind
from llmtee.decoders import Choice
from llmtee.errors import InputError

_log = logging.getLogger("llmtee.bulk")


@dataclass(frozen=True, slots=True)
class Reading:
    """How the records of some sources are read."""

    choose: Choice
    """By its content or by the format that was named."""
    format: str | None
    """That was named."""
    mapping: TableMapping | None
    """Of the columns of tables."""


@dataclass(frozen=True, slots=True)
class Input:
    """One source, open."""

    name: str
    records: Iterator[Raw | InputError]
    choose: Choice
    """What reads each of its records."""


def opened_inputs(places: Iterable[Place], reading: Reading) -> Iterator[Input | InputError]:
    """The sources, one after another, each open until the next is asked for; the error of one that cannot be read.

    Raises:
        UsageError: see `llmtee.read`.
    """
    for place in places:
        try:
            files, passed = files_of(place)
        except InputError as error:
            yield error
            continue
        if passed:
            _log.info("%s: passed over %s", name_of(place), ", ".join(passed))
        for file in files:
            try:
                with opened(file) as stream, _input(stream, reading) as source:
                    yield source
            except InputError as error:
                yield error


@contextmanager
def _input(stream: Opened, reading: Reading) -> Iterator[Input]:
    kind = table_kind(stream, reading.mapping)
    mapping = reading.mapping
    if kind is None:
        found = records(stream)
        # A mapping that is proposed for each table has nothing to say of objects in JSON.
        mapped = mapping is not None and bool(mapping.columns)
        choose = choice_by(mapping, reading.format) if mapping and mapped else reading.choose
        yield Input(stream.label, _guarded(found), choose)
        return
    with rows_of(stream, kind, mapping, reading.choose, reading.format) as rows:
        yield Input(stream.label, _guarded(rows.records), rows.choose)


def _guarded(found: Iterator[Raw | InputError]) -> Iterator[Raw | InputError]:
    """The records, and in the end the error because of which the rest of the source cannot be read."""
    try:
        yield from found
    except InputError as error:
        yield error
