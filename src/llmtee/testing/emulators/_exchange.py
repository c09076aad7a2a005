"""What an emulator is made of and speaks in: routes, calls, answers, and the record of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from llmtee import jsontext


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint of a vendor."""

    method: str
    path: str
    """Such as ``/conversations/{id}``; a name in braces matches one segment, percent-decoded."""
    handler: str
    """Name of the method that answers: ``def create(self, call: Call) -> Answer``."""
    write: bool = True
    """Whether scripted faults apply to it."""

    def match(self, path: str) -> dict[str, str] | None:
        """The values of the names in braces; ``None`` where ``path`` (percent-encoded) is another one."""
        wanted, given = self.path.split("/"), path.split("/")
        if len(wanted) != len(given):
            return None
        params = {}
        for want, got in zip(wanted, map(unquote, given), strict=True):
            if want.startswith("{") and want.endswith("}") and got:
                params[want[1:-1]] = got
            elif want != got:
                return None
        return params


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as a handler sees it: authenticated, within limits, its JSON read."""

    method: str
    path: str
    """As sent, percent-encoded."""
    params: Mapping[str, str] = field(default_factory=dict)
    """What stands at the names in braces of the route's path, percent-decoded."""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """With lower-case names."""
    body: Any = None
    """JSON, or ``None`` where there was no body."""
    size: int = 0
    """Bytes of the body."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the vendor answers."""

    status: int = 200
    body: Any = None
    """JSON, or text that is sent as it is, or ``None`` for no body."""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The body's bytes."""
        if self.body is None:
            return b""
        return self.body.encode() if isinstance(self.body, str) else jsontext.dumps(self.body)

    @property
    def media_type(self) -> str:
        """The ``Content-Type``, unless the headers name one."""
        return "text/plain" if isinstance(self.body, str) else "application/json"


@dataclass(frozen=True, slots=True)
class Received:
    """One request that arrived, for tests to look at."""

    number: int
    """Counts from 1."""
    method: str
    path: str
    """As sent, percent-encoded."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """With lower-case names, without ``Authorization``."""
    body: Any
    """JSON; text where it was not JSON; ``None`` where there was none or it was not read."""
    status: int | None
    """The status answered; ``None`` where the answer was withheld."""
    fault: str | None = None
    """The scripted fault that it met, such as ``status 429`` or ``reset after``."""
