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
    error_text,
    judge_plainly,
)
from llmtee.vendors.voker import wire
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
    """One request an event: Voker has no batches."""
    fingerprint = {"fingerprint_id": state["fingerprint_id"]} if "fingerprint_id" in state else {}
    return [
        Request("POST", wire.EVENTS_PATH, body={**item.body, **fingerprint}, items=(item,))
        for item in items
    ]


def judge(exchange: Exchange, settings: Voker) -> list[Verdict]:
    """The one verdict of the one event."""
    return [_judge(exchange, settings) for _ in exchange.request.items]


def _judge(exchange: Exchange, settings: Voker) -> Verdict:
    if exchange.status == 404 and _error_type(exchange) == wire.FINGERPRINT_NOT_FOUND:
        if settings.fingerprint_id is not None:
            return Unauthorised(
                f"404: Voker does not know fingerprint_id {settings.fingerprint_id!r}; "
                "leave the setting out to have one created"
            )
        return Retry(f"404: {wire.FINGERPRINT_NOT_FOUND}", refresh=True)
    verdict = judge_plainly(exchange, repeatable=False)
    if isinstance(verdict, Rejected):
        return Rejected(_refusal(exchange))
    if verdict is not None:
        return verdict
    if exchange.json is None and exchange.content.strip() != b"null":
        return Unknown(
            f"{exchange.status}, but the answer is not JSON (is base_url right?): {exchange.excerpt}"
        )
    return Delivered()


# ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _error_type(exchange: Exchange) -> str | None:
    """``type`` at the top level as the page shows it, or under ``detail`` where the SDK looks for it."""
    body = exchange.json
    for holder in (body, _get(body, "detail")):
        if isinstance(kind := _get(holder, "type"), str):
            return kind
    return None


def _refusal(exchange: Exchange) -> str:
    """Why the vendor refuses, naming the field where the answer does."""
    kind = _error_type(exchange)
    if kind == wire.SESSION_ID_EMPTY:
        return f"{exchange.status}: session: is empty ({kind})"
    problems = _validation_problems(exchange.json)
    reason = "; ".join(problems) or kind or error_text(exchange)
    return f"{exchange.status}: {reason}".rstrip(": ")


def _validation_problems(body: Any) -> list[str]:
    """The entries of a framework's validation body: ``{"detail": [{"loc": ["body", "session"], "msg": …}]}``."""
    detail = _get(body, "detail")
    problems = []
    for entry in detail if isinstance(detail, list) else []:
        message, place = _get(entry, "msg"), _get(entry, "loc")
        steps = [str(step) for step in place] if isinstance(place, list) else []
        path = ".".join(steps[1:] if steps[:1] == ["body"] else steps)
        if isinstance(message, str):
            problems.append(f"{path}: {message}" if path else message)
    return problems


def _get(holder: Any, key: str) -> Any:
    return holder.get(key) if isinstance(holder, dict) else None
