"""Voker: one event a model call, in the provider's own format."""

from __future__ import annotations

from llmtee.spec import Limits, RetryPolicy, Vendor
from llmtee.vendors.voker.api.background import supplement
from llmtee.vendors.voker.detect import detect
from llmtee.vendors.voker.parse import parse
from llmtee.vendors.voker.render import REASONS, render
from llmtee.vendors.voker.settings import GitFacts, Voker
from llmtee.vendors.voker.transport import (
    auth,
    capabilities,
    fingerprint_request,
    judge,
    pack,
    prepare,
    prepared,
)

NO_HISTORY = (
    "its API takes events and gives none back, only agents, their versions and people (`llmtee.voker`). What was sent to "
    "Voker is in the event log of the application that sent it, as far as it is kept (log:DIR), or in files of what was "
    "posted, in the format voker"
)

VENDOR = Vendor(
    name="voker",
    title="Voker",
    settings=Voker,
    grain="event",
    semantics="append",
    # No limit is documented. Bytes: far above any call with images in it; a 413 of Voker's own decides.
    limits=Limits(items=1, bytes=100_000_000, concurrency=4),
    capabilities=capabilities,
    # Voker says nothing of rates, so the first wait is a long one.
    retry=RetryPolicy(initial=1.0, multiplier=2.0, jitter=1.0, maximum=120.0),
    auth=auth,
    render=render,
    pack=pack,
    judge=judge,
    parse=parse,
    detect=detect,
    reasons=REASONS,
    docs="https://docs.voker.ai/api/events",
    prepare=prepare,
    prepared=prepared,
    supplement=supplement,
    no_history=NO_HISTORY,
    check=fingerprint_request,
)

__all__ = ["VENDOR", "GitFacts", "Voker"]
