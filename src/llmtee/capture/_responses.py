"""HTTP responses whose body the application is still to read: seen as it reads them, never before.

The same for httpx, httpx2 and whatever has their methods: ``iter_bytes``, ``close``, and the asynchronous ones. Every
other way to read a body goes through these. They are replaced on the one response, until it is over.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from llmtee.capture._call import say_once
from llmtee.capture._events import EventReader, pieces
from llmtee.capture._shield import Shield
from llmtee.capture._streams import Gathering
from llmtee.spec import Recorder


class ResponseTap:
    """What is read of one response, to a `Gathering`."""

    def __init__(
        self, gathering: Gathering, recorders: Sequence[Recorder], *, content_type: str
    ) -> None:
        """``content_type`` is what the response says of its body: a stream of server-sent events, or something whole."""
        self._gathering = gathering
        self._shield = Shield(recorders)
        self._reader = EventReader() if content_type.startswith("text/event-stream") else None
        self._is_binary = "eventstream" in content_type
        if self._is_binary:
            say_once(f"streams of the type {content_type} are recorded without their answer")
        self._reading = False
        self._failure: BaseException | None = None
        self.watched = False
        """Whether somebody further out sees the exceptions as the application does, and says so with `failed`."""

    def attach(self, response: Any, *, is_async: bool) -> None:
        """From now on, what is read of ``response`` is seen; ``is_async`` is whether its client is asynchronous."""
        names = ("aiter_bytes", "aclose") if is_async else ("iter_bytes", "close")
        read, close = (getattr(response, name) for name in names)
        tapped = self._aread if is_async else self._read

        def iter_bytes(chunk_size: int | None = None) -> Any:
            return tapped(read(chunk_size), cut=chunk_size is None)

        def closing() -> None:
            try:
                close()
            finally:
                self._closed()

        async def aclosing() -> None:
            try:
                await close()
            finally:
                self._closed()

        given = dict(zip(names, (iter_bytes, aclosing if is_async else closing), strict=True))
        before = {name: vars(response)[name] for name in names if name in vars(response)}
        vars(response).update(given)
        reference = weakref.ref(response)

        def detach() -> None:
            # Response and replacements refer to one another: who counts on a dropped response to be freed at once
            # shall not have to wait for the garbage collector.
            if (found := reference()) is not None:
                for name in names:
                    vars(found).pop(name, None)
                vars(found).update(before)

        self._gathering.on_over = detach
        # A response that nobody reads and nobody closes.
        weakref.finalize(response, self._gathering.finish)

    def failed(self, error: BaseException) -> None:
        """The application is given ``error``, and nothing more."""
        self._gathering.finish(error)

    def _read(self, chunks: Iterator[bytes], *, cut: bool) -> Iterator[bytes]:
        self._reading = True
        try:
            for chunk in chunks:
                for piece in pieces(chunk) if cut and self._reader else (chunk,):
                    self._feed(piece)
                    self._reading = False
                    yield piece
                    self._reading = True
        except GeneratorExit:
            self._reading = False
            self._gathering.finish()
            raise
        except BaseException as error:
            self._stopped(error)
            raise
        self._stopped(None)

    async def _aread(self, chunks: AsyncIterator[bytes], *, cut: bool) -> AsyncIterator[bytes]:
        self._reading = True
        try:
            async for chunk in chunks:
                for piece in pieces(chunk) if cut and self._reader else (chunk,):
                    self._feed(piece)
                    self._reading = False
                    yield piece
                    self._reading = True
        except GeneratorExit:
            self._reading = False
            self._gathering.finish()
            raise
        except BaseException as error:
            self._stopped(error)
            raise
        self._stopped(None)

    def _feed(self, piece: bytes) -> None:
        with self._shield:
            if self._reader is None:
                if not self._is_binary:
                    self._gathering.add_text(piece)
                return
            for data in self._reader.feed(piece):
                self._gathering.add(data)

    def _stopped(self, error: BaseException | None) -> None:
        self._reading = False
        self._failure = error
        if error is None:
            self._gathering.exhausted()
        elif not self.watched:
            self._gathering.finish(error)

    def _closed(self) -> None:
        # At its end a body closes itself before its last bytes are given out, and where it fails, before the
        # application is told.
        told_later = self.watched and self._gathering.ends_in_error
        if not self._reading and self._failure is None and not told_later:
            self._gathering.finish()
