"""Any backend that speaks OTLP: events as spans of OpenTelemetry's GenAI conventions."""

from __future__ import annotations

from llmtee.spec import CarrySlot, RetryPolicy, Vendor
from llmtee.vendors.otlp.pack import LIMITS, pack
from llmtee.vendors.otlp.parse import detect, parse
from llmtee.vendors.otlp.render import FREE_FORM, REASONS, render
from llmtee.vendors.otlp.settings import OTLP
from llmtee.vendors.otlp.shrink import shrink
from llmtee.vendors.otlp.transport import auth, capabilities, check, judge
from llmtee.vendors.otlp.wire import CARRY_KEY

VENDOR = Vendor(
    name="otlp",
    title="OTLP",
    docs="https://opentelemetry.io/docs/specs/otlp/#otlphttp",
    settings=OTLP,
    grain="event",
    semantics="append",
    limits=LIMITS,
    capabilities=capabilities,
    retry=RetryPolicy(initial=1.0, multiplier=2.0, jitter=1.0, maximum=60.0),
    auth=auth,
    render=render,
    pack=pack,
    judge=judge,
    parse=parse,
    detect=detect,
    free_form=FREE_FORM,
    carry=CarrySlot(
        f"attributes.{CARRY_KEY}", items=("", "[]", "resourceSpans[].scopeSpans[].spans[]")
    ),
    reasons=REASONS,
    shrink=shrink,
    no_history=(
        "OTLP only writes. Export from the backend that stores the spans, and read those files in the format otel-genai"
    ),
    check=check,
)

__all__ = ["OTLP", "VENDOR"]
