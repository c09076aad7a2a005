"""What a vendor keeps of an item: computed from what it gives back, never written by hand. Pure."""

from __future__ import annotations

from llmtee.fidelity import _carry as carry
from llmtee.fidelity._explain import NoteLike, explain_fitting, explain_rendering
from llmtee.fidelity._ledger import BY_WEIGHT, Change, Entry, Ledger, Status

__all__ = [
    "BY_WEIGHT",
    "Change",
    "Entry",
    "Ledger",
    "NoteLike",
    "Status",
    "carry",
    "explain_fitting",
    "explain_rendering",
]
