"""`Capture`: how the calls of one provider's SDK are seen, and `Recorder`: who is told of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol


class Recorder(Protocol):
    """Takes captured calls: a `Tee`, as a capture sees it."""

    def record_json(self, format: str, record: dict[str, Any]) -> str:  # noqa: A002 - as elsewhere
        """Records a call whose record is JSON already and belongs to nobody else. Never raises; gives the event's id."""

    def capture_failed(self, error: Exception) -> None:
        """Takes note of a failure within llmtee. Raises it in strict mode only, as under pytest."""


@dataclass(frozen=True, kw_only=True)
class Capture:
    """The capture of one SDK. Registered by an entry point in the group ``llmtee.captures``.

    The entry point's name is the Python package of the SDK, such as ``openai`` or ``google.genai``: a client belongs to
    the capture in whose package its class, or a base of it, is defined.
    """

    package: str
    title: str
    wrap: Callable[[Any, Recorder], None]
    """From now on the client's calls are recorded. A second time with the same recorder changes nothing.
    Raises ``UsageError`` where the object is no client of the SDK."""
    unwrap: Callable[[Any, Recorder | None], None]
    """The client's calls are no longer recorded there; with ``None`` nowhere. It is then as it was before."""
