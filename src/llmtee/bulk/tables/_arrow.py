"""Parquet and Arrow IPC, a record batch at a time. Needs the extra ``frames``."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from tempfile import TemporaryFile
from typing import IO, Any, TypeAlias

from llmtee.bulk._records import Raw
from llmtee.bulk._source import Opened
from llmtee.bulk.tables._table import Table
from llmtee.errors import InputError, UsageError
from llmtee.frames import schema_name

_MOST_ROWS = 1024
_BATCH = 1 << 23
"""Bytes of a batch, about."""
_BUFFER = 1 << 20


def _pyarrow() -> Any:
    return import_module("pyarrow")


@contextmanager
def arrow_table(stream: Opened, kind: str) -> Iterator[Table]:
    """The table in a file or stream: ``parquet``, ``arrow-file`` or ``arrow-stream``.

    Raises:
        InputError: it cannot be read.
        UsageError: the extra is not installed.
    """
    try:
        pa = _pyarrow()
    except ModuleNotFoundError:
        raise UsageError(
            f"{stream.label} is a table in Parquet or Arrow, which needs: pip install 'llmtee[frames]'"
        ) from None
    try:
        with _seekable(stream, kind) as file:
            schema, batches = _OPENERS[kind](file, stream.label)
            yield _table(schema, batches, stream.label)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"cannot be read as {_TITLES[kind]}: {error}", source=stream.label
        ) from None


_TITLES = {"parquet": "Parquet", "arrow-file": "an Arrow file", "arrow-stream": "an Arrow stream"}


@contextmanager
def _seekable(stream: Opened, kind: str) -> Iterator[IO[bytes]]:
    """What Parquet and Arrow files need: they begin with their end."""
    if kind == "arrow-stream":
        yield stream
    elif stream.file is not None:
        stream.file.seek(0)
        yield stream.file
    else:
        with TemporaryFile() as copy:
            shutil.copyfileobj(stream, copy)
            copy.seek(0)
            yield copy


Batches: TypeAlias = Iterator[tuple[int, Any]]
"""Record batches, or the error in the place of one, each with the number of rows before it."""


def _parquet(file: Any, name: str) -> tuple[Any, Batches]:
    pa, pq = _pyarrow(), import_module("pyarrow.parquet")

    # Column by column through a small buffer: a row group may be larger than memory.
    parquet = pq.ParquetFile(pa.PythonFile(file, "r"), buffer_size=_BUFFER, pre_buffer=False)

    def batches() -> Batches:
        before = 0
        for index in range(parquet.num_row_groups):
            group = parquet.metadata.row_group(index)
            rows = max(1, group.num_rows)
            size = max(1, min(_MOST_ROWS, _BATCH * rows // max(1, group.total_byte_size)))
            done = before
            try:
                for batch in parquet.iter_batches(batch_size=size, row_groups=[index]):
                    yield done, batch
                    done += batch.num_rows
            except (pa.ArrowException, OSError) as error:
                end = before + group.num_rows
                yield done, _broken(error, f"rows {done + 1:,} to {end:,}", name, done + 1)
            before += group.num_rows

    return parquet.schema_arrow, batches()


def _arrow_file(file: Any, name: str) -> tuple[Any, Batches]:
    pa = _pyarrow()

    reader = pa.ipc.open_file(pa.PythonFile(file, "r"))

    def batches() -> Batches:
        before = 0
        for index in range(reader.num_record_batches):
            try:
                batch = reader.get_batch(index)
            except (pa.ArrowException, OSError) as error:
                what = f"record batch {index + 1} of {reader.num_record_batches}"
                yield before, _broken(error, what, name, before + 1)
                continue
            yield before, batch
            before += batch.num_rows

    return reader.schema, batches()


def _arrow_stream(file: Any, name: str) -> tuple[Any, Batches]:
    pa = _pyarrow()

    reader = pa.ipc.open_stream(pa.PythonFile(file, "r"))

    def batches() -> Batches:
        before = 0
        while True:
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
            except (pa.ArrowException, OSError) as error:
                yield before, _broken(error, f"what comes after row {before:,}", name, before + 1)
                return
            yield before, batch
            before += batch.num_rows

    return reader.schema, batches()


_OPENERS: dict[str, Callable[[Any, str], tuple[Any, Batches]]] = {
    "parquet": _parquet,
    "arrow-file": _arrow_file,
    "arrow-stream": _arrow_stream,
}


def _broken(error: Exception, what: str, name: str, row: int) -> InputError:
    return InputError(f"{what} cannot be read: {error}", source=name, line=row)


def _table(schema: Any, batches: Batches, name: str) -> Table:
    return Table(
        list(schema.names),
        _rows(batches, name),
        typed=True,
        naive=_naive(schema),
        schema=schema_name(schema),
    )


def _naive(schema: Any) -> list[str]:
    pa = _pyarrow()

    return [
        one.name
        for one in schema
        if pa.types.is_date(one.type) or (pa.types.is_timestamp(one.type) and one.type.tz is None)
    ]


def _rows(batches: Batches, name: str) -> Iterator[Raw | InputError]:
    ordinal = 0
    for before, batch in batches:
        if isinstance(batch, InputError):
            yield batch
            ordinal += 1
            continue
        size = batch.nbytes // max(1, batch.num_rows)
        for start in range(0, batch.num_rows, _MOST_ROWS):
            piece = batch.slice(start, _MOST_ROWS)
            for i, row in enumerate(_values(piece), before + start + 1):
                if isinstance(row, Exception):
                    yield InputError(f"the row cannot be read: {row}", source=name, line=i)
                else:
                    yield Raw(row, i, "", name, ordinal, size)
                ordinal += 1


def _values(batch: Any) -> Iterator[dict[str, Any] | Exception]:
    """The rows; where one is damaged, the error in its place."""
    pa = _pyarrow()
    try:
        batch.validate(full=True)  # or what is damaged would crash the process
        yield from _in_microseconds(batch).to_pylist()
    except (pa.ArrowException, ValueError) as error:
        if batch.num_rows == 1:
            yield error
            return
        for i in range(batch.num_rows):
            yield from _values(batch.slice(i, 1))


def _in_microseconds(batch: Any) -> Any:
    """The batch with times as exact as Python's: nanoseconds are cut."""
    pa = _pyarrow()

    for i, one in enumerate(batch.schema):
        if pa.types.is_timestamp(one.type) and one.type.unit == "ns":
            kind = pa.timestamp("us", one.type.tz)
        elif pa.types.is_duration(one.type) and one.type.unit == "ns":
            kind = pa.duration("us")
        else:
            continue
        batch = batch.set_column(i, one.name, batch.column(i).cast(kind, safe=False))
    return batch
