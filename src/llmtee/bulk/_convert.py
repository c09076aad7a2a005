"""`convert`: files of one shape to a file of another. No network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from llmtee.bulk._read import read
from llmtee.bulk._sink import Destination, open_sink
from llmtee.bulk._source import Source
from llmtee.bulk._target import Skipped, Written, target_of
from llmtee.bulk.tables.mapping import Given
from llmtee.decoders import AUTO, Detection
from llmtee.errors import InputError, LlmteeError
from llmtee.privacy import Predicate, Redaction
from llmtee.spec import ExporterSettings

T = TypeVar("T")

MAX_ERRORS = 100
"""How many errors a report holds; all are counted."""


@dataclass(frozen=True)
class Report:
    """What a conversion did."""

    read: int
    """Events and conversations that were read."""
    written: int
    """Events or conversations that were written: of the target's own grain, so not always as many as were read."""
    records: int
    """Lines, or entries of the list, that hold them."""
    failed: int
    """Records that could not be read, and items that have no valid shape at the target."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Items that the target has no place for, by reason."""
    errors: tuple[LlmteeError, ...] = ()
    """The first of the errors that ``failed`` counts."""
    detected: tuple[Detection, ...] = ()
    """What ``"auto"`` chose and why, once for each format in each source."""


def convert(
    src: Source,
    dst: Destination,
    *,
    source: str = AUTO,
    mapping: Given = None,
    target: str | ExporterSettings,
    where: Predicate | None = None,
    sample: float = 1.0,
    redact: Redaction | None = None,
    carry: bool = False,
    on_error: Callable[[LlmteeError], None] | None = None,
    on_detect: Callable[[Detection], None] | None = None,
    indent: int | None = None,
) -> Report:
    """Reads records and writes them in another shape.

    Args:
        src: what to read, as `read` takes it.
        dst: a path, an open stream, or ``"-"`` for stdout. A file appears when it is complete.
        source: format or vendor of ``src``, or ``"auto"``.
        mapping: which columns of a table fill which fields, as `read` takes it.
        target: a vendor's name or settings: each record is then the body of one request as it would be posted, with
            ``prepare``'s part of it left out. Or a format that can be written, or ``"llmtee"``.
        where: which events or conversations are written, such as ``Where(agents=("support",))``; the others count
            as skipped. For a vendor given by settings, this and the next three stand there.
        sample: the share of sessions that is written; what failed always is.
        redact: what is taken out of them.
        carry: whether what the vendor's fields cannot say is parked in its free-form field.
        on_error: called with each error, as it comes.
        on_detect: called with what ``"auto"`` chose and why, once for each format in each source.
        indent: spaces to indent by; JSON Lines without.

    Returns:
        The counts. Bad records do not stop the good ones. For a vendor that takes conversations the events are
        assembled by session, for which all of them have to fit into memory.

    Raises:
        UsageError: the source's or the target's name is unknown, ``dst`` cannot be written, or a table has no
            mapping that works.
        ConfigError: the vendor's settings are invalid.
        InputError: a file cannot be read at all, and there is no ``on_error`` to tell.
    """
    tally = _Tally(on_error, on_detect)
    render = target_of(target, where=where, sample=sample, redact=redact, carry=carry)
    items = read(src, source, mapping=mapping, on_error=tally.failed, on_detect=tally.told)
    with open_sink(dst, indent) as write:
        for outcome in render(tally.counted(items)):
            if isinstance(outcome, Written):
                write(outcome.value)
                tally.written += outcome.items
                tally.records += 1
            elif isinstance(outcome, Skipped):
                tally.skipped[outcome.reason] += 1
            else:
                tally.failed(outcome)
    return tally.report()


class _Tally:
    """Counts for a `Report`."""

    def __init__(
        self,
        on_error: Callable[[LlmteeError], None] | None,
        on_detect: Callable[[Detection], None] | None,
    ) -> None:
        self._on_error, self._on_detect = on_error, on_detect
        self._detected: list[Detection] = []
        self._read = self._failed = self.written = self.records = 0
        self.skipped: Counter[str] = Counter()
        self._errors: list[LlmteeError] = []

    def counted(self, items: Iterable[T]) -> Iterator[T]:
        for item in items:
            self._read += 1
            yield item

    def failed(self, error: LlmteeError) -> None:
        self._failed += 1
        if len(self._errors) < MAX_ERRORS:
            self._errors.append(error)
        if self._on_error is not None:
            self._on_error(error)
        elif isinstance(error, InputError) and error.line is None and error.path is None:
            raise error  # not a record but a whole file: nothing of it would be in the output

    def told(self, found: Detection) -> None:
        self._detected.append(found)
        if self._on_detect is not None:
            self._on_detect(found)

    def report(self) -> Report:
        return Report(
            read=self._read,
            written=self.written,
            records=self.records,
            failed=self._failed,
            skipped=dict(self.skipped),
            errors=tuple(self._errors),
            detected=tuple(self._detected),
        )
