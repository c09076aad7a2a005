"""What leaves the process: which items, and what is taken out of them. Pure functions of plain values."""

from __future__ import annotations

from llmtee.privacy._detectors import DETECTORS, GROUPS
from llmtee.privacy._redaction import Function, Redacted, Redaction
from llmtee.privacy._where import Predicate, Where, declined, has_error, in_sample

__all__ = [
    "DETECTORS",
    "GROUPS",
    "Function",
    "Predicate",
    "Redacted",
    "Redaction",
    "Where",
    "declined",
    "has_error",
    "in_sample",
]
