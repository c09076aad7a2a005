"""`StreamAccumulator`: what puts the chunks of a streamed answer together to the response that they amount to."""

from __future__ import annotations

import datetime as dt
from typing import Any, Protocol, runtime_checkable

INCOMPLETE = "incomplete"
"""The flag of an event whose stream ended before the provider said that it was at its end."""


@runtime_checkable
class StreamAccumulator(Protocol):
    """Gathers the chunks of one stream. Sans I/O, without a clock, not for several threads at once.

    Whoever reads the stream hands in each chunk once and in the order in which they came; a chunk that comes twice or
    out of order is not noticed. The state can be asked for at any time: of a stream that was abandoned, it is what
    came so far. What a provider may add one day does no harm: fields that are not known are kept where they stand,
    and events of an unknown type are kept in the response under ``unknown_events``, or left out where a later event
    of the same stream repeats all that was said (OpenAI Responses).
    """

    def add(self, chunk: Any, at: dt.datetime | None = None) -> None:
        """Takes the next chunk. It is copied, never kept or changed.

        Args:
            chunk: the object that the provider sent, as JSON or as the SDK's own object. Never ``[DONE]``.
            at: when it arrived, for `first_token_at`.

        Raises:
            InputError: the chunk is malformed: something in it has the wrong type. The error names the JSON path in
                the list of chunks, such as ``[12].choices[0].delta``. Nothing of the chunk is taken, and the
                accumulator can be used as before.
        """

    def response(self) -> dict[str, Any] | None:
        """The response in the shape that the provider gives without streaming, for the format's ``decode`` to read.

        What failed within the stream is its error, beside what was said before. ``None`` while nothing has come.
        """

    @property
    def has_content(self) -> bool:
        """Whether the model has begun to answer: text, reasoning, a tool call. A role, a ping or empty text is none."""

    @property
    def first_token_at(self) -> dt.datetime | None:
        """When the first chunk with content arrived; ``None`` where none did, or nobody said when."""

    @property
    def complete(self) -> bool:
        """Whether the provider said that the answer is at its end, be it by success, by a limit or by failure."""

    @property
    def usage_missing(self) -> bool:
        """Whether no token counts have come, as with Chat Completions where nobody asked for ``include_usage``."""


def stream_fields(stream: StreamAccumulator) -> dict[str, Any]:
    """What a record says of a stream: ``response``, and where there is something to say ``first_token_at`` and ``flags``."""
    fields: dict[str, Any] = {"response": stream.response()}
    if stream.first_token_at is not None:
        fields["first_token_at"] = stream.first_token_at
    if not stream.complete:
        fields["flags"] = [INCOMPLETE]
    return fields
