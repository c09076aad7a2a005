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
    under_way: bool
    """Whether it is; a task that was started meanwhile may live on in its context."""


Mark: TypeAlias = "tuple[Capturing, Token[Capturing | None]]"

_active: ContextVar[Capturing | None] = ContextVar("llmtee_capturing", default=None)


def capturing() -> str | None:
    """The layer that captures the call under way, such as ``openai`` or ``litellm``; ``None`` outside of any."""
    found = current()
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
    found = _active.get()
    return found if found is not None and found.under_way else None


def enter(call: Capturing) -> Mark:
    """From now on ``call`` is under way, until `leave`."""
    call.under_way = True
    return call, _active.set(call)


def leave(mark: Mark) -> None:
    """Ends what `enter` began, in the same step of the same task."""
    call, token = mark
    call.under_way = False
    _active.reset(token)


@dataclass
class _Layer:
    layer: str
    under_way: bool = False
