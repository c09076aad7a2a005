"""How far a conversion has come, kept beside its output, so that another process can go on with it."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from llmtee._version import __version__
from llmtee.bulk._chunks import Position
from llmtee.bulk._sink import Destination, regular
from llmtee.bulk._source import Place, name_of
from llmtee.bulk._store import Store
from llmtee.bulk._work import Work
from llmtee.errors import InputError, UsageError

_HEAD = 65_536
"""Bytes at the beginning of a source by which it is recognised, beside its size and time."""
_START_OVER = "run it without resume to start over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Everything that it takes to go on."""

    position: Position = field(default_factory=Position)
    assembling: bool = False
    """Whether all was read."""
    session: int = 0
    """The last one that was written."""
    output: int = 0
    """Bytes of the partial file that count; of the next two likewise."""
    errors: int = 0
    gathered: int = 0
    tally: Mapping[str, Any] | None = None
    done: bool = False
    """Whether everything was written, so that the output only has to appear, if it has not."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A conversion that ended before its input did, and can be resumed."""

    partial: Path
    """What was written."""
    read: int
    """Events and conversations that were read."""
    resumable: bool = True
    """Whether another process is not at work on it right now."""


class Trail:
    """The files beside an output: the partial output itself, the state, and the items that wait for their session.

    Args:
        files: what is read.
        output: the file that appears in the end; ``None`` for what is no file.
        work: what is done.
        resume: whether to go on from the mark that is there.

    Raises:
        UsageError: it is another input, or other options, or the files do not belong together.
    """

    def __init__(
        self, files: Sequence[Place | InputError], output: Path | None, work: Work, *, resume: bool
    ) -> None:
        self._output = output if output is not None and all(map(_is_file, files)) else None
        if resume and self._output is None:
            raise UsageError(
                "only a conversion of files into a file can be resumed, not of or into a stream"
            )
        self._folder = None if output is None else output.parent
        self._identity: dict[str, Any] = {"version": __version__}
        if self._output is not None:
            self._identity["options"] = _digest(work)
            self._identity["inputs"] = [_identity(file) for file in files]
        self.store = Store(self._beside("progress"))
        self.mark = Mark()
        self.kept = False
        state = self.store.load()
        if state is not None and resume and self._output is not None:
            try:
                self._go_on(state, self._output)
            except BaseException:
                self.store.close()
                raise
        elif state is not None:
            self.store.clear()

    @property
    def resumable(self) -> bool:
        """Whether another process could go on."""
        return self._output is not None

    @property
    def partial(self) -> Path | None:
        """Where the output grows; ``None`` where it has to have a name of its own."""
        return None if self._output is None else partial_of(self._output)

    def events(self) -> Any:
        """The file in which items wait for their session, for reading and writing."""
        path = self._beside("events")
        if path is None:
            return tempfile.TemporaryFile(dir=self._folder)
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")

    def keep(self, mark: Mark) -> None:
        """Makes this the mark to go on from."""
        self.mark = mark
        self.store.commit({**self._identity, "mark": asdict(mark)})
        self.kept = True

    def leave(self) -> None:
        """Lets go of the files, and removes them where nobody could go on with them."""
        if self.kept:
            self.store.close()
        else:
            self.remove()

    def remove(self) -> None:
        """Removes the files."""
        self.store.remove()
        if (path := self._beside("events")) is not None:
            path.unlink(missing_ok=True)

    def _beside(self, what: str) -> Path | None:
        return None if self._output is None else _named(self._output, f"llmtee-{what}")

    def _go_on(self, state: Mapping[str, Any], output: Path) -> None:
        for name, changed in (
            ("version", "another version of llmtee"),
            ("inputs", "another input: a file was changed, or others are named"),
            ("options", "other options"),
        ):
            if state[name] != self._identity[name]:
                raise UsageError(f"{output}: was begun with {changed}; {_START_OVER}")
        mark = {**state["mark"], "position": Position(**state["mark"]["position"])}
        self.mark = Mark(**mark)
        self.kept = True
        if self.mark.done and _has_appeared(output, self.mark.output):
            return
        for path, size in (
            (partial_of(output), self.mark.output),
            (_named(output, "llmtee-events"), self.mark.gathered),
        ):
            if size and (not path.exists() or path.stat().st_size < size):
                raise UsageError(
                    f"{path}: is gone or was cut, and cannot be resumed; {_START_OVER}"
                )


def _has_appeared(output: Path, size: int) -> bool:
    return not partial_of(output).exists() and output.exists() and output.stat().st_size == size


def partial_of(output: Path) -> Path:
    """Where an output grows until it is complete."""
    return _named(output, "partial")


def unfinished(destination: Destination) -> Unfinished | None:
    """The conversion into a file that ended before its input did; ``None`` where there is none.

    Args:
        destination: as `convert` takes it.
    """
    output = regular(destination)
    if output is None or not _named(output, "llmtee-progress").exists():
        return None
    try:
        with closing(sqlite3.connect(_named(output, "llmtee-progress"), timeout=0)) as db:
            row = db.execute("SELECT value FROM state WHERE id = 1").fetchone()
    except sqlite3.OperationalError as error:
        at_work = "locked" in str(error)
        return Unfinished(partial_of(output), 0, resumable=False) if at_work else None
    except sqlite3.DatabaseError:
        return None
    if row is None:
        return None
    return Unfinished(
        partial_of(output), json.loads(row[0])["mark"]["tally"]["counts"].get("read", 0)
    )


def _named(output: Path, what: str) -> Path:
    return output.with_name(f"{output.name}.{what}")


def _is_file(place: Place | InputError) -> bool:
    if isinstance(place, InputError):  # of a folder or a glob
        return True
    if place == "-" or not isinstance(place, str | os.PathLike):
        return False
    path = Path(place)
    return path.is_file() or not path.exists()


def _identity(place: Any) -> dict[str, Any]:
    """By what a source is recognised."""
    if isinstance(place, InputError):
        return {"error": str(place)}
    path = Path(place)
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            head = hashlib.sha256(file.read(_HEAD)).hexdigest()
    except OSError:
        return {"name": name_of(place), "path": os.path.realpath(path)}
    return {
        "name": name_of(place),
        "path": os.path.realpath(path),
        "size": found.st_size,
        "time": found.st_mtime_ns,
        "head": head,
    }


def _digest(work: Work) -> str:
    """Of all that decides on the output, keys of vendors apart."""
    told = [_told(work.job), _told(getattr(work.target, "settings", None))]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _told(value: Any) -> Any:
    """A value as JSON that is the same in every process."""
    if isinstance(value, str | int | float | None):
        return value
    if isinstance(value, SecretStr):
        return "secret"
    if isinstance(value, BaseModel):
        return [type(value).__name__, {name: _told(inner) for name, inner in value}]
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: _told(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _told(inner) for name, inner in value.items()}
    if isinstance(value, Sequence | set | frozenset):
        entries = [_told(inner) for inner in value]
        return entries if isinstance(value, Sequence) else sorted(entries, key=json.dumps)
    if isinstance(value, Callable):  # type: ignore[arg-type]
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    return f"{type(value).__qualname__} {value}"
