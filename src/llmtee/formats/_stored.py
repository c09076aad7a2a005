"""Streams as logs keep them: a record whose response is a list of chunks, or the text of server-sent events.

Such a record is read as if the answer had come in one piece, so that its event has the same id, says the same, and its
``native`` response is the one that the chunks amount to. Nobody noted when each chunk came: the time of the first
token is the record's, if it has one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from llmtee.errors import InputError
from llmtee.formats._sse import is_sse, sse_chunks
from llmtee.jsonfields import rest
from llmtee.spec import StreamAccumulator, stream_fields

_SEEN = 50
"""How many chunks of a stream are looked at to tell whose it is: Azure's first ones say little."""
_SNIFF = 200_000


def joined(raw: Any, stream: Callable[[], StreamAccumulator], *, within: str | None = None) -> Any:
    """``raw``, a record or a bare response, with the response put together where it is a stream.

    Args:
        raw: as it was logged.
        stream: makes the accumulator of the format.
        within: the field of the response that holds the stream, where an SDK gives an object around it.

    Raises:
        InputError: a chunk is malformed; the error names its JSON path.
    """
    if is_stream(raw):
        return _told(raw, "", stream)
    if not isinstance(raw, Mapping):
        return raw
    response = raw.get("response")
    if is_stream(response):
        told = _told(response, "response", stream)
    elif isinstance(response, Mapping) and within and is_stream(response.get(within)):
        told = _told(response[within], f"response.{within}", stream)
        told["response"] = {**rest(response, within), **(told["response"] or {})}
    else:
        return raw
    return {**raw, **told, **_flags(raw.get("flags"), told)}


def _flags(before: Any, told: Mapping[str, Any]) -> dict[str, Any]:
    """The record's flags and the stream's; those of a wrong type are left to the record's reader."""
    if not isinstance(before, list | tuple):
        return {} if before is None else {"flags": before}
    return {"flags": [*before, *told.get("flags", ())]}


def _told(raw: Any, path: str, stream: Callable[[], StreamAccumulator]) -> dict[str, Any]:
    """What a stream tells of the record around it."""
    found = stream()
    for chunk in _chunks(raw, path):
        try:
            found.add(chunk)
        except InputError as error:
            raise InputError(error.reason, path=f"{path}{error.path or ''}") from None
    return stream_fields(found)


def is_stream(raw: Any) -> bool:
    """Whether a response is a stream: a list, or the text of server-sent events."""
    return isinstance(raw, list | tuple) or (isinstance(raw, str) and is_sse(raw))


def _chunks(raw: Any, path: str) -> Iterable[Any]:
    return sse_chunks(raw, path) if isinstance(raw, str) else raw


def first_chunks(raw: Any) -> Iterator[Mapping[str, Any]]:
    """The objects among the first chunks of a response that is a stream; nothing of one that is none."""
    if not is_stream(raw):
        return
    try:
        for chunk in islice(_chunks(raw[:_SNIFF] if isinstance(raw, str) else raw, ""), _SEEN):
            if isinstance(chunk, Mapping):
                yield chunk
    except InputError:
        return  # whoever reads the record will say what is wrong with it
