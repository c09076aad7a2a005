"""How events reach HoneyHive: the key, and what the answers mean.

Source: the seed page *Create a batch of events*, the OpenAPI documents 1.1.0 and 1.9.0, the Python SDK honeyhive
1.7.0, 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.errors import ConfigError
from llmtee.spec import (
    Capabilities,
    Delivered,
    Exchange,
    Rejected,
    Request,
    Retry,
    TooLarge,
    Unauthorised,
    Verdict,
    WireItem,
    error_text,
    judge_plainly,
)
from llmtee.vendors.honeyhive import update, wire
from llmtee.vendors.honeyhive.pack import is_rider
from llmtee.vendors.honeyhive.settings import HoneyHive


def auth(settings: HoneyHive) -> Mapping[str, str]:
    """The bearer token."""
    if settings.api_key is None:
        raise ConfigError("HoneyHive needs a key: pass api_key=… or set HH_API_KEY")
    return {"Authorization": f"Bearer {settings.api_key.get_secret_value()}"}


def capabilities(settings: HoneyHive) -> Capabilities:
    """The capability card."""
    return Capabilities(
        past_times=True,
        idempotent_by="event_id",
        partial_answers=True,
        reads_back=True,
        notes=(
            "An event that is sent twice overwrites itself; HoneyHive documents no more than that an event has one id.",
            "Ids that are not UUIDs are mapped to UUIDs; the originals are in metadata.",
            "Limits are undocumented: 100 events and 5 MB a request unless you say otherwise.",
            "An ingestion key can write but not read back.",
        ),
    )


def check(settings: HoneyHive) -> Request:
    """Reads one event."""
    body: dict[str, Any] = {"filters": [], "limit": 1}
    if settings.api == "legacy":
        body["project"] = settings.project
    return Request("POST", wire.api(settings.api).read_path, body=body)


def judge(exchange: Exchange, settings: HoneyHive) -> list[Verdict]:
    """One verdict an item.

    An event counts as delivered when the answer names its id, at 200 as at the 500 of a batch that was created in
    part. An answer that refuses a batch does not say which event is at fault, so the batch is split until one is left.
    """
    items = exchange.request.items
    if (of_update := update.judge(exchange)) is not None:
        return [of_update for _ in items]
    named = _event_ids(exchange.json)
    if exchange.status == 500 and named is not None:
        return [_judge_in_part(item, exchange, named) for item in items]
    verdict = judge_plainly(exchange, repeatable=True)
    match verdict:
        case None:
            return _judge_success(exchange, named)
        case Rejected(reason) if len(items) > 1:
            split = TooLarge(
                f"{reason} (a batch of {len(items)}: split to find the event at fault)"
            )
            return [split for _ in items]
        case _:
            return [verdict for _ in items]


def _judge_success(exchange: Exchange, named: frozenset[str] | None) -> list[Verdict]:
    items, body = exchange.request.items, exchange.json
    if named is not None:
        return [_judge_in_part(item, exchange, named) for item in items]
    success = body.get("success") if isinstance(body, dict) else None
    if success is True:
        note = "the answer says success and names no event"
        return [Delivered(note=note) for _ in items]
    if success is False:
        return [Retry(f"{exchange.status}: {error_text(exchange)}") for _ in items]
    # Any other page that answers 200 is not HoneyHive: keep everything until the address is put right.
    reason = f"{exchange.status}, but the answer is not HoneyHive's (is base_url right?): {exchange.excerpt}"
    return [Unauthorised(reason) for _ in items]


def _judge_in_part(item: WireItem, exchange: Exchange, named: frozenset[str]) -> Verdict:
    if is_rider(item, exchange.request):
        if named or exchange.status != 500:
            return Delivered(vendor_id=item.body["session_id"], note="as session_properties")
        return _not_created(exchange)
    event_id = item.body["event_id"]
    if event_id.lower() in named:
        return Delivered(vendor_id=event_id)
    return _not_created(exchange)


def _not_created(exchange: Exchange) -> Retry:
    errors = exchange.json.get("errors")
    said = [error for error in errors if isinstance(error, str)] if isinstance(errors, list) else []
    why = f"; errors, of this event or others: {'; '.join(said)}" if said else ""
    reason = f"{exchange.status}: the answer does not name the event among those created{why}"
    return Retry(reason, after=exchange.retry_after)


def _event_ids(body: Any) -> frozenset[str] | None:
    """The events that an answer names, in lower case; ``None`` where it is no answer to a batch."""
    found = body.get("event_ids") if isinstance(body, dict) else None
    if not isinstance(found, list):
        return None
    return frozenset(one.lower() for one in found if isinstance(one, str))
