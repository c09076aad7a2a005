"""Inkeep Analytics: whole conversations, sent again whenever they change.

Source of the facts: the seed page *Log Conversation* and the vendor's own TypeScript SDK, November 2026.
"""

from __future__ import annotations

from llmtee.spec import Limits, RetryPolicy, Vendor
from llmtee.vendors.inkeep.detect import detect
from llmtee.vendors.inkeep.feedback import read_supplement, readable, supplement
from llmtee.vendors.inkeep.parse import parse
from llmtee.vendors.inkeep.read import CARRY, read
from llmtee.vendors.inkeep.render import render
from llmtee.vendors.inkeep.settings import Inkeep
from llmtee.vendors.inkeep.shrink import shrink
from llmtee.vendors.inkeep.transport import auth, capabilities, check, judge, pack
from llmtee.vendors.inkeep.wire import MAX_BYTES

__all__ = ["VENDOR", "Inkeep"]

VENDOR: Vendor[Inkeep] = Vendor(
    name="inkeep",
    title="Inkeep",
    settings=Inkeep,
    grain="conversation",
    semantics="upsert",
    limits=Limits(items=1, bytes=MAX_BYTES, concurrency=4),
    capabilities=capabilities,
    retry=RetryPolicy(initial=0.5, multiplier=2.0, jitter=0.5, maximum=60.0),
    docs="https://docs.inkeep.com/analytics-api/conversation/log",
    send_when="changed",
    quiet=2.0,
    patience=30.0,
    auth=auth,
    render=render,
    pack=pack,
    judge=judge,
    parse=parse,
    detect=detect,
    free_form=("properties", "messages[].properties"),
    carry=CARRY,
    reasons={
        "agents": "Inkeep has no agents; name and version stand in properties",
        "tool_runs": "Inkeep has no tool runs; they stand with the results, or in properties.toolRuns",
        "title": "Inkeep names conversations itself; the title stands in properties",
        "messages[].generation": "Inkeep has no fields for model, tokens, cost or latency of a message",
        "messages[].ended_at": "Inkeep dates a message with one time",
        "messages[].role": "Inkeep's openai conversations know the roles system, user and assistant",
        "messages[].parts": "Inkeep's messages hold text, images by address, links and function calls",
    },
    shrink=shrink,
    supplement=supplement,
    read_supplement=read_supplement,
    read=read,
    readable=readable,
    check=check,
)
