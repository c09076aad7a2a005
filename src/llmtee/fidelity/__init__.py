"""What a vendor keeps of an item: computed from what it gives back, never written by hand. Pure."""

from __future__ import annotations

from llmtee.fidelity import _carry as carry
from llmtee.fidelity._encoding import Difference, compare_calls, explain_encoding
from llmtee.fidelity._explain import NoteLike, explain_fitting, explain_rendering
from llmtee.fidelity._ledger import BY_WEIGHT, Change, Entry, Ledger, Status
from llmtee.fidelity._selectors import selector

__all__ = [
    "BY_WEIGHT",
    "Change",
    "Difference",
    "Entry",
    "Ledger",
    "NoteLike",
    "Status",
    "carry",
    "compare_calls",
    "explain_encoding",
    "explain_fitting",
    "explain_rendering",
    "selector",
]
