"""Where a call of Google's SDK was asked for. A stream makes its requests when it is read, maybe after its session's block."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass
from typing import Any

from llmtee.capture import _overrides
from llmtee.capture._patches import Method


@dataclass(frozen=True)
class Origin:
    """One call of a public method, which may make several requests."""

    context: Context
    said: dict[str, Any]


_origin: ContextVar[Origin | None] = ContextVar("llmtee_gemini_origin", default=None)


def current() -> Origin:
    """The call that the request of now belongs to."""
    return _origin.get() or Origin(copy_context(), {})


def marked(original: Method) -> Method:
    """``original`` with what is said for llmtee taken out, and its requests known as its own.

    It stays what it is: a function, a generator function, a coroutine function, or one that gives a generator.
    """
    if inspect.iscoroutinefunction(original):

        async def acall(*args: Any, **kwargs: Any) -> Any:
            origin = _new(kwargs)
            token = _origin.set(origin)
            try:
                result = await original(*args, **kwargs)
            finally:
                _origin.reset(token)
            return _arelayed(result, origin) if inspect.isasyncgen(result) else result

        return acall

    def call(*args: Any, **kwargs: Any) -> Any:
        origin = _new(kwargs)
        token = _origin.set(origin)
        try:
            result = original(*args, **kwargs)
        finally:
            _origin.reset(token)
        if hasattr(
            result, "model_fields_set"
        ):  # an answer, nearly always: asked first, since it is asked fast
            return result
        if inspect.isgenerator(result):
            return _relayed(result, origin)
        return _awaited(result, origin) if inspect.isawaitable(result) else result

    return call


def chosen(original: Method, marked_one: Method, takes_marked: Callable[[Any], bool]) -> Method:
    """A method of a class: the marked one for some objects, the original for the others."""
    if inspect.iscoroutinefunction(original):

        async def amethod(self: Any, *args: Any, **kwargs: Any) -> Any:
            method = marked_one if takes_marked(self) else original
            return await method(self, *args, **kwargs)

        return functools.wraps(original)(amethod)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return (marked_one if takes_marked(self) else original)(self, *args, **kwargs)

    return functools.wraps(original)(method)


def _new(kwargs: dict[str, Any]) -> Origin:
    said = _overrides.take(kwargs)
    outer = _origin.get()  # a chat, whose messages go through the models
    if outer is not None:
        return Origin(outer.context, {**outer.said, **said})
    return Origin(copy_context(), said)


async def _awaited(result: Awaitable[Any], origin: Origin) -> Any:
    token = _origin.set(origin)
    try:
        return await result
    finally:
        _origin.reset(token)


def _relayed(items: Any, origin: Origin) -> Generator[Any, Any, Any]:
    try:
        while True:
            token = _origin.set(origin)
            try:
                item = next(items)
            except StopIteration as end:
                return end.value
            finally:
                _origin.reset(token)
            yield item
    finally:
        items.close()


async def _arelayed(items: Any, origin: Origin) -> AsyncIterator[Any]:
    try:
        while True:
            token = _origin.set(origin)
            try:
                item = await anext(items)
            except StopAsyncIteration:
                return
            finally:
                _origin.reset(token)
            yield item
    finally:
        await items.aclose()
