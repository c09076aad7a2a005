"""Opens one source after another and says how its records are read."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from llmtee.bulk._records import Raw, records
from llmtee.bulk._source import Opened, Place, files_of, name_of, opened
from llmtee.bulk.tables import TableMapping, choice_by, rows_of, table_kind
from llmtee.decoders import AUTO, Choice, choice
from llmtee.errors import InputError

_log = logging.getLogger("llmtee.bulk")


@dataclass(frozen=True, slots=True)
class Reading:
    """How the records of some sources are read; see `reading_of`."""

    choose: Choice
    """By its content or by the format that was named."""
    format: str | None
    """That was named."""
    mapping: TableMapping | None
    """Of the columns of tables."""


def reading_of(format_name: str, mapping: TableMapping | None) -> Reading:
    """How records of a format, or of any with ``auto``, are read.

    Raises:
        UnknownName: nobody has registered the format.
    """
    return Reading(choice(format_name), None if format_name == AUTO else format_name, mapping)


@dataclass(frozen=True, slots=True)
class Input:
    """One source, open."""

    name: str
    records: Iterator[Raw | InputError]
    choose: Choice
    """What reads each of its records."""


def files_in(places: Iterable[Place]) -> Iterator[Place | InputError]:
    """The files and streams that places mean, in order; the error of a place that means none."""
    for place in places:
        try:
            files, passed = files_of(place)
        except InputError as error:
            yield error
            continue
        if passed:
            _log.info("%s: passed over %s", name_of(place), ", ".join(passed))
        yield from files


def opened_inputs(places: Iterable[Place], reading: Reading) -> Iterator[Input | InputError]:
    """The sources, one after another, each open until the next is asked for; the error of one that cannot be read.

    Raises:
        UsageError: see `llmtee.read`.
    """
    for file in files_in(places):
        if isinstance(file, InputError):
            yield file
            continue
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
        yield Input(stream.label, _guarded(records(stream)), of_objects(reading))
        return
    with rows_of(stream, kind, mapping, reading.choose, reading.format) as rows:
        yield Input(stream.label, _guarded(rows.records), rows.choose)


def of_objects(reading: Reading) -> Choice:
    """What reads objects in JSON: by the mapping where one was given. One that is proposed for each table says nothing."""
    mapping = reading.mapping
    if mapping is None or not mapping.columns:
        return reading.choose
    return choice_by(mapping, reading.format)


def _guarded(found: Iterator[Raw | InputError]) -> Iterator[Raw | InputError]:
    """The records, and in the end the error because of which the rest of the source cannot be read."""
    try:
        yield from found
    except InputError as error:
        yield error
