"""How Inkeep is spoken to: the key, one conversation a request, and what its answers mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmtee.errors import ConfigError
from llmtee.spec import (
    Capabilities,
    Delivered,
    Exchange,
    Request,
    State,
    Unauthorised,
    Unknown,
    Verdict,
    WireItem,
    judge_plainly,
)
from llmtee.vendors.inkeep import feedback
from llmtee.vendors.inkeep.settings import API_KEY_VARIABLES, Inkeep

PATH = "/conversations"


def capabilities(settings: Inkeep) -> Capabilities:
    """The capability card; the same under all settings."""
    return Capabilities(
        past_times=True,
        idempotent_by="id",
        partial_answers=False,
        reads_back=True,
        notes=(
            "Each write replaces the conversation and carries all of its messages.",
            "A conversation whose JSON exceeds 2 MB cannot be split; llmtee trims it, longest texts first, and says so.",
            "The key of a Web integration only writes: reading back, and the check, need the key of an API integration.",
            "Conversations and feedback can be read back; usage events cannot.",
        ),
    )


def auth(settings: Inkeep) -> Mapping[str, str]:
    """The ``Authorization`` header.

    Raises:
        ConfigError: there is no key.
    """
    key = settings.api_key.get_secret_value().strip() if settings.api_key else ""
    scheme, _, rest = key.partition(" ")
    token = rest.strip() if scheme == "Bearer" else key
    if not token:
        variables = " or ".join(API_KEY_VARIABLES)
        raise ConfigError(f"Inkeep needs a key: pass Inkeep(api_key=…) or set {variables}")
    return {"Authorization": f"Bearer {token}"}


def pack(items: Sequence[WireItem], settings: Inkeep, state: State) -> list[Request]:
    """One request for each conversation, and for each feedback: Inkeep has no batch."""
    return [
        feedback.request(item) or Request(method="POST", path=PATH, body=item.body, items=(item,))
        for item in items
        if item.body is not None
    ]


def judge(exchange: Exchange, settings: Inkeep) -> list[Verdict]:
    """The verdict of the one conversation in the request."""
    return [_verdict(exchange)] * len(exchange.request.items)


def check(settings: Inkeep) -> Request:
    """Lists one conversation."""
    return Request(method="GET", path=PATH, query={"limit": "1"})


def _verdict(exchange: Exchange) -> Verdict:
    plain = feedback.verdict(exchange, judge_plainly(exchange, repeatable=True))
    if plain is None:
        return _accepted(exchange)
    if isinstance(plain, Delivered) or not (details := _details(exchange, plain.reason)):
        return plain
    return replace(plain, reason=f"{plain.reason} ({details})")


def _accepted(exchange: Exchange) -> Verdict:
    answer = exchange.json
    if isinstance(answer, dict) and isinstance(stored := answer.get("id"), str):
        return Delivered(vendor_id=stored)
    if answer is None and exchange.content.lstrip()[:1] == b"{":
        return Unknown(f"{exchange.status}: the answer was cut short")
    # Something answered, but not Inkeep, whose answer is the conversation: a portal, a proxy's page, another service.
    kind = exchange.headers.get("content-type", "no content type")
    return Unauthorised(
        f"{exchange.status}: the answer is not Inkeep's, which names the conversation, but {kind}; "
        f"is base_url right? {exchange.excerpt}".rstrip()
    )


def _details(exchange: Exchange, said: str) -> str:
    """What a problem document says beside what ``said`` says already."""
    problem = exchange.json
    if not isinstance(problem, dict):
        return ""
    error = problem.get("error")
    found: list[tuple[str, Any]] = [
        ("", problem.get("title")),
        ("", problem.get("detail")),
        ("code ", problem.get("code") or (error.get("code") if isinstance(error, dict) else None)),
        ("request ", problem.get("requestId")),
    ]
    return ", ".join(
        f"{name}{value}" for name, value in found if isinstance(value, str) and value not in said
    )
