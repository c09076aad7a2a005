"""What an emulator can be told to do instead of answering as the vendor would.

    with InkeepEmulator() as emulator:
        emulator.script(faults.status(429, retry_after=1), faults.reset("after"), faults.ok())

The next three writes are answered 429, then stored without an answer, then stored and answered; every write after
that is answered normally again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any, Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Ok:
    """See `ok`."""

    @property
    def name(self) -> str:
        """What ``Received.fault`` says."""
        return "ok"


@dataclass(frozen=True, slots=True)
class Status:
    """See `status`."""

    code: int
    retry_after: float | dt.datetime | None = None
    body: Any = None

    @property
    def name(self) -> str:
        """What ``Received.fault`` says."""
        return f"status {self.code}"

    @property
    def headers(self) -> Mapping[str, str]:
        """``Retry-After``, where there is one."""
        if self.retry_after is None:
            return {}
        if isinstance(self.retry_after, dt.datetime):
            in_utc = self.retry_after.astimezone(dt.UTC)
            return {"retry-after": format_datetime(in_utc, usegmt=True)}
        return {"retry-after": f"{self.retry_after:g}"}


@dataclass(frozen=True, slots=True)
class Reset:
    """See `reset`."""

    when: Literal["before", "after"]

    @property
    def name(self) -> str:
        """What ``Received.fault`` says."""
        return f"reset {self.when}"


@dataclass(frozen=True, slots=True)
class Hang:
    """See `hang`."""

    handled: bool = False

    @property
    def name(self) -> str:
        """What ``Received.fault`` says."""
        return "hang"


@dataclass(frozen=True, slots=True)
class Drip:
    """See `drip`."""

    bytes_per_chunk: int
    delay: float

    @property
    def name(self) -> str:
        """What ``Received.fault`` says."""
        return "drip"


@dataclass(frozen=True, slots=True)
class Html:
    """See `html`."""

    status: int = 200

    @property
    def name(self) -> str:
        """What ``Received.fault`` says."""
        return "html"


@dataclass(frozen=True, slots=True)
class Partial:
    """See `partial`."""

    @property
    def name(self) -> str:
        """What ``Received.fault`` says."""
        return "partial"


@dataclass(frozen=True, slots=True)
class WrongToken:
    """See `wrong_token`."""

    @property
    def name(self) -> str:
        """What ``Received.fault`` says."""
        return "wrong token"


Fault: TypeAlias = Ok | Status | Reset | Hang | Drip | Html | Partial | WrongToken


def ok() -> Ok:
    """A normal answer, to place between faults."""
    return Ok()


def status(
    code: int, *, retry_after: float | dt.datetime | None = None, body: Any = None
) -> Status:
    """An answer with that status; the request is not acted upon.

    Args:
        code: HTTP status, such as 429 or 503.
        retry_after: the ``Retry-After`` header: seconds, or a timezone-aware time, sent as an HTTP date.
        body: JSON of the answer, or text that need not be JSON; by default the vendor's own error shape.
    """
    if isinstance(retry_after, dt.datetime) and retry_after.tzinfo is None:
        raise ValueError("retry_after needs a timezone: datetime.now(datetime.UTC) + …")
    return Status(code, retry_after, body)


def reset(when: Literal["before", "after"]) -> Reset:
    """The connection is reset (a TCP RST) instead of an answer.

    Args:
        when: ``before`` the body was read, so that nothing is stored, or ``after`` it was acted upon and stored.
    """
    if when not in ("before", "after"):
        raise ValueError(f'when is "before" or "after", not {when!r}')
    return Reset(when)


def hang(*, handled: bool = False) -> Hang:
    """No answer, until the client leaves or the emulator stops.

    Args:
        handled: whether the request is acted upon and stored first.
    """
    return Hang(handled)


def drip(bytes_per_chunk: int = 1, delay: float = 0.01) -> Drip:
    """The normal answer, its body sent in chunks of so many bytes, ``delay`` seconds apart."""
    if bytes_per_chunk < 1:
        raise ValueError("bytes_per_chunk is at least 1")
    return Drip(bytes_per_chunk, delay)


def html(status: int = 200) -> Html:
    """A page of HTML, as a proxy or a wrong address answers; the request is not acted upon."""
    return Html(status)


def partial() -> Partial:
    """The vendor's answer for a batch of which it stored only a part; for vendors that have such an answer."""
    return Partial()


def wrong_token() -> WrongToken:
    """The vendor's answer to a wrong key, though the key is right; the request is not acted upon."""
    return WrongToken()
