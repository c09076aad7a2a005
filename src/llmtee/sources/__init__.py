"""What llmtee reads through an API and writes nothing to. The record formats of the same names read their exports."""

from __future__ import annotations

from llmtee.sources.langfuse import Langfuse
from llmtee.sources.langsmith import LangSmith

__all__ = ["LangSmith", "Langfuse"]
