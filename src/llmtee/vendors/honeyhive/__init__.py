"""HoneyHive: batches of events, one session each, in two generations of the API."""

from __future__ import annotations

from llmtee.spec import RetryPolicy, Vendor
from llmtee.vendors.honeyhive.answers import CARRY
from llmtee.vendors.honeyhive.detect import detect
from llmtee.vendors.honeyhive.pack import LIMITS, for_history, pack
from llmtee.vendors.honeyhive.parse import parse
from llmtee.vendors.honeyhive.read import read
from llmtee.vendors.honeyhive.readable import readable
from llmtee.vendors.honeyhive.render import FREE_FORM, REASONS, render
from llmtee.vendors.honeyhive.settings import HoneyHive
from llmtee.vendors.honeyhive.shrink import shrink
from llmtee.vendors.honeyhive.transport import auth, capabilities, check, judge
from llmtee.vendors.honeyhive.update import amended, read_supplement, supplement

VENDOR = Vendor(
    name="honeyhive",
    title="HoneyHive",
    docs="https://docs.honeyhive.ai/v2/api-reference-autogen/events/create-a-batch-of-events",
    settings=HoneyHive,
    grain="event",
    # A repetition overwrites an event; nothing is ever added to one.
    semantics="append",
    limits=LIMITS,
    capabilities=capabilities,
    # The pace of HoneyHive's own SDK where that retries: from one second, doubling, to a minute.
    retry=RetryPolicy(initial=1.0, multiplier=2.0, jitter=0.5, maximum=60.0),
    auth=auth,
    render=render,
    pack=pack,
    judge=judge,
    parse=parse,
    detect=detect,
    free_form=FREE_FORM,
    carry=CARRY,
    reasons=REASONS,
    shrink=shrink,
    supplement=supplement,
    read_supplement=read_supplement,
    amend=amended,
    read=read,
    readable=readable,
    for_history=for_history,
    check=check,
)

__all__ = ["VENDOR", "HoneyHive"]
