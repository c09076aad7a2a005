"""Asks a vendor whether key and address are right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llmtee.delivery.exporter import Exporter
from llmtee.delivery.transport import exchange
from llmtee.errors import UsageError
from llmtee.spec import Exchange, ExporterSettings, Vendor, judge_plainly


@dataclass(frozen=True, slots=True)
class Check:
    """What came of it."""

    ok: bool
    status: int | None
    says: str
    """A sentence, or the vendor's own words."""


def check_vendor(vendor: Vendor[Any], settings: ExporterSettings) -> Check:
    """Sends the vendor's check request and reads the answer.

    Raises:
        UsageError: the vendor has no request that changes nothing.
        ConfigError: the key is missing.
    """
    if vendor.check is None:
        raise UsageError(f"{vendor.title} has no harmless request to check a key with")
    answer = exchange(Exporter(vendor=vendor, settings=settings), vendor.check(settings))
    problem = _problem(answer)
    return Check(problem is None, answer.status, problem or "the key is accepted")


def _problem(answer: Exchange) -> str | None:
    verdict = judge_plainly(answer, repeatable=True)
    if verdict is not None:
        return getattr(verdict, "reason", "refused")
    if answer.content.strip() and answer.json is None:
        return f"{answer.status}, but no JSON (is base_url right?): {answer.excerpt[:80]}"
    return None
