"""LangSmith: runs, of its API and of its exports, to events. Only read."""

from llmtee.formats.langsmith.codec import FORMAT

__all__ = ["FORMAT"]
