"""Server-sent events as they come over the wire, piece by piece."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Atomic, so that CRLF is one line end and never two.
_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_BOM = b"\xef\xbb\xbf"


def pieces(chunk: bytes) -> Iterator[bytes]:
    """``chunk`` cut after each event, so that who reads event by event is given no more than that."""
    start = 0
    for found in _END.finditer(chunk):
        yield chunk[start : found.end()]
        start = found.end()
    if start < len(chunk):
        yield chunk[start:]


class EventReader:
    """Bytes in, the data of complete events out."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The data of the events that ``piece`` completes, in order; events without data are none."""
        text = self._rest + piece
        start = 0
        for found in _END.finditer(text):
            if data := _data(text[start : found.start()]):
                yield data
            start = found.end()
        self._rest = text[start:]


def _data(event: bytes) -> bytes:
    lines = event.removeprefix(_BOM).splitlines()
    return b"\n".join(
        line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")
    )
