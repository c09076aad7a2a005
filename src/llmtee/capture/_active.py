"""Which layer captures the call that is under way in this task or thread: one call is recorded once.

A layer that sees the same call from further in (a wrapped client within a framework, a span of an SDK's own telemetry)
asks `capturing`, and leaves it to whoever was first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Protocol, TypeAlias


class Capturing(Protocol):
    """A call that is being captured."""

    layer: str
    """Who captures it: ``openai``, ``anthropic``, ``google.genai``, or the name of a bridge."""


Mark: TypeAlias = "Token[Capturing | None]"

_active: ContextVar[Capturing | None] = ContextVar("llmtee_capturing", default=None)


def capturing() -> str | None:
    """The layer that captures the call under way, such as ``openai`` or ``litellm``; ``None`` outside of any."""
    found = _active.get()
    return None if found is None else found.layer


@contextmanager
def captured_by(layer: str) -> Iterator[None]:
    """A block in which ``layer`` captures: wrapped clients that are called in it record nothing."""
    mark = enter(_Layer(layer))
    try:
        yield
    finally:
        leave(mark)


def current() -> Capturing | None:
    """The call itself."""
    return _active.get()


def enter(call: Capturing) -> Mark:
    """From now on ``call`` is under way, until `leave`."""
    return _active.set(call)


def leave(mark: Mark) -> None:
    """Ends what `enter` began, in the same step of the same task."""
    _active.reset(mark)


@dataclass
class _Layer:
    layer: str
