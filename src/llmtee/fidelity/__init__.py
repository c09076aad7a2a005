"""What a vendor keeps of an item: computed from what it gives back, never written by hand. Pure."""

from __future__ import annotations

from llmtee.fidelity import _carry as carry
from llmtee.fidelity._encoding import Difference, compare_calls, explain_encoding
from llmtee.fidelity._explain import (
    NoteLike,
    emptied,
    explain_fitting,
    explain_missing,
    explain_rendering,
    path_text,
)
from llmtee.fidelity._ledger import BY_WEIGHT, Change, Entry, Ledger, Status
from llmtee.fidelity._selectors import selector
from llmtee.fidelity._values import Found, example, leaves, plain, walk
from llmtee.fidelity._views import printable

__all__ = [
    "BY_WEIGHT",
    "Change",
    "Difference",
    "Entry",
    "Found",
    "Ledger",
    "NoteLike",
    "Status",
    "carry",
    "compare_calls",
    "emptied",
    "example",
    "explain_encoding",
    "explain_fitting",
    "explain_missing",
    "explain_rendering",
    "leaves",
    "path_text",
    "plain",
    "printable",
    "selector",
    "walk",
]
