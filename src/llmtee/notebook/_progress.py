"""Progress: in a notebook by an output that is updated, elsewhere as text. No widgets, no thread, no timer."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from types import TracebackType
from typing import Any, Final, Self, TextIO, TypeVar

from llmtee import views

T = TypeVar("T")

_EVERY: Final = 0.2
"""Seconds between two updates at least."""


class Progress:
    """How far some work is. Use it in a ``with`` block, and tell it what is done; it draws itself now and then.

    In Jupyter it is one output of the cell. On a terminal it is one line, which is written again and again; where
    stderr is no terminal, one line when the work has ended.

    Args:
        total: how much there is to do, where that is known.
        label: what is done.
        unit: of what is counted.
        stream: where text goes, stderr by default.
        clock: gives seconds.
    """

    def __init__(
        self,
        total: int | None = None,
        label: str = "",
        unit: str = "items",
        *,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.done = 0
        self.total = total
        self.label = label
        self.unit = unit
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._handle: Any = None
        self._started = self._drawn = clock()
        self._ended = False

    def __enter__(self) -> Self:
        self._started = self._drawn = self._clock()
        self._show()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended = True
        self._show("stopped" if kind is not None and not issubclass(kind, GeneratorExit) else None)

    def advance(self, count: int = 1) -> None:
        """So much more is done."""
        self.update(self.done + count)

    def update(self, done: int, total: int | None = None) -> None:
        """So much is done, of so much where that was not known before."""
        self.done = done
        self.total = self.total if total is None else total
        now = self._clock()
        if now - self._drawn >= _EVERY:
            self._drawn = now
            self._show()

    def __call__(self, state: Any) -> None:
        """Takes what ``convert`` and ``Migration`` tell of their progress, so that a bar can be handed to them as it is.

        Args:
            state: an object with ``done`` and ``total``; or with ``counts``, of which the settled ones are done, or
                ``held``, whose sessions are; or a number.
        """
        if isinstance(state, int):
            self.update(state)
        elif (counts := getattr(state, "counts", None)) is not None:
            self.update(counts.total - counts.pending - counts.open, state.total)
        elif (held := getattr(state, "held", None)) is not None:
            self.unit = "sessions"
            self.update(held.sessions)
        else:
            self.update(state.done, state.total)

    def text(self) -> str:
        """``1,200 of 5,000 events, 24 %, 400/s, 9.5 s left``."""
        seconds = max(self._clock() - self._started, 0.0)
        rate = self.done / seconds if seconds else 0.0
        parts = [f"{self.done:,} {self.unit}"]
        if self.total is not None and not self._ended:
            parts = [f"{self.done:,} of {self.total:,} {self.unit}"]
            parts.append(f"{min(self.done / self.total, 1):.0%}" if self.total else "")
        parts.append(f"{rate:,.3g}/s" if rate < 100 else f"{rate:,.0f}/s")
        if self._ended:
            parts.append(views.span(seconds * 1000) or "")
        elif self.total and rate and self.done < self.total:
            parts.append(f"{views.span((self.total - self.done) / rate * 1000)} left")
        label = f"{self.label}: " if self.label else ""
        return label + ", ".join(filter(None, parts))

    def _view(self, note: str | None = None) -> _View:
        said = f"{self.text()}, {note}" if note else self.text()
        return _View(said, self.done, self.total, self._ended)

    def _show(self, note: str | None = None) -> None:
        view = self._view(note)
        if _in_a_notebook():
            from IPython.display import display  # noqa: PLC0415 - it is there: this is its kernel

            if self._handle is None:
                self._handle = display(view, display_id=True)  # type: ignore[no-untyped-call]
            else:
                self._handle.update(view)
        elif self._stream.isatty():
            line = views.visible(repr(view))
            self._stream.write(f"\r\x1b[K{line}" + ("\n" if self._ended else ""))
            self._stream.flush()
        elif self._ended:
            self._stream.write(f"{views.visible(repr(view))}\n")


class _View:
    """One state of a progress, as a notebook shows it."""

    def __init__(self, text: str, done: int, total: int | None, ended: bool) -> None:
        self._text, self._done, self._total, self._ended = text, done, total, ended

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        known = (
            (self._done, max(self._total, 1))
            if self._total is not None
            else (1, 1)
            if self._ended
            else None
        )
        shares = {} if known is None else {"value": min(known), "max": known[1]}
        bar = views.element("progress", aria_label=self._text, **shares)
        return views.page(views.element("div", bar, self._text))


def _in_a_notebook() -> bool:
    """Whether a kernel runs this, which has somewhere to show it."""
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive is not None else None
    return shell is not None and getattr(shell, "kernel", None) is not None


def progress(
    items: Iterable[T], total: int | None = None, label: str = "", unit: str = "items"
) -> Iterator[T]:
    """The same items, one by one, while a bar shows how many have gone by.

    Args:
        items: any iterable, such as ``llmtee.read(…)``.
        total: how many there are; asked of ``items`` where that can be counted.
        label: what is done with them.
        unit: what they are.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Progress(total, label, unit) as bar:
        for item in items:
            yield item
            bar.advance()
