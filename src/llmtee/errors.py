"""Every exception llmtee raises on purpose.

    LlmteeError
    ├── UsageError              a call or a setting that cannot work; change the code or the command
    │   ├── ConfigError         a setting is missing or invalid (names the argument and the variable)
    │   └── UnknownName         no such vendor or format (lists those there are)
    ├── InputError              a record or payload cannot be read (names source, line and JSON path)
    ├── RenderError             an item has no valid shape at a vendor (names the field)
    ├── ConversionStopped       a conversion ended before its input did (says why, and what was kept)
    ├── HistoryIncomplete       a vendor's history does not add up, or cannot be read at all (says what to do)
    ├── EventLogError           the event log cannot be used (names the directory)
    │   └── NewerEventLog       a newer llmtee wrote it
    └── ApiError                a direct call of a vendor's API failed (has status, type, method and path)
        ├── ApiUnreachable      there was no answer, or none that is the vendor's
        ├── ApiUnauthorised     the key is refused
        ├── ApiUnavailable      the vendor cannot answer now, however often it was asked
        ├── ApiNotFound         the call names something that the vendor does not have
        └── ApiRejected         the vendor refuses what the call says (names the field where the answer does)

A vendor's own errors, such as ``llmtee.voker.AgentNotFound``, are kinds of ``ApiNotFound`` and ``ApiRejected``.

This module imports nothing from llmtee, so that every layer may raise from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class LlmteeError(Exception):
    """Base of all errors that llmtee raises on purpose."""


class UsageError(LlmteeError):
    """The caller asked for something that cannot work."""


class ConfigError(UsageError):
    """A setting is missing or invalid."""


class UnknownName(UsageError):
    """A vendor or format name that nobody has registered."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, tuple(sorted(known))
        near = get_close_matches(name, self.known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        super().__init__(f"no {kind} is named {name!r}; {hint}known: {', '.join(self.known)}")

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.kind, self.name, self.known)


class InputError(LlmteeError):
    """A record or payload that cannot be read.

    Attributes:
        reason: what is wrong and the way out, without the place.
        source: the file or stream, when known.
        line: one-based line number, when known.
        path: JSON path of the offending value, such as ``request.messages[2].role``.
    """

    def __init__(
        self,
        reason: str,
        *,
        source: str | None = None,
        line: int | None = None,
        path: str | None = None,
    ) -> None:
        self.reason, self.source, self.line, self.path = reason, source, line, path
        place = ":".join(str(part) for part in (source, line) if part is not None)
        super().__init__(": ".join(part for part in (place, path, reason) if part))

    def at(self, *, source: str | None = None, line: int | None = None) -> InputError:
        """The same error, placed in a file."""
        return InputError(
            self.reason,
            source=source if source is not None else self.source,
            line=line if line is not None else self.line,
            path=self.path,
        )

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_input_error, (self.reason, self.source, self.line, self.path)


def _rebuild_input_error(
    reason: str, source: str | None, line: int | None, path: str | None
) -> InputError:
    return InputError(reason, source=source, line=line, path=path)


class RenderError(LlmteeError):
    """An item that has no valid shape at a vendor, such as a chat without any message."""


class ConversionStopped(LlmteeError):
    """A conversion ended before its input did: there were too many errors, or a worker process was lost.

    What was written is kept where that is possible, and ``resume=True`` goes on with it.

    Attributes:
        report: what was done until then, a ``Report``, where it was counted.
    """

    def __init__(self, reason: str, report: Any = None) -> None:
        self.report = report
        super().__init__(reason)


class HistoryIncomplete(LlmteeError):
    """What a vendor answers of its history does not add up, or it has none to read. Never passed over."""


class EventLogError(LlmteeError):
    """The event log cannot be opened or written."""


class NewerEventLog(EventLogError):
    """A newer llmtee wrote the event log. Waiting does not help."""


class ApiError(LlmteeError):
    """A direct call of a vendor's API failed.

    Attributes:
        reason: what is wrong, in the vendor's words where it said something.
        status: the HTTP status; ``None`` where there was no answer.
        type: the vendor's own name of the error, where the answer has one.
        method: of the request, such as ``GET``.
        path: of the request, percent-encoded.
        retry_after: seconds that the vendor asks to wait, where it says so.
    """

    def __init__(
        self,
        reason: str,
        *,
        method: str,
        path: str,
        status: int | None = None,
        type: str | None = None,  # noqa: A002 - the vendors' word for it
        retry_after: float | None = None,
    ) -> None:
        self.reason, self.method, self.path = reason, method, path
        self.status, self.type, self.retry_after = status, type, retry_after
        place = f"{method} {path}: "
        super().__init__(f"{place}{reason}" if status is None else f"{place}{status}: {reason}")

    def __reduce__(self) -> tuple[object, ...]:
        names = ("method", "path", "status", "type", "retry_after")
        return _rebuild_api_error, (type(self), self.reason, {n: getattr(self, n) for n in names})


def _rebuild_api_error(kind: type[ApiError], reason: str, attributes: dict[str, Any]) -> ApiError:
    return kind(reason, **attributes)


class ApiUnreachable(ApiError):
    """There was no answer, or none that is the vendor's: no connection, a timeout, a page of something else."""


class ApiUnauthorised(ApiError):
    """The vendor refuses the key."""


class ApiUnavailable(ApiError):
    """The vendor cannot answer now: it is overloaded, limits the rate, or fails by itself."""


class ApiNotFound(ApiError):
    """The call names something that the vendor does not have."""


class ApiRejected(ApiError):
    """The vendor refuses what the call says."""
