"""Functions of every kind, run so that somebody sees how they went, and otherwise as they are.

A wrapped function is of the same kind as its original (``inspect.iscoroutinefunction`` and the like), has its signature,
and gives and raises the same. A generator is passed what is sent and thrown into it, and is closed with its wrapper.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

from llmtee.errors import UsageError
from llmtee.tee._scope import Place

F = TypeVar("F", bound=Callable[..., Any])


class Run(Protocol):
    """One run of a function."""

    place: Place
    """Where its body runs."""

    def gave(self, item: Any) -> None:
        """A generator yielded something."""

    def returned(self, value: Any) -> None:
        """It came to its end."""

    def failed(self, error: BaseException) -> None:
        """It raised, or a generator was closed before its end (``GeneratorExit``)."""


class Passing:
    """A run of which nobody is told."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def gave(self, item: Any) -> None:
        """See `Run`."""

    def returned(self, value: Any) -> None:
        """See `Run`."""

    def failed(self, error: BaseException) -> None:
        """See `Run`."""


Start = Callable[[tuple[Any, ...], dict[str, Any]], Run]


def wrapped(function: F, start: Start) -> F:
    """``function`` as one of its kind, of whose runs ``start`` is told.

    Raises:
        UsageError: it is no function.
    """
    if isinstance(function, (classmethod, staticmethod)):
        return cast("F", type(function)(wrapped(function.__func__, start)))
    if not callable(function) or inspect.isclass(function):
        kind = "class" if inspect.isclass(function) else type(function).__name__
        raise UsageError(
            f"only functions and methods can be wrapped, and this is a {kind}; decorate its methods instead"
        )
    if inspect.isasyncgenfunction(function):
        return cast("F", _async_generator(function, start))
    if inspect.isgeneratorfunction(function):
        return cast("F", _generator(function, start))
    if inspect.iscoroutinefunction(function):
        return cast("F", _coroutine(function, start))
    return cast("F", _plain(function, start))


def _plain(function: Callable[..., Any], start: Start) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        run = start(args, kwargs)
        try:
            with run.place:
                result = function(*args, **kwargs)
        except BaseException as error:
            run.failed(error)
            raise
        run.returned(result)
        return result

    return call


def _coroutine(function: Callable[..., Any], start: Start) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        run = start(args, kwargs)
        try:
            with run.place:
                result = await function(*args, **kwargs)
        except BaseException as error:
            run.failed(error)
            raise
        run.returned(result)
        return result

    return call


def _generator(function: Callable[..., Any], start: Start) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        run = start(args, kwargs)
        sent, thrown = None, None
        try:
            with run.place:
                inner = function(*args, **kwargs)
            while True:
                # Only while the body runs: between its yields, the caller is where it was.
                with run.place:
                    item = inner.send(sent) if thrown is None else inner.throw(thrown)
                thrown = None
                run.gave(item)
                try:
                    sent = yield item
                except BaseException as error:  # noqa: BLE001 - the body's to handle, GeneratorExit too
                    sent, thrown = None, error
        except StopIteration as stop:
            run.returned(stop.value)
            return stop.value
        except BaseException as error:
            run.failed(error)
            raise
        finally:
            thrown = None  # else the exception would hold the frame that holds it

    return call


def _async_generator(function: Callable[..., Any], start: Start) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        run = start(args, kwargs)
        sent, thrown = None, None
        try:
            with run.place:
                inner = function(*args, **kwargs)
            while True:
                with run.place:
                    item = await (inner.asend(sent) if thrown is None else inner.athrow(thrown))
                thrown = None
                run.gave(item)
                try:
                    sent = yield item
                except BaseException as error:  # noqa: BLE001 - as above
                    sent, thrown = None, error
        except StopAsyncIteration:
            run.returned(None)
        except BaseException as error:
            run.failed(error)
            raise
        finally:
            thrown = None

    return call
