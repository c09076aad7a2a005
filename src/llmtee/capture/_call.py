"""One call under way: its times, what came, and its record at the end."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Mapping, Sequence
from contextvars import Context, copy_context
from typing import Any

from llmtee.capture._shield import tell
from llmtee.model.snapshot import clean_text, error_text, to_json_value
from llmtee.spec import INCOMPLETE, Recorder

logger = logging.getLogger("llmtee")

_said: set[str] = set()


class Call:
    """A call of a model, from its start until it is recorded, once.

    Most calls need few of the attributes, so that their defaults stand here and not in each call.
    """

    layer = ""
    """Who captures it."""
    under_way = False
    """Whether its request is being made."""
    request: Any = None
    provider: str | None = None
    attempts = 0
    """Requests sent, the first one included; 0 where nobody counts them."""
    retries: int | None = None
    """As the SDK itself says; else it is told by the attempts."""
    request_id: str | None = None
    first_token_at: dt.datetime | None = None
    incomplete = False
    unread: tuple[str, ...] = ()
    """Pieces of a stream that could not be understood."""
    _recorded = False

    def __init__(
        self,
        recorders: Sequence[Recorder],
        format_name: str,
        *,
        said: Mapping[str, Any],
        context: Context | None = None,
    ) -> None:
        """Notes the time.

        Args:
            recorders: who is told.
            format_name: of the record.
            said: fields of the record that the application set for this call.
            context: whose session the call belongs to, where it is recorded later than it was made.
        """
        self.recorders = tuple(recorders)
        self.format_name = format_name
        self._said = said
        self._context = context
        self._started_at = time.time()
        self._began = time.perf_counter()

    def keep_context(self) -> None:
        """It is recorded later, and belongs to the session of now."""
        self._context = copy_context()

    def snapshot(self) -> Any:
        """The request as it was sent, as JSON or `jsontext.Raw`."""
        return self.request

    def finish(
        self,
        response: Any,
        error: BaseException | None = None,
        *,
        ended_at: float | None = None,
    ) -> None:
        """Records the call. What comes after the first time is not recorded again.

        Args:
            response: JSON, or `jsontext.Raw`.
            error: what the application was given.
            ended_at: Unix seconds; now by default.
        """
        if self._recorded:
            return
        self._recorded = True
        try:
            record = self._record(response, error, ended_at)
            if self._context is not None:
                # A copy, because the one itself may be entered: a stream can end in the middle of anything.
                self._context.copy().run(self._tell, record)
            elif len(self.recorders) == 1:
                self.recorders[0].record_json(self.format_name, record)
            else:
                self._tell(record)
        except Exception as failure:  # noqa: BLE001 - told, see `tell`
            tell(self.recorders, failure)

    def _tell(self, record: dict[str, Any]) -> None:
        for recorder in self.recorders:
            recorder.record_json(self.format_name, dict(record))

    def _record(
        self, response: Any, error: BaseException | None, ended_at: float | None
    ) -> dict[str, Any]:
        ended = time.time() if ended_at is None else ended_at
        elapsed = (
            time.perf_counter() - self._began if ended_at is None else ended - self._started_at
        )
        record: dict[str, Any] = {
            "request": self.snapshot(),
            "response": response,
            "started_at": self._started_at,
            "ended_at": ended,
            "duration_ms": round(elapsed * 1000, 3),
            **self._said,
        }
        if error is not None:
            record["error"] = described(error)
        if self.provider is not None:
            record["provider"] = self.provider
        if self.first_token_at is not None:
            record["first_token_at"] = self.first_token_at.isoformat()
        if self.request_id is not None:
            record["source_ids"] = {"request": self.request_id}
        retries = max(0, self.attempts - 1) if self.retries is None else self.retries
        if retries:
            record["metrics"] = {"sdk_retries": retries}
        if self.incomplete:
            record["flags"] = [INCOMPLETE]
        if self.unread:
            record["unread_chunks"] = list(self.unread)
        return record


def now() -> dt.datetime:
    """The time, in UTC."""
    return dt.datetime.now(dt.UTC)


def described(error: BaseException) -> dict[str, Any]:
    """An exception as a record says it: its type, its text, the HTTP status and the provider's own words where it has them."""
    found: dict[str, Any] = {"type": type(error).__name__, "message": error_text(error)}
    status, code = getattr(error, "status_code", None), getattr(error, "code", None)
    if type(status) is not int and type(code) is int:  # google-genai
        status, code = code, getattr(error, "status", None)
    if type(status) is int:
        found["status"] = status
    if isinstance(code, str):
        found["code"] = clean_text(code)
    body = getattr(error, "body", None)
    body = getattr(error, "details", None) if body is None else body
    if body is not None and not callable(body):
        found["body"] = to_json_value(body)
    return found


def say_once(text: str) -> None:
    """A warning that is written once in a process."""
    if text not in _said:
        _said.add(text)
        logger.warning("%s", text)
