"""What crosses the edge: items in a vendor's shape, requests, and what became of them. Plain values."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import Enum
from functools import cached_property
from typing import Any, Literal

from llmtee import jsontext

Action = Literal["changed", "trimmed", "dropped"]


@dataclass(frozen=True, slots=True)
class Note:
    """Something that rendering did to a field on purpose, for the ledger."""

    path: str
    """The canonical field: ``session``, ``messages[3].parts[0].text``."""
    action: Action
    reason: str
    """What was done, why, and where to find the original."""


@dataclass(frozen=True)
class WireItem:
    """One item in a vendor's shape: the unit that a verdict speaks of."""

    id: str
    """Id of the event or conversation it was made from."""
    body: Any
    """The vendor's JSON for it, readable by the vendor's ``parse``; ``None`` when the vendor has no place for it."""
    session: str | None = None
    notes: tuple[Note, ...] = ()
    skip: str | None = None
    """Why the vendor has no place for it, when ``body`` is ``None``."""
    context: Mapping[str, Any] = field(default_factory=dict)
    """What ``pack`` needs beside the body, such as HoneyHive's session properties."""

    @cached_property
    def content(self) -> bytes:
        """The body as JSON text."""
        return jsontext.dumps(self.body)

    @property
    def size(self) -> int:
        """Bytes of the body as JSON."""
        return len(self.content)


@dataclass(frozen=True)
class Request:
    """One HTTP request, without authentication and without a host."""

    method: str
    path: str
    """Begins with a slash; names in it are percent-encoded already."""
    body: Any = None
    """JSON, or ``None`` for no body."""
    items: tuple[WireItem, ...] = ()
    """What it carries, in the order in which ``judge`` answers."""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    may_be_gone: bool = False
    """Of a reader: whether 404 and 410 are answers, too, since what it asks for may have been deleted meanwhile."""

    needs: str = ""
    """Of a reader: what the key must be good for, said when it is refused."""
    spliced: Any = field(default=None, repr=False, compare=False)
    """The body with ``jsontext.Raw(item.content)`` in place of the items' bodies: to write them once is enough."""

    @cached_property
    def content(self) -> bytes:
        """The body's bytes; empty when there is none."""
        if self.body is None:
            return b""
        if len(self.items) == 1 and self.body is self.items[0].body:
            return self.items[0].content  # which was asked for its size before
        return jsontext.dumps(self.body if self.spliced is None else self.spliced)


class Failure(Enum):
    """Why there is no complete answer."""

    NOT_SENT = "not sent"
    """The request surely did not reach the vendor: no connection, no name, no TLS."""
    UNANSWERED = "unanswered"
    """It left, and the answer was lost: a timeout, a reset. The vendor may have acted on it."""


@dataclass(frozen=True)
class Exchange:
    """A request and what came back."""

    request: Request
    status: int | None = None
    """HTTP status; ``None`` when there was a failure."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """With lower-case names."""
    content: bytes = b""
    failure: Failure | None = None
    failure_text: str = ""
    """What the HTTP library said of the failure."""
    received_at: dt.datetime | None = None
    """UTC; turns a ``Retry-After`` date into seconds."""

    @cached_property
    def json(self) -> Any:
        """The answer's JSON, or ``None`` where it is not JSON."""
        try:
            return jsontext.loads(self.content)
        except ValueError:
            return None

    @property
    def excerpt(self) -> str:
        """The start of the answer as text, for people."""
        text = self.content[:2000].decode("utf-8", "replace").strip()
        return text[:300] + "…" if len(text) > 300 else text

    @property
    def retry_after(self) -> float | None:
        """Seconds that the vendor asks to wait, from ``Retry-After`` (seconds or a date) or ``retry-after-ms``."""
        if (ms := _seconds(self.headers.get("retry-after-ms"))) is not None:
            return ms / 1000
        value = self.headers.get("retry-after")
        if value is None:
            return None
        if (seconds := _seconds(value)) is not None:
            return seconds
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
        if self.received_at is None:
            return None
        if when.tzinfo is None:  # how "-0000" is read
            when = when.replace(tzinfo=dt.UTC)
        return max(0.0, (when - self.received_at).total_seconds())


def _seconds(text: str | None) -> float | None:
    """A number of seconds, never negative; ``None`` where it is none, or none that ends."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return max(0.0, value) if math.isfinite(value) else None
