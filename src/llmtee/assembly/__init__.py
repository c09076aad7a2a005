"""Events to conversations, and conversations to events. Pure: values in, values out, whatever the order."""

from __future__ import annotations

from llmtee.assembly._assemble import assemble
from llmtee.assembly._segments import fit, following
from llmtee.assembly._session import Session
from llmtee.assembly._split import split

__all__ = ["Session", "assemble", "fit", "following", "split"]
