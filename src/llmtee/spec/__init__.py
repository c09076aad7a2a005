"""What a vendor or a format is made of. Public: plug-ins are written against this package."""

from __future__ import annotations

from llmtee.spec.capture import Capture, Recorder
from llmtee.spec.carrying import carry_of, carrying, with_carry
from llmtee.spec.edge import Edge, beyond
from llmtee.spec.format import Format, Traces
from llmtee.spec.operation import Operation, api_error, plain_error
from llmtee.spec.outgoing import Outgoing, outgoing, supplement_out
from llmtee.spec.reading import Page, Position, Reader, Window
from llmtee.spec.settings import Encoding, Env, ExporterSettings
from llmtee.spec.source import SourceSettings, only_read
from llmtee.spec.stream import INCOMPLETE, StreamAccumulator, stream_fields
from llmtee.spec.trimming import middle, trim_middle
from llmtee.spec.vendor import Capabilities, CarrySlot, Limits, RetryPolicy, State, Vendor
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
    "INCOMPLETE",
    "Capabilities",
    "Capture",
    "CarrySlot",
    "Delivered",
    "Edge",
    "Encoding",
    "Env",
    "Exchange",
    "ExporterSettings",
    "Failure",
    "Format",
    "Limits",
    "Note",
    "Operation",
    "Outgoing",
    "Page",
    "Position",
    "Reader",
    "Recorder",
    "Rejected",
    "Request",
    "Retry",
    "RetryPolicy",
    "SourceSettings",
    "State",
    "StreamAccumulator",
    "TooLarge",
    "Traces",
    "Unauthorised",
    "Unknown",
    "Vendor",
    "Verdict",
    "Window",
    "WireItem",
    "api_error",
    "beyond",
    "carry_of",
    "carrying",
    "error_text",
    "judge_plainly",
    "middle",
    "only_read",
    "outgoing",
    "plain_error",
    "stream_fields",
    "supplement_out",
    "trim_middle",
    "with_carry",
]
