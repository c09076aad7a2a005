"""What a vendor or a format is made of. Public: plug-ins are written against this package."""

from __future__ import annotations

from llmtee.spec.format import Format
from llmtee.spec.settings import Encoding, Env, ExporterSettings
from llmtee.spec.trimming import middle, trim_middle
from llmtee.spec.vendor import Capabilities, Limits, RetryPolicy, State, Vendor
from llmtee.spec.verdict import (
    Delivered,
    Rejected,
    Retry,
    TooLarge,
    Unauthorised,
    Unknown,
    Verdict,
    error_text,
    judge_plainly,
)
from llmtee.spec.wire import Exchange, Failure, Note, Request, WireItem

__all__ = [
    "Capabilities",
    "Delivered",
    "Encoding",
    "Env",
    "Exchange",
    "ExporterSettings",
    "Failure",
    "Format",
    "Limits",
    "Note",
    "Rejected",
    "Request",
    "Retry",
    "RetryPolicy",
    "State",
    "TooLarge",
    "Unauthorised",
    "Unknown",
    "Vendor",
    "Verdict",
    "WireItem",
    "error_text",
    "judge_plainly",
    "middle",
    "trim_middle",
]
