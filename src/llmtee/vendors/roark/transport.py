"""How chats reach Roark: the token, the requests, and what the answers mean.

Source: the seed page *Create a chat*, the error handling of the SDK roark-analytics 7.6.0, and what the vendor's MCP
server says of statuses, November 2026. The bodies of errors are not documented, so they are read with care.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtee.errors import ConfigError
from llmtee.spec import (
    Capabilities,
    Delivered,
    Exchange,
    Rejected,
    Request,
    State,
    Unauthorised,
    Unknown,
    Verdict,
    WireItem,
    error_text,
    judge_plainly,
)
from llmtee.vendors.roark import wire
from llmtee.vendors.roark.settings import Roark


def auth(settings: Roark) -> Mapping[str, str]:
    """The bearer token, and the project where the settings name one: Roark answers an empty header with 400."""
    key = "" if settings.api_key is None else settings.api_key.get_secret_value().strip()
    if not key:
        raise ConfigError("Roark needs a token: pass api_key=… or set ROARK_API_BEARER_TOKEN")
    headers = {"Authorization": f"Bearer {key}"}
    project = (settings.project_id or "").strip()
    return {**headers, wire.PROJECT_HEADER: project} if project else headers


def capabilities(settings: Roark) -> Capabilities:
    """The capability card."""
    once = (
        "A Roark payload without externalId is converted to one without; delivered, every chat has one."
        if settings.external_id
        else "Without externalId a chat whose answer was lost is held: sent again it could be stored twice."
    )
    return Capabilities(
        past_times=True,
        idempotent_by="externalId" if settings.external_id else None,
        partial_answers=False,
        reads_back=True,
        notes=(
            "A chat is written once, when its conversation ended; what comes later is a chat of its own.",
            "Messages read back have offsets; tool invocations and prompts cannot be read back.",
            once,
        ),
    )


def pack(items: Sequence[WireItem], settings: Roark, state: State) -> list[Request]:
    """One request a chat: Roark has no batches."""
    return [Request("POST", wire.CHAT_PATH, body=item.body, items=(item,)) for item in items]


def check_request(settings: Roark) -> Request:
    """Asks for one chat of the list."""
    return Request("GET", wire.CHAT_PATH, query={"limit": "1"})


def judge(exchange: Exchange, settings: Roark) -> list[Verdict]:
    """The one verdict of the one chat."""
    return [_judge(exchange) for _ in exchange.request.items]


def _judge(exchange: Exchange) -> Verdict:
    # The setting is not enough: a payload that was read without an id is written without one.
    recognised = "externalId" in exchange.request.body
    status = exchange.status
    if status == 409 and recognised:
        return Delivered(note="already stored")
    if status == 402:
        return Unauthorised(f"402: {error_text(exchange)} (is the account out of credits?)")
    verdict = judge_plainly(exchange, repeatable=recognised)
    if isinstance(verdict, Rejected):
        return Rejected(_refusal(exchange))
    if isinstance(verdict, Unauthorised) and status == 403:
        return Unauthorised(
            f"{verdict.reason} (the token needs chat:create, and agent:create for agents by name)"
        )
    return verdict or _stored(exchange)


def _stored(exchange: Exchange) -> Verdict:
    """The success status is not documented, so any counts whose body could be Roark's."""
    if exchange.status != 204 and exchange.json is None and exchange.content.strip() != b"null":
        return Unknown(
            f"{exchange.status}, but the answer is not JSON (is base_url right?): {exchange.excerpt}"
        )
    vendor_id = _get(_get(exchange.json, "data"), "id")
    return Delivered(vendor_id=vendor_id if isinstance(vendor_id, str) else None)


# ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _refusal(exchange: Exchange) -> str:
    """Why Roark refuses, naming the field where the answer does."""
    reason = "; ".join(_problems(exchange.json)) or error_text(exchange)
    return f"{exchange.status}: {reason}".rstrip(": ")


def _problems(body: Any) -> list[str]:
    """Entries of the usual lists of validation errors: ``errors``, ``issues``, ``details`` or ``detail``."""
    problems = []
    for holder in (_get(body, "error"), body):
        for key in ("errors", "issues", "details", "detail"):
            listed = _get(holder, key)
            for entry in listed if isinstance(listed, list) else []:
                message = _get(entry, "message") or _get(entry, "msg")
                place = _get(entry, "path") or _get(entry, "loc") or _get(entry, "field")
                path = ".".join(map(str, place)) if isinstance(place, list) else place
                if isinstance(message, str):
                    problems.append(f"{path}: {message}" if isinstance(path, str) else message)
    return problems


def _get(holder: Any, key: str) -> Any:
    return holder.get(key) if isinstance(holder, dict) else None
