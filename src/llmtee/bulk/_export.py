"""`export`: a history to a file of canonical JSON Lines, in steps that survive the process."""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from llmtee import jsontext
from llmtee.delivery.history import pages
from llmtee.delivery.recorded import EventLog
from llmtee.errors import UsageError
from llmtee.model import SupplementBase
from llmtee.spec import ExporterSettings, Page, Position, Window

PARTIAL = ".partial"
STATE = ".position"


@dataclass(slots=True)
class Exported:
    """What an export has done so far, earlier runs included."""

    items: int = 0
    """Events and conversations that were written."""
    left_out: Counter[str] = field(default_factory=Counter)
    """What is neither and has no line in the file, such as annotations, by kind."""
    total: int | None = None
    """How many there are, as far as the source says so; an estimate."""


def export(
    source: ExporterSettings | EventLog,
    output: Path,
    window: Window,
    *,
    resume: bool = False,
    on_page: Callable[[Exported, Page], None] | None = None,
) -> Exported:
    """Reads a history into a file, as the format ``llmtee`` has it.

    The file appears when it is complete. Until then it stands beside its place, with the position up to which it is
    written, page by page.

    Args:
        source: an exporter to a vendor that can be read back, or an event log.
        output: the file.
        window: what is read. What is resumed keeps the window that it began with.
        resume: whether to go on where an earlier run ended, however it ended; without one it begins.
        on_page: told of each page after it is written.

    Raises:
        UsageError: an earlier run is there and is not resumed, or it was of another source.
        HistoryIncomplete: the history cannot be read, or does not add up.
        ApiError: the vendor does not answer. What was written is kept for ``resume``.
    """
    steps = _Steps(output, _named(source), window)
    with closing(steps):
        steps.begin(resume=resume)
        with closing(_pages(source, steps.window, steps.position)) as found:
            for page in found:
                steps.add(page)
                if on_page is not None:
                    on_page(steps.done, page)
        steps.finish()
    return steps.done


class _Steps:
    """The file beside its place, and the position that belongs to it."""

    def __init__(self, output: Path, source: Mapping[str, Any], window: Window) -> None:
        self._output, self._source = output, source
        self._partial = output.with_name(output.name + PARTIAL)
        self._state = output.with_name(output.name + STATE)
        self._file: IO[bytes] | None = None
        self.window, self.done = window, Exported()
        self.position: Position | None = None

    def begin(self, *, resume: bool) -> None:
        there = self._state.exists()
        if there and not resume:
            raise UsageError(
                f"{self._state} is there from an earlier run: go on with --resume, or delete it"
            )
        try:
            self._file = self._partial.open("r+b" if there else "wb")
        except OSError as error:
            raise UsageError(f"{self._partial} cannot be written: {error.strerror}") from None
        if there:
            self._go_on(jsontext.loads(self._state.read_bytes()), self._file)

    def _go_on(self, state: Mapping[str, Any], file: IO[bytes]) -> None:
        if state["source"] != self._source:
            raise UsageError(f"{self._state} is of another source: {state['source']}")
        self.position = state["position"]
        since, until = state["window"]
        self.window = Window(
            since=None if since is None else dt.datetime.fromisoformat(since),
            until=dt.datetime.fromisoformat(until),
        )
        self.done = Exported(state["items"], Counter(state["left_out"]), state["total"])
        if file.seek(0, os.SEEK_END) < state["bytes"]:
            raise UsageError(
                f"{self._partial} is shorter than {self._state} says: delete both, and begin again"
            )
        file.truncate(state["bytes"])  # what came after it was written by no complete step
        file.seek(state["bytes"])

    def add(self, page: Page) -> None:
        assert self._file is not None  # noqa: S101 - by `begin`
        lines = []
        for item in page.items:
            if isinstance(item, SupplementBase):
                self.done.left_out[item.kind] += 1
            else:
                lines.append(item.to_json_text() + b"\n")
        self._file.write(b"".join(lines))
        self.done.items += len(lines)
        self.done.total = page.total if page.total is not None else self.done.total
        if page.next is not None:
            self._keep(page.next)

    def _keep(self, position: Position) -> None:
        assert self._file is not None  # noqa: S101 - by `begin`
        self._file.flush()  # the kernel has it then, whatever becomes of this process
        since = self.window.since
        state = {
            "source": self._source,
            "window": [None if since is None else since.isoformat(), self.window.until.isoformat()],
            "position": position,
            "bytes": self._file.tell(),
            "items": self.done.items,
            "left_out": dict(self.done.left_out),
            "total": self.done.total,
        }
        being_made = self._state.with_name(self._state.name + ".new")
        being_made.write_bytes(jsontext.dumps(state))
        being_made.replace(self._state)

    def finish(self) -> None:
        self._close_file()
        self._partial.replace(self._output)
        self._state.unlink(missing_ok=True)

    def close(self) -> None:
        self._close_file()
        if not self._state.exists():
            self._partial.unlink(missing_ok=True)  # there is nothing to go on with

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()


def _pages(source: ExporterSettings | EventLog, window: Window, position: Position | None) -> Any:
    if isinstance(source, EventLog):
        return source.pages(window, position=position)
    return pages(source, window, position=position)


def _named(source: ExporterSettings | EventLog) -> dict[str, Any]:
    """What a source is, without what is secret: a run must not be gone on with for another one."""
    if isinstance(source, EventLog):
        return {"log": str(source.directory.absolute())}
    return {"exporter": source.exporter, "base_url": source.base_url}
