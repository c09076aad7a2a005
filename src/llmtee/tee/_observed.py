"""One piece of an application's work as it happens, and its event at the end."""

from __future__ import annotations

import datetime as dt
import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from llmtee.model import Agent, Event, Step, ToolRun
from llmtee.model.ids import new_id
from llmtee.model.message import ErrorInfo
from llmtee.model.snapshot import error_text, marker, to_json_object
from llmtee.spec import INCOMPLETE
from llmtee.tee import _scope
from llmtee.tee._bounded import CUT, Bounded, bounded
from llmtee.tee._functions import Run, wrapped

F = TypeVar("F", bound=Callable[..., Any])


class Records(Protocol):
    """A Tee, as far as it is needed here."""

    def record(self, event: Event) -> str:
        """See `Tee.record`."""

    def capture_failed(self, error: Exception) -> None:
        """See `Tee.capture_failed`."""


@dataclass(frozen=True, kw_only=True)
class About:
    """What is known of a piece of work before it begins."""

    kind: str
    """``tool``, ``step`` or ``agent``."""
    name: str | None
    agent: Agent | None = None
    signature: inspect.Signature | None = None
    """Of the function, to name its arguments."""
    is_method: bool = False
    """Whether the first argument is the object or the class, which is left out."""
    arguments: bool = True
    """Whether to record them."""
    result: bool = True
    """Whether to record it."""


class Observed:
    """From the start of the work to the record of it. Its id is known from the start, so that others can name it."""

    def __init__(
        self, tee: Records, about: About, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> None:
        self.id = new_id()
        self._tee, self._about = tee, about
        self._outside = _scope.Place()
        self.frame = _scope.inside(tee, _scope.Scope(agent=about.agent, parent=self.id))
        self.place = _scope.Place(self.frame)
        self._arguments: dict[str, Any] = {}
        if about.arguments:
            self._arguments = self._read(lambda: _named(about, args, kwargs or {}), {})
        self._items: list[Any] | None = None
        self._room = Bounded()
        self._unkept = 0
        self._started_at = dt.datetime.now(dt.UTC)
        self._began = time.perf_counter()

    def gave(self, item: Any) -> None:
        """A generator yielded something."""
        self._items = [] if self._items is None else self._items
        if not self._about.result:
            return
        if self._room.left > 0:
            self._items.append(self._read(lambda: self._room.take(item), None))
        else:
            self._unkept += 1

    def returned(self, value: Any = None) -> None:
        """It came to its end."""
        self._record(value)

    def failed(self, error: BaseException) -> None:
        """It raised. A generator that is closed before its end has not failed: its reader has what it wanted."""
        if isinstance(error, GeneratorExit):
            self._record(None, flags=(INCOMPLETE,))
            return
        told = ErrorInfo(type=type(error).__name__, message=error_text(error))
        self._record(None, error=told)

    def _record(self, value: Any, **more: Any) -> None:
        elapsed = time.perf_counter() - self._began
        try:
            result = self._result(value) if self._about.result else None
            times = {
                "started_at": self._started_at,
                "ended_at": dt.datetime.now(dt.UTC),
                "duration_ms": round(elapsed * 1000, 3),
            }
            event = self._event(result, {**times, **more})
            with self._outside:
                self._tee.record(event)
        except Exception as error:  # noqa: BLE001 - our bug is never the application's exception
            self._tee.capture_failed(error)

    def _event(self, result: Any, fields: dict[str, Any]) -> Event:
        about = self._about
        fields |= {"id": self.id, "name": about.name, "agent": about.agent}
        if about.kind == "tool":
            arguments = self._arguments if about.arguments else None
            return ToolRun(arguments=arguments, result=result, **fields)
        if about.kind == "agent":
            fields["step_type"] = "agent"
        return Step(inputs=self._arguments, outputs=to_json_object(result), **fields)

    def _result(self, value: Any) -> Any:
        """What it gave, as JSON: of a generator all that it yielded, joined where that is text."""
        if self._items is None:
            return bounded(value)
        items: Any = self._items
        cut = [marker(CUT, f"{self._unkept} items")] if self._unkept else []
        if items and all(isinstance(item, str) for item in items):
            items = "".join([*items, *cut])
        else:
            items = [*items, *cut]
        return items if value is None else {"yielded": items, "returned": bounded(value)}

    def _read(self, read: Callable[[], Any], default: Any) -> Any:
        try:
            return read()
        except Exception as error:  # noqa: BLE001 - as above
            self._tee.capture_failed(error)
            return default


def _named(about: About, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments by name, those that were left to their defaults aside."""
    whole = {"args": list(args[about.is_method :]), **kwargs}
    if about.signature is None:
        return _kept(whole)
    try:
        bound = about.signature.bind(*args, **kwargs)
    except TypeError:  # the function is about to raise it, too
        return _kept(whole)
    found: dict[str, Any] = {}
    for place, (name, value) in enumerate(bound.arguments.items()):
        if about.is_method and place == 0:
            continue
        if about.signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            found |= value
        else:
            found[name] = value
    return _kept(found)


def _kept(arguments: dict[str, Any]) -> dict[str, Any]:
    return to_json_object(bounded(arguments))


def observing(tee: Records, function: F, about: About) -> F:
    """``function``, each run of which is recorded.

    Raises:
        UsageError: it is no function.
    """
    inner = function.__func__ if isinstance(function, (classmethod, staticmethod)) else function
    told = _described(inner, about, is_static=isinstance(function, staticmethod))

    def start(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Run:
        return Observed(tee, told, args, kwargs)

    return wrapped(function, start)


def _described(function: Any, about: About, *, is_static: bool) -> About:
    """What is to be said of a function's runs."""
    signature: inspect.Signature | None
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some that are written in C have none
        signature = None
    first = "" if signature is None else next(iter(signature.parameters), "")
    plain = inspect.unwrap(getattr(function, "func", function))
    home = str(getattr(plain, "__qualname__", "")).rpartition(".")[0]
    in_class = bool(home) and not home.endswith("<locals>")
    return About(
        kind=about.kind,
        name=about.name or getattr(plain, "__name__", type(function).__name__),
        agent=about.agent,
        signature=signature,
        is_method=in_class and not is_static and first in ("self", "cls"),
        arguments=about.arguments,
        result=about.result,
    )
