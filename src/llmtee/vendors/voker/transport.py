"""How events reach Voker: the key, the fingerprint, the requests, and what the answers mean.

Source: the seed page *Create Event* and the behaviour of the SDK voker 0.0.15, 2026-11.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import Any

from llmtee._version import __version__
from llmtee.errors import ConfigError
from llmtee.spec import (
    Capabilities,
    Delivered,
    Exchange,
    Rejected,
    Request,
    Retry,
    State,
    Unauthorised,
    Unknown,
    Verdict,
    WireItem,
    judge_plainly,
)
from llmtee.vendors.voker import wire
from llmtee.vendors.voker.errors import error_type, refusal
from llmtee.vendors.voker.settings import Voker


def auth(settings: Voker) -> Mapping[str, str]:
    """The bearer token."""
    key = "" if settings.api_key is None else settings.api_key.get_secret_value().strip()
    if not key:
        raise ConfigError("Voker needs a key: pass api_key=… or set VOKER_API_KEY")
    return {"Authorization": f"Bearer {key}"}


def capabilities(settings: Voker) -> Capabilities:
    """The capability card."""
    return Capabilities(
        past_times=False,
        idempotent_by=None,
        partial_answers=False,
        reads_back=False,
        notes=(
            "Voker dates an event when it receives it: history arrives dated today.",
            "An event whose answer was lost is held: sent again it could be stored twice (see on_unknown).",
            "Only model calls have a place; tool runs and other steps are skipped.",
        ),
    )


# ── the fingerprint ─────────────────────────────────────────────────────────────────────────────────────────────


def fingerprint_request(settings: Voker) -> Request:
    """Registers the client's environment: the three required facts, our version, and what the user added."""
    body: wire.Fingerprint = {
        "language": "python",
        "language_version": platform.python_version(),
        "system": platform.system() or "unknown",
        "voker_sdk_version": f"llmtee/{__version__}",
    }
    if settings.packages is not None:
        body["all_packages"] = settings.packages
    if settings.git is not None:
        facts = settings.git.model_dump(exclude_none=True)
        return _put_fingerprint({**body, **{f"git_{key}": fact for key, fact in facts.items()}})
    return _put_fingerprint(body)


def _put_fingerprint(body: Mapping[str, Any]) -> Request:
    return Request("PUT", wire.FINGERPRINTS_PATH, body=body)


def prepare(settings: Voker, state: State) -> Request | None:
    """The request for a fingerprint, unless the settings name one."""
    return None if settings.fingerprint_id is not None else fingerprint_request(settings)


def prepared(exchange: Exchange, settings: Voker, state: State) -> State | Verdict:
    """The fingerprint's id; else a verdict that keeps every event: no event is at fault."""
    verdict = judge_plainly(exchange, repeatable=True)
    match verdict:
        case None:
            fingerprint = _get(exchange.json, "fingerprint_id")
            if isinstance(fingerprint, str) and fingerprint:
                return {**state, "fingerprint_id": fingerprint}
            return Unauthorised(
                f"{exchange.status}, but the answer has no fingerprint_id (is base_url right?): "
                f"{exchange.excerpt}"
            )
        case Retry() | Unauthorised():
            return verdict
        case Unknown(reason):  # a PUT: asking again does no harm
            return Retry(reason, after=exchange.retry_after)
        case _:
            return Unauthorised(f"Voker refuses the fingerprint: {_refusal(exchange)}")


# ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────


def pack(items: Sequence[WireItem], settings: Voker, state: State) -> list[Request]:
    """One request an item: Voker has no batches."""
    return [_request(item, state) for item in items]


def _request(item: WireItem, state: State) -> Request:
    """The request of an event, or of a call that `background.supplement` rendered."""
    method, path = item.context.get("method", "POST"), item.context.get("path", wire.EVENTS_PATH)
    body = item.body
    if path == wire.EVENTS_PATH and "fingerprint_id" in state:
        body = {**body, "fingerprint_id": state["fingerprint_id"]}
    return Request(method, path, body=body, items=(item,))


def judge(exchange: Exchange, settings: Voker) -> list[Verdict]:
    """The one verdict of the one item."""
    return [_judge(exchange, settings) for _ in exchange.request.items]


def _judge(exchange: Exchange, settings: Voker) -> Verdict:
    kind = error_type(exchange)
    if exchange.status == 404 and kind == wire.FINGERPRINT_NOT_FOUND:
        if settings.fingerprint_id is not None:
            return Unauthorised(
                f"404: Voker does not know fingerprint_id {settings.fingerprint_id!r}; "
                "leave the setting out to have one created"
            )
        return Retry(f"404: {wire.FINGERPRINT_NOT_FOUND}", refresh=True)
    repeatable = exchange.request.method == "PUT"
    if exchange.status == 404 and repeatable and kind is not None:
        return Rejected(
            _refusal(exchange)
        )  # the agent or the person is not there, the address is right
    verdict = judge_plainly(exchange, repeatable=repeatable)
    match verdict:
        case Rejected():
            return Rejected(_refusal(exchange))
        case Unknown(reason) if repeatable:  # asking again does no harm
            return Retry(reason, after=exchange.retry_after)
        case None if exchange.json is None and exchange.content.strip() != b"null":
            said = f"the answer is not JSON (is base_url right?): {exchange.excerpt}"
            return (Retry if repeatable else Unknown)(f"{exchange.status}, but {said}")
        case None:
            return Delivered()
        case _:
            return verdict


def _refusal(exchange: Exchange) -> str:
    return f"{exchange.status}: {refusal(exchange)}".rstrip(": ")


def _get(holder: Any, key: str) -> Any:
    return holder.get(key) if isinstance(holder, dict) else None
