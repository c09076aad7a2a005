"""`Operation`: one direct call of a vendor's API, as a value. What a management API is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from llmtee.errors import (
    ApiError,
    ApiNotFound,
    ApiRejected,
    ApiUnauthorised,
    ApiUnavailable,
    ApiUnreachable,
)
from llmtee.spec.verdict import NOT_PROCESSED, RETRYABLE, error_text
from llmtee.spec.wire import Exchange, Failure, Request

T = TypeVar("T")


@dataclass(frozen=True)
class Operation(Generic[T]):
    """A request, and the function that reads its answer. Who executes it knows no vendor."""

    request: Request
    read: Callable[[Exchange], T]
    """What a successful answer says. Raises ``ApiError`` where it says something else."""
    refuse: Callable[[Exchange], ApiError | None] = lambda _: None
    """The vendor's own error for a refusal, by its name; ``None`` where plain HTTP says all there is."""
    repeatable: bool = False
    """Whether sending it twice does what sending it once does, so that it is repeated when the answer was lost."""

    def result(self, exchange: Exchange) -> T:
        """What came of it.

        Raises:
            ApiError: it failed.
        """
        if exchange.status is not None and 200 <= exchange.status < 300:
            return self.read(exchange)
        raise self.refuse(exchange) or plain_error(exchange)

    def may_repeat(self, exchange: Exchange) -> bool:
        """Whether the exchange failed, and the same request is safe to send again and may do better."""
        if exchange.failure is Failure.NOT_SENT:
            return True
        if exchange.failure is not None or exchange.status is None:
            return self.repeatable
        if exchange.status in NOT_PROCESSED:
            return True
        return self.repeatable and (exchange.status in RETRYABLE or exchange.status >= 500)


def api_error(
    kind: type[ApiError],
    exchange: Exchange,
    reason: str,
    type: str | None = None,  # noqa: A002 - as ApiError has it
) -> ApiError:
    """An error of that kind about an exchange."""
    return kind(
        reason,
        method=exchange.request.method,
        path=exchange.request.path,
        status=exchange.status,
        type=type,
        retry_after=exchange.retry_after,
    )


def plain_error(exchange: Exchange) -> ApiError:
    """The error of an exchange that did not succeed, as plain HTTP means it."""
    status = exchange.status
    if exchange.failure is not None or status is None:
        sent = "not sent" if exchange.failure is Failure.NOT_SENT else "no answer"
        return api_error(ApiUnreachable, exchange, f"{sent}: {exchange.failure_text}")
    reason = error_text(exchange) or "no reason given"
    if status in (401, 403, 407):
        return api_error(ApiUnauthorised, exchange, reason)
    if status in NOT_PROCESSED or status >= 500:
        return api_error(ApiUnavailable, exchange, reason)
    if status < 400:
        return api_error(
            ApiUnreachable, exchange, f"leads elsewhere (is base_url right?): {reason}"
        )
    if status in (404, 405):
        return api_error(ApiNotFound, exchange, f"{reason} (is base_url right?)")
    return api_error(ApiRejected, exchange, reason)
