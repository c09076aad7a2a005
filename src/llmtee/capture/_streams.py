"""Streamed answers: put together while the application reads them, at its pace, without taking anything from it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from llmtee import jsontext, registry
from llmtee.capture._call import Call, now, say_once
from llmtee.capture._events import EventReader
from llmtee.capture._shield import Shield
from llmtee.errors import InputError
from llmtee.spec import StreamAccumulator

_MOST_UNREAD = 20
_HINTS = {
    "openai-chat": "; pass stream_options={'include_usage': True} to get them. llmtee does not add it, because the "
    "application would see one more chunk"
}


class Gathering:
    """Takes the chunks of one stream, and records the call when the stream is over, however it ends."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._stream = _accumulator(call.format_name)
        self._last_at: dt.datetime | None = None
        self._text: list[bytes] = []
        """What came, where it is no stream of events."""
        self._over = False
        self.on_over: Callable[[], None] | None = None
        """Is called when the stream is over."""
        self.ends_in_error = False
        """Whether the last chunk told of a failure."""

    def add(self, chunk: Any) -> None:
        """Takes a chunk, as JSON."""
        with Shield(self._call.recorders):
            self._last_at = now()
            self._add(chunk)

    def add_text(self, piece: bytes) -> None:
        """Takes bytes of a body that is not a stream of events."""
        self._last_at = now()
        self._text.append(piece)

    def add_event(self, data: bytes) -> None:
        """Takes the data of a server-sent event."""
        with Shield(self._call.recorders):
            self._last_at = now()
            if data.strip() == b"[DONE]":
                return
            try:
                chunk = jsontext.loads(data)
            except ValueError:
                self._unread(data.decode("utf-8", "replace"))
            else:
                self._add(chunk)

    def _add(self, chunk: Any) -> None:
        self.ends_in_error = isinstance(chunk, dict) and bool(chunk.get("error"))
        try:
            self._stream.add(chunk, self._last_at)
        except InputError:
            self._unread(chunk)

    def _unread(self, what: Any) -> None:
        if len(self._call.unread) < _MOST_UNREAD:
            self._call.unread.append(what)

    def finish(self, error: BaseException | None = None) -> None:
        """Records what came. The stream was cut short where the provider has not said that it is over."""
        if self._over:
            return
        self._over = True
        if self.on_over is not None:
            self.on_over()
        with Shield(self._call.recorders):
            call, stream = self._call, self._stream
            if self._text:
                response = body_of(b"".join(self._text))
                call.incomplete = error is not None
            else:
                response = stream.response()
                call.first_token_at = stream.first_token_at
                call.incomplete = not stream.complete
                if stream.complete and stream.usage_missing and error is None:
                    hint = _HINTS.get(call.format_name, "")
                    say_once(f"a streamed answer came without token counts ({call.format_name}){hint}")
            call.finish(response, error, ended_at=None if error is not None else self._last_at)


class EventTap:
    """Bytes of server-sent events, to a `Gathering`."""

    def __init__(self, gathering: Gathering) -> None:
        self._gathering = gathering
        self._reader = EventReader()

    def feed(self, piece: bytes) -> None:
        """Takes the next bytes."""
        for data in self._reader.feed(piece):
            self._gathering.add_event(data)


def body_of(content: bytes) -> Any:
    """The JSON of a body; its text where it is none, such as the page of a proxy."""
    try:
        return jsontext.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")


def _accumulator(format_name: str) -> StreamAccumulator:
    make = registry.format(format_name).stream
    if make is None:
        raise TypeError(f"the format {format_name} has no streams")
    return make()
