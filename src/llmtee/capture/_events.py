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
    while (end := _end(chunk, start)) >= 0:
        yield chunk[start:end]
        start = end
    if start < len(chunk):
        yield chunk[start:]


class EventReader:
    """Bytes in, the data of complete events out."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The data of the events that ``piece`` completes, in order; events without data are none."""
        text = self._rest + piece if self._rest else piece
        start = 0
        while (end := _end(text, start)) >= 0:
            if data := _data(text[start:end]):
                yield data
            start = end
        self._rest = text[start:]


def _end(text: bytes, start: int) -> int:
    """Where the event that begins at ``start`` ends, its blank line included; -1 where it does not."""
    if b"\r" not in text:  # nearly always
        place = text.find(b"\n\n", start)
        return place if place < 0 else place + 2
    found = _END.search(text, start)
    return -1 if found is None else found.end()


def _data(event: bytes) -> bytes:
    if event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2:
        return event[6:-2]
    lines = event.removeprefix(_BOM).splitlines()
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:"))
