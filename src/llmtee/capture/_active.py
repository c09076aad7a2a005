"""Which layer captures the call that is under way in this task or thread: one call is recorded once.

A layer that sees the same call from further in (a wrapped client within a framework, a span of an SDK's own telemetry)
asks whether somebody `claimed` it, and leaves it to whoever was first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from llmtee.capture._call import say_once


class Capturing(Protocol):
    """A call that is being captured."""

    layer: str
    """Who captures it: ``openai``, ``anthropic``, ``google.genai``, or the name of a bridge."""
    under_way: bool
    """Whether it is; a task that was started meanwhile may live on in its context."""


Mark: TypeAlias = "tuple[Capturing, Token[Capturing | None]]"
Probe: TypeAlias = "Callable[[], Capturing | None]"

_active: ContextVar[Capturing | None] = ContextVar("llmtee_capturing", default=None)
_probes: list[Probe] = []


@dataclass(eq=False)
class Claim:
    """The claim of a layer that is told of a call's start and end, and cannot put a block around it."""

    layer: str
    outer: Capturing | None = None
    """Who captured before, and does again when this is over."""
    under_way: bool = True
    """Cleared when the call ends, whatever happens: in its context the claim stays where it is."""
    seen_by: str | None = None
    """The layer further in that captures the call too."""
    yields: bool = False
    """Whether the layer further in is the one to record, because this one is told of the end too late."""


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


def current(*, probed: bool = True) -> Capturing | None:
    """The call itself. ``probed`` is whether those whom `watch` added are asked, too."""
    found = _active.get()
    if found is not None and found.under_way:
        return found
    while isinstance(found, Claim) and not found.under_way:
        found = found.outer
    if found is not None and not found.under_way:
        found = None
    if found is None and probed and _probes:
        return next((told for probe in _probes if (told := probe()) is not None), None)
    return found


def claimed(layer: str) -> bool:
    """Whether somebody further out records the call that begins in ``layer``. Two layers are named once in the log."""
    return left_to(current(), layer)


def left_to(outer: Capturing | None, layer: str) -> bool:
    """Whether ``layer`` leaves a call to who captures it further out, and not the other way round."""
    if outer is None:
        return False
    if isinstance(outer, Claim):
        outer.seen_by = layer
        if outer.yields:
            return False
    if outer.layer != layer:
        warn_of_two(outer.layer, layer)
    return True


def warn_of_two(recorded: str, left_out: str) -> None:
    """Says, once for each pair, that two layers see the same calls."""
    say_once(
        f"the same calls are captured by {recorded} and by {left_out}; each is recorded once, by {recorded}. "
        "To end this warning, capture with one of them"
    )


def claim(layer: str, *, yields: bool = False) -> Claim:
    """From now on ``layer`` captures in this context, until the claim is over."""
    outer = current()
    made = Claim(layer, outer, yields=yields)
    _active.set(made)
    return made


def watch(probe: Probe) -> None:
    """Asks ``probe`` too who captures, for layers that keep it in a place of their own."""
    _probes.append(probe)


def unwatch(probe: Probe) -> None:
    """Ends `watch`."""
    if probe in _probes:
        _probes.remove(probe)


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
