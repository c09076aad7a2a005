"""OpenAI's SDK, from 1.40: what a call is, and clients of the same names that are traced from the start.

    from llmtee.capture.openai import OpenAI  # instead of: from openai import OpenAI

Importing this module does not import the SDK; a client's name does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmtee.capture._dropin import client_class
from llmtee.capture._stainless import Stainless

if TYPE_CHECKING:
    from openai import AsyncAzureOpenAI as AsyncAzureOpenAI
    from openai import AsyncOpenAI as AsyncOpenAI
    from openai import AzureOpenAI as AzureOpenAI
    from openai import OpenAI as OpenAI

CAPTURE = Stainless(
    package="openai",
    title="OpenAI",
    request_id="x-request-id",
    paths={"/chat/completions": "openai-chat", "/responses": "openai-responses"},
    resources={
        "chat.completions": ("create", "parse", "stream"),
        "responses": ("create", "parse", "stream"),
    },
    before={"chat.completions": "beta.chat.completions"},
).capture()

_CLIENTS = ("AsyncAzureOpenAI", "AsyncOpenAI", "AzureOpenAI", "OpenAI")

__all__ = ["CAPTURE", "AsyncAzureOpenAI", "AsyncOpenAI", "AzureOpenAI", "OpenAI"]


def __getattr__(name: str) -> Any:
    if name not in _CLIENTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = client_class(CAPTURE, name, extra="openai", home=__name__)
    return found
