"""Server-sent events: the text of a stream, as logs keep it, to what its events hold.

After the HTML standard (section "Server-sent events"): lines end with CRLF, LF or CR, ``data`` lines of one event are
joined by newlines, a line that begins with a colon is a comment. Unlike there, an event that no blank line ends is
an event, because logs are often trimmed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmtee import jsontext
from llmtee.errors import InputError

# Not str.splitlines: it would cut at U+2028 and the like, which may stand in JSON.
_LINE_END = re.compile(r"\r\n|\n|\r")
# Possessive: of many blank lines that end with CRLF, each could otherwise be tried in two ways.
_START = re.compile(r"\ufeff?(?:[ \t]*+(?::[^\r\n]*+)?(?:\r\n|\n|\r))*+(?:data|event|id|retry):")
_DATA = re.compile(r"(?:^|[\r\n])data: ?[\[{]")
_DONE = "[DONE]"


def is_sse(text: str) -> bool:
    """Whether a text is that of server-sent events that hold JSON."""
    return _START.match(text) is not None and _DATA.search(text) is not None


def sse_data(text: str) -> Iterator[str]:
    """The data of each event, in order. Events without data are none."""
    data: list[str] = []
    for line in _LINE_END.split(text.removeprefix("\ufeff")):
        if not line:
            if data:
                yield "\n".join(data)
            data = []
            continue
        name, _, value = line.partition(":")
        if name == "data":
            data.append(value.removeprefix(" "))
    if data:
        yield "\n".join(data)


def sse_chunks(text: str, path: str) -> Iterator[Any]:
    """The JSON of each event, in order, without ``[DONE]``. Where the text itself was cut short, its last piece is left out.

    Raises:
        InputError: the data of an event is not JSON; the error names the event as if the text were a list of them.
    """
    events = [data for data in sse_data(text) if data.strip() != _DONE]
    for i, data in enumerate(events):
        try:
            chunk = jsontext.loads(data)
        except ValueError as error:
            if i == len(events) - 1 and not text.endswith(("\n\n", "\r\r", "\r\n\r\n")):
                return
            raise InputError(f"is not the JSON of an event: {error}", path=f"{path}[{i}]") from None
        yield chunk
