"""Voker's refusals by name, and how they are read from its answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from llmtee.errors import ApiError, ApiNotFound, ApiRejected
from llmtee.spec import Exchange, api_error, error_text
from llmtee.vendors.voker import wire


class AgentNotFound(ApiNotFound):
    """Voker knows no agent of that name."""


class AgentVersionNotFound(ApiNotFound):
    """The agent has no version of that name."""


class PersonNotFound(ApiNotFound):
    """Voker knows no person of that id."""


class FingerprintNotFound(ApiNotFound):
    """Voker does not know the event's fingerprint, or does not know it any more."""


class SessionIdEmpty(ApiRejected):
    """The event's session is empty text."""


KINDS: Final[Mapping[str, type[ApiError]]] = {
    "agent-not-found": AgentNotFound,
    "agent-version-not-found": AgentVersionNotFound,
    "person-not-found": PersonNotFound,
    wire.FINGERPRINT_NOT_FOUND: FingerprintNotFound,
    wire.SESSION_ID_EMPTY: SessionIdEmpty,
}
"""By the ``type`` of Voker's answer."""


def error_type(exchange: Exchange) -> str | None:
    """``type`` at the top level as the page shows it, or under ``detail`` where the SDK looks for it."""
    body = exchange.json
    for holder in (body, _get(body, "detail")):
        if isinstance(kind := _get(holder, "type"), str):
            return kind
    return None


def refusal(exchange: Exchange) -> str:
    """Why Voker refuses, naming the field where the answer does; without the status."""
    kind = error_type(exchange)
    if kind == wire.SESSION_ID_EMPTY:
        return f"session: is empty ({kind})"
    problems = _validation_problems(exchange.json)
    return "; ".join(problems) or kind or error_text(exchange)


def refuse(exchange: Exchange) -> ApiError | None:
    """The error by Voker's own name, or of a body that its framework refuses; ``None`` for anything else."""
    kind = error_type(exchange)
    if kind is not None and kind in KINDS:
        return api_error(KINDS[kind], exchange, refusal(exchange), kind)
    if exchange.status in (400, 409, 422):
        return api_error(ApiRejected, exchange, refusal(exchange), kind)
    return None


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
