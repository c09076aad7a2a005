"""Google's genai SDK, from 1.0: what a call is, and a client of the same name that is traced from the start.

    from llmtee.capture.gemini import Client  # instead of: from google.genai import Client

Importing this module does not import the SDK; the client's name does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmtee.capture._dropin import client_class
from llmtee.capture.gemini._client import unwrap, wrap
from llmtee.spec import Capture

if TYPE_CHECKING:
    from google.genai import Client as Client

CAPTURE = Capture(package="google.genai", title="Google genai", wrap=wrap, unwrap=unwrap)

__all__ = ["CAPTURE", "Client"]


def __getattr__(name: str) -> Any:
    if name != "Client":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = client_class(CAPTURE, name, extra="gemini", home=__name__)
    return found
