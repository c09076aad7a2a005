"""Streamed answers: kept as they came while the application reads them, at its pace, without taking anything from it.

The chunks become the record's response as they are; whoever reads the record puts them together, in the background. Only
the first ones are understood here, to know when the model began to answer.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from llmtee import jsontext, registry
from llmtee.capture._call import Call, now, say_once
from llmtee.capture._shield import Shield
from llmtee.errors import InputError
from llmtee.spec import StreamAccumulator

_MOST_UNREAD = 20
_LAST = 4
"""Within so many chunks from the end, every provider tells its token counts."""
_COUNTS = re.compile(rb'"usage(?:Metadata)?"\s*:\s*\{')
_HINTS = {
    "openai-chat": "; pass stream_options={'include_usage': True} to get them. llmtee does not add it, because the "
    "application would see one more chunk"
}


class Gathering:
    """Takes the chunks of one stream, and records the call when the stream is over, however it ends."""

    def __init__(self, call: Call) -> None:
        self.on_over: Callable[[], None] | None = None
        """Is called when the stream is over."""
        self._call = call
        self._chunks: list[bytes] = []
        self._text: list[bytes] = []
        """What came, where it is no stream of events."""
        self._opening: StreamAccumulator | None = _accumulator(call.format_name)
        """Until the model has said something."""
        self._last_at: float | None = None
        self._over = False
        self._done = False

    def add_text(self, piece: bytes) -> None:
        """Takes bytes of a body that is not a stream of events."""
        self._last_at = time.time()
        self._text.append(piece)

    def add(self, data: bytes) -> None:
        """Takes a chunk: the data of a server-sent event."""
        self._last_at = time.time()
        if data == b"[DONE]":
            self._done = True
            return
        try:
            chunk = jsontext.loads(data)
        except ValueError:
            if len(self._call.unread) < _MOST_UNREAD:
                self._call.unread += (data.decode("utf-8", "replace"),)
            return
        self._chunks.append(data)
        if self._opening is not None:
            self._open(self._opening, chunk)

    def _open(self, opening: StreamAccumulator, chunk: Any) -> None:
        try:
            opening.add(chunk, now())
        except InputError:
            return  # whoever reads the record says what is wrong with it
        if opening.has_content:
            self._call.first_token_at = opening.first_token_at
            self._opening = None

    @property
    def ends_in_error(self) -> bool:
        """Whether the last chunk tells of a failure."""
        last = self._chunks[-1] if self._chunks else b""
        return b'"error"' in last and bool(jsontext.loads(last).get("error"))

    def exhausted(self) -> None:
        """Everything came."""
        self._done = True
        self.finish()

    def finish(self, error: BaseException | None = None) -> None:
        """Records what came. Was the stream cut short, that is seen from what is missing at its end."""
        if self._over:
            return
        self._over = True
        if self.on_over is not None:
            self.on_over()
        with Shield(self._call.recorders):
            ended_at = None if error is not None else self._last_at
            if self._text:
                self._call.incomplete = not self._done
                response = body_of(b"".join(self._text))
            else:
                response = [jsontext.Raw(chunk) for chunk in self._chunks]
                self._look_at_counts()
            self._call.finish(response, error, ended_at=ended_at)

    def _look_at_counts(self) -> None:
        if not self._done or not self._chunks:
            return
        if not any(_COUNTS.search(chunk) for chunk in self._chunks[-_LAST:]):
            name = self._call.format_name
            hint = _HINTS.get(name, "")
            say_once(f"a streamed answer came without token counts ({name}){hint}")


def body_of(content: bytes) -> Any:
    """The JSON of a body; its text where it is none, such as the page of a proxy."""
    try:
        jsontext.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")
    return jsontext.Raw(content)


def _accumulator(format_name: str) -> StreamAccumulator:
    make = registry.format(format_name).stream
    if make is None:
        raise TypeError(f"the format {format_name} has no streams")
    return make()
