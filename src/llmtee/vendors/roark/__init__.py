"""Roark: one chat a conversation, written once when it ended."""

from __future__ import annotations

from llmtee.spec import Limits, RetryPolicy, Vendor
from llmtee.vendors.roark.detect import detect
from llmtee.vendors.roark.parse import parse
from llmtee.vendors.roark.read import CARRY, read
from llmtee.vendors.roark.readable import readable
from llmtee.vendors.roark.render import REASONS, render
from llmtee.vendors.roark.settings import Roark
from llmtee.vendors.roark.shrink import shrink
from llmtee.vendors.roark.transport import auth, capabilities, check_request, judge, pack

VENDOR = Vendor(
    name="roark",
    title="Roark",
    settings=Roark,
    grain="conversation",
    semantics="append",
    # No limit is documented: a size that an API of this kind takes.
    limits=Limits(items=1, bytes=5_000_000, concurrency=4),
    capabilities=capabilities,
    # As the vendor's own SDK: half a second, doubling; it stops after three tries, we have the time.
    retry=RetryPolicy(initial=0.5, multiplier=2.0, jitter=0.5, maximum=60.0),
    docs="https://docs.roark.ai/api-reference/chat/create-a-chat",
    send_when="ended",
    quiet=600.0,
    auth=auth,
    render=render,
    pack=pack,
    judge=judge,
    parse=parse,
    detect=detect,
    free_form=("properties",),
    carry=CARRY,
    reasons=REASONS,
    shrink=shrink,
    read=read,
    readable=readable,
    check=check_request,
)

__all__ = ["VENDOR", "Roark"]
