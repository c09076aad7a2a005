"""What the server answers, apart from the shape that each provider gives it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer, for whichever provider's API the next request is made to.

    What is not text, reasoning or a tool call is how it goes wrong.
    """

    text: str = field(default="Good morning, how can I help?", kw_only=False)
    """What the model says; with `calls` it says nothing unless told."""
    calls: Sequence[tuple[str, Mapping[str, Any]]] = ()
    """Tools that the model calls: names and arguments."""
    reasoning: str | None = None
    """What it thinks before, where the API shows it."""
    usage: bool = True
    """Whether token counts are told. Chat Completions tells them in a stream only when it was asked to."""
    status: int = 200
    """An HTTP error instead, in the provider's own shape."""
    body: str | None = None
    """Instead of anything that a provider would say, such as the HTML page of a proxy; with `status`."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Such as ``{"retry-after": "0"}``."""
    cut_after: int | None = None
    """The connection breaks after so many events of a stream; of a plain answer after half of the body."""
    error_after: int | None = None
    """The stream tells of a failure after so many events, and ends."""
    hold: threading.Event | None = None
    """Nothing more is sent after the first event of a stream, or before a plain answer, until it is set."""

    @property
    def words(self) -> list[str]:
        """The text in the pieces that a stream brings."""
        if self.calls and self.text == Answer.text:
            return []
        words = self.text.split(" ")
        return [word if i == 0 else f" {word}" for i, word in enumerate(words)]

    @property
    def said(self) -> str:
        """The text as a whole."""
        return "".join(self.words)
