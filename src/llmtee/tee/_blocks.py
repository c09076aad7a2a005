"""The blocks that `Tee.session` and `Tee.agent` give."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import replace
from typing import Any, TypeVar

from llmtee.tee import _scope
from llmtee.tee._observed import About, Observed, Records, observing

F = TypeVar("F", bound=Callable[..., Any])


class SessionBlock(AbstractContextManager[None], AbstractAsyncContextManager[None]):
    """What `Tee.session` gives. May be entered any number of times, by several tasks and threads at once."""

    def __init__(self, tee: Records, own: _scope.Scope) -> None:
        self._tee, self._own = tee, own
        self._open: dict[_scope.Frame, None] = {}

    def __enter__(self) -> None:
        frame = _scope.inside(self._tee, self._own)
        self._open[frame] = None
        _scope.enter(frame)

    def __exit__(self, *_: object) -> None:
        frame = _scope.innermost(self._open)
        del self._open[frame]
        _scope.leave(frame)

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()


class AgentBlock(AbstractContextManager[str], AbstractAsyncContextManager[str]):
    """What `Tee.agent` gives: a block, and a decorator. May be entered any number of times, like a session."""

    def __init__(self, tee: Records, about: About) -> None:
        self._tee, self._about = tee, about
        self._block = replace(about, arguments=False, result=False)
        self._open: dict[_scope.Frame, Observed] = {}

    def __enter__(self) -> str:
        observed = Observed(self._tee, self._block)
        self._open[observed.frame] = observed
        _scope.enter(observed.frame)
        return observed.id

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        observed = self._open.pop(_scope.innermost(self._open))
        _scope.leave(observed.frame)
        if error is None:
            observed.returned()
        else:
            observed.failed(error)

    async def __aenter__(self) -> str:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: F) -> F:
        """``function``, each run of which is a turn of the agent, with its arguments and its result."""
        return observing(self._tee, function, self._about)
