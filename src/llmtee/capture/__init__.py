"""Capture: the calls that an application makes with its provider's own SDK, recorded without calling ``record``.

``tee.wrap(client)`` is the way in; see ``docs/capture.md``. One folder for each SDK, found by entry points in the group
``llmtee.captures``. Nothing here imports an SDK until a client of it is there, or its traced class is asked for.

For bridges that see the same calls from elsewhere: `capturing` tells which layer captures the call that is under way, and
`captured_by` claims one.
"""

from __future__ import annotations

from typing import TypeVar

from llmtee import registry
from llmtee.capture._active import captured_by, capturing

__all__ = ["captured_by", "capturing", "unwrap"]

C = TypeVar("C")


def unwrap(client: C) -> C:
    """The client as it was before anybody wrapped it; the same object. One that was never wrapped stays as it is.

    Raises:
        UsageError: it is no client of an SDK that llmtee knows.
    """
    registry.capture(client).unwrap(client, None)
    return client
