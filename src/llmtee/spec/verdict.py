"""Verdicts: what became of one item in one exchange, and the reading of plain HTTP that vendors share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from llmtee.spec.wire import Exchange, Failure


@dataclass(frozen=True, slots=True)
class Delivered:
    """The vendor has it. Acknowledge."""

    vendor_id: str | None = None
    """The vendor's id for it, where the answer names one."""
    note: str | None = None
    """Such as ``already stored``."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Surely not stored, and worth another try."""

    reason: str
    after: float | None = None
    """Seconds that the vendor asked for; the engine's own backoff when that is longer or this is ``None``."""
    refresh: bool = False
    """Whether what ``prepare`` made must be made anew first."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The vendor will never take it. Dead letter."""

    reason: str


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The request is too large: split it; shrink a single item."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unauthorised:
    """The key, or the address, is wrong: pause the exporter and keep everything."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The answer was lost after the request left; it may be stored or not."""

    reason: str


Verdict: TypeAlias = Delivered | Retry | Rejected | TooLarge | Unauthorised | Unknown

RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})
NOT_PROCESSED = frozenset({408, 425, 429, 503})
"""Answers that mean that the vendor did not act on the request."""


def error_text(exchange: Exchange) -> str:
    """What the answer says is wrong, from the usual places, else the start of its text."""
    body = exchange.json
    if isinstance(body, dict):
        for holder in (body.get("error"), body):
            if isinstance(holder, str) and holder:
                return holder
            if isinstance(holder, dict):
                for key in ("message", "detail", "title", "type"):
                    if isinstance(holder.get(key), str) and holder[key]:
                        return str(holder[key])
    return exchange.excerpt


def judge_plainly(exchange: Exchange, *, repeatable: bool) -> Verdict | None:
    """The verdict of an exchange as plain HTTP means it; ``None`` for a 2xx, whose body the vendor must read.

    Args:
        exchange: the request and its answer or failure.
        repeatable: whether the vendor recognises a repetition. If not, a 5xx that may come after the work was done
            is `Unknown`, not `Retry`.
    """
    status = exchange.status
    if exchange.failure is Failure.NOT_SENT:
        return Retry(f"not sent: {exchange.failure_text}")
    if exchange.failure is not None or status is None:
        return Unknown(f"no answer: {exchange.failure_text}")
    if 200 <= status < 300:
        return None
    reason = f"{status}: {error_text(exchange)}".rstrip(": ")
    if status in (401, 403, 407):
        return Unauthorised(reason)
    if status == 413:
        return TooLarge(reason)
    if status in NOT_PROCESSED or (repeatable and (status in RETRYABLE or status >= 500)):
        return Retry(reason, after=exchange.retry_after)
    if status >= 500:
        return Unknown(reason)
    if status in (404, 405) or status < 400:
        # No item is at fault when the address is: losing the queue to a mistyped base_url would be unforgivable.
        return Unauthorised(
            f"{reason} (is base_url right? {exchange.request.method} {exchange.request.path} "
            "does not exist there)"
        )
    return Rejected(reason)
