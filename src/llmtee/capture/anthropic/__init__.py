"""Anthropic's SDK, from 0.40: what a call is, and clients of the same names that are traced from the start.

    from llmtee.capture.anthropic import Anthropic  # instead of: from anthropic import Anthropic

Importing this module does not import the SDK; a client's name does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmtee.capture._dropin import client_class
from llmtee.capture._stainless import Stainless

if TYPE_CHECKING:
    from anthropic import Anthropic as Anthropic
    from anthropic import AsyncAnthropic as AsyncAnthropic

CAPTURE = Stainless(
    package="anthropic",
    title="Anthropic",
    request_id="request-id",
    paths={"/v1/messages": "anthropic-messages"},
    resources={
        "messages": ("create", "parse", "stream"),
        "beta.messages": ("create", "parse", "stream", "tool_runner"),
    },
).capture()

_CLIENTS = ("Anthropic", "AsyncAnthropic")

__all__ = ["CAPTURE", "Anthropic", "AsyncAnthropic"]


def __getattr__(name: str) -> Any:
    if name not in _CLIENTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = client_class(CAPTURE, name, extra="anthropic", home=__name__)
    return found
