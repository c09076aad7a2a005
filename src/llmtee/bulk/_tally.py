"""What a conversion counts and tells: its report, its progress, and the file of errors."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from llmtee import jsontext
from llmtee.bulk._work import Failure, Result
from llmtee.decoders import Detection
from llmtee.errors import InputError, LlmteeError, UsageError

MAX_ERRORS = 100
"""How many errors a report holds, and kinds of reasons it tells apart; all are counted."""

_VARIES = re.compile(r"'[^']*'|\"[^\"]*\"|(?<![\w-])\d+")


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
    reasons: Mapping[str, int] = field(default_factory=dict)
    """What ``failed`` counts, by kind: the reasons without the numbers and names in them."""
    errors: tuple[LlmteeError, ...] = ()
    """The first of the errors that ``failed`` counts; after a resumption, of what was done since."""
    detected: tuple[Detection, ...] = ()
    """What ``"auto"`` chose and why, once for each format in each source."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a conversion is."""

    phase: str
    """``reading``, or ``assembling`` when all was read and sessions are put together."""
    done: int
    """Bytes that were read, packed as they are in the files; sessions while assembling."""
    total: int | None
    """Of which there are so many; ``None`` where a stream is read."""
    read: int
    """Events and conversations so far."""
    failed: int


class Tally:
    """Counts for a `Report`.

    Args:
        on_error: called with each error.
        on_detect: called with what ``"auto"`` chose.
        errors: where each error is written with its original; nowhere by default.
    """

    def __init__(
        self,
        on_error: Callable[[LlmteeError], None] | None,
        on_detect: Callable[[Detection], None] | None,
        errors: ErrorFile | None,
    ) -> None:
        self._on_error, self._on_detect, self._file = on_error, on_detect, errors
        self._counts: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._errors: list[LlmteeError] = []
        self._detected: list[Detection] = []
        self._told: set[tuple[str | None, str]] = set()

    @property
    def read(self) -> int:
        return self._counts["read"]

    @property
    def failed(self) -> int:
        return self._counts["failed"]

    @property
    def errors_length(self) -> int:
        """Bytes of the file of errors."""
        return 0 if self._file is None else self._file.length

    def flush(self) -> None:
        """Hands the errors that were written to the system."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Closes the file of errors."""
        if self._file is not None:
            self._file.close()

    def add(self, result: Result) -> None:
        """Counts what became of a chunk, and tells of it."""
        for found in result.detected:
            if (found.source, found.format) not in self._told:
                self._told.add((found.source, found.format))
                self._detected.append(found)
                if self._on_detect is not None:
                    self._on_detect(found)
        for failure in result.failures:
            self.add_failure(failure)
        self._counts += Counter(read=result.read, written=result.written, records=result.records)
        self._skipped += result.skipped

    def add_failure(self, failure: Failure) -> None:
        """Counts an error, and tells of it."""
        error = failure.error
        self._counts["failed"] += 1
        kind = kind_of(error)
        self._reasons[
            kind if kind in self._reasons or len(self._reasons) < MAX_ERRORS else "others"
        ] += 1
        if len(self._errors) < MAX_ERRORS:
            self._errors.append(error)
        if self._file is not None:
            self._file.write(failure)
        if self._on_error is not None:
            self._on_error(error)
        elif isinstance(error, InputError) and error.line is None and error.path is None:
            raise error  # not a record but a whole file: nothing of it would be in the output

    def report(self) -> Report:
        """The counts so far."""
        return Report(
            **{name: self._counts[name] for name in ("read", "written", "records", "failed")},
            skipped=dict(self._skipped),
            reasons=dict(self._reasons.most_common()),
            errors=tuple(self._errors),
            detected=tuple(self._detected),
        )

    def to_json(self) -> dict[str, Any]:
        """What another process needs to go on counting."""
        return {
            "counts": dict(self._counts),
            "skipped": dict(self._skipped),
            "reasons": dict(self._reasons),
            "detected": [asdict(found) for found in self._detected],
        }

    def load(self, counted: Mapping[str, Any]) -> None:
        """Goes on from what `to_json` gave."""
        self._counts = Counter(counted["counts"])
        self._skipped, self._reasons = Counter(counted["skipped"]), Counter(counted["reasons"])
        self._detected = [Detection(**found) for found in counted["detected"]]
        self._told = {(found.source, found.format) for found in self._detected}


def kind_of(error: LlmteeError) -> str:
    """What an error says apart from numbers, names and where: to count errors by."""
    path = error.path if isinstance(error, InputError) else None
    reason = error.reason if isinstance(error, InputError) else str(error)
    plain = _VARIES.sub("…", reason.partition(";")[0])[:120]
    return f"{_VARIES.sub('', path)}: {plain}" if path else plain


class ErrorFile:
    """JSON Lines with each error and what was there. Appears with the first one.

    Args:
        path: of the file; an older one is removed.
        length: bytes of it that stay, from a run that this one goes on with.
    """

    def __init__(self, path: Path, length: int = 0) -> None:
        self._path, self.length = path, length
        self._file: Any = None
        try:
            if length:
                self._file = path.open("r+b")
                self._file.truncate(length)
                self._file.seek(length)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from None

    def write(self, failure: Failure) -> None:
        """Adds an error."""
        if self._file is None:
            try:
                self._file = self._path.open("wb")
            except OSError as error:
                raise UsageError(
                    f"{self._path}: cannot be written: {error.strerror or error}"
                ) from None
        self.length += self._file.write(jsontext.dumps(_told(failure)) + b"\n")

    def flush(self) -> None:
        """Hands what was written to the system."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()


def _told(failure: Failure) -> dict[str, Any]:
    error, origin = failure.error, failure.origin
    told: dict[str, Any] = {
        "source": origin.source,
        "line": origin.line,
        "path": origin.path,
        "reason": error.reason if isinstance(error, InputError) else str(error),
    }
    if origin.session is not None:
        told["session"] = origin.session
    if failure.original is None:
        return told
    try:
        return {**told, "original": failure.original.decode()}
    except UnicodeDecodeError:
        return {**told, "original_base64": base64.b64encode(failure.original).decode()}
