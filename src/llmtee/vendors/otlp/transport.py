"""How spans reach an OTLP backend: the headers, and what the answers mean.

Source: the OTLP specification 1.9, *OTLP/HTTP Response*.
"""

from __future__ import annotations

from collections.abc import Mapping

from llmtee.spec import (
    Capabilities,
    Delivered,
    Exchange,
    Rejected,
    Request,
    Retry,
    TooLarge,
    Unauthorised,
    Unknown,
    Verdict,
    error_text,
    judge_plainly,
)
from llmtee.vendors.otlp import wire
from llmtee.vendors.otlp.pack import export
from llmtee.vendors.otlp.settings import OTLP

_AGAIN = (502, 504)
"""Beside 429 and 503, the answers that the specification lets a client send again."""


def auth(settings: OTLP) -> Mapping[str, str]:
    """The headers of the settings, and the bearer token where there is one. Neither has to be there."""
    found = {name: value.get_secret_value() for name, value in settings.headers.items()}
    if settings.api_key is not None:
        found["Authorization"] = f"Bearer {settings.api_key.get_secret_value()}"
    return found


def capabilities(settings: OTLP) -> Capabilities:
    """The capability card."""
    return Capabilities(
        past_times=True,
        idempotent_by=None,
        partial_answers=True,
        reads_back=False,
        notes=(
            "OTLP promises nothing of a span that is sent twice; its ids are the same each time, and many backends know it.",
            "Where yours does, on_unknown='at_least_once' loses nothing.",
            "An event that came as a span keeps its ids; others get derived ones, and a trace for their session.",
            "A backend that refuses some spans of a request does not say which: they all become unknown.",
            "Messages are written on the spans, as JSON text. Sensitive texts are taken out by redact.",
        ),
    )


def check(settings: OTLP) -> Request:
    """An export of no spans."""
    return Request("POST", wire.TRACES_PATH, body=export([], settings))


def judge(exchange: Exchange, settings: OTLP) -> list[Verdict]:
    """One verdict an item.

    A 400 refuses all of a request for something in it, so a batch is split until one span is left.
    """
    items = exchange.request.items
    if exchange.status in _AGAIN:
        reason = f"{exchange.status}: {error_text(exchange)}".rstrip(": ")
        return [Retry(reason, after=exchange.retry_after) for _ in items]
    verdict = judge_plainly(exchange, repeatable=False)
    match verdict:
        case None:
            return [_judge_success(exchange) for _ in items]
        case Rejected(reason) if len(items) > 1:
            split = f"{reason} (a batch of {len(items)}: split to find the span at fault)"
            return [TooLarge(split) for _ in items]
        case _:
            return [verdict for _ in items]


def _judge_success(exchange: Exchange) -> Verdict:
    """What a 2xx says of each span: they share the verdict, because the answer only counts."""
    if not exchange.content:
        return Delivered(note="the answer is empty")
    body = exchange.json
    if not isinstance(body, dict):
        if "protobuf" in exchange.headers.get("content-type", ""):
            return Delivered(note="the answer is in protobuf, and was not read")
        reason = f"{exchange.status}, but the answer is not OTLP's (is base_url right?): {exchange.excerpt}"
        return Unauthorised(reason)
    partial = body.get("partialSuccess")
    partial = partial if isinstance(partial, dict) else {}
    said = partial.get("errorMessage")
    said = said if isinstance(said, str) and said else None
    refused, sent = _count(partial.get("rejectedSpans")), len(exchange.request.items)
    if not refused:
        return Delivered(note=said)
    reason = f"{exchange.status}: {refused} of {sent} spans refused: {said or 'without a reason'}"
    return Rejected(reason) if refused >= sent else Unknown(reason)


def _count(raw: object) -> int:
    """A count, which OTLP/JSON writes as text."""
    if isinstance(raw, str) and raw.isascii() and raw.isdigit() and len(raw) < 20:
        return int(raw)
    return raw if isinstance(raw, int) and not isinstance(raw, bool) and raw > 0 else 0
