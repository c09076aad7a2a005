"""Langfuse: observations, traces and scores, of its API and of its exports, to events. Only read."""

from llmtee.formats.langfuse.codec import FORMAT

__all__ = ["FORMAT"]
