"""What is replaced on one client, and for whom: what all SDKs share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from llmtee.capture import _active
from llmtee.capture._call import Call
from llmtee.capture._patches import Method, Patches
from llmtee.spec import Recorder

_KEPT = "_llmtee_capture"


class Installation(ABC):
    """The replacements on one client. They do nothing more once nobody is told."""

    def __init__(self) -> None:
        self.recorders: tuple[Recorder, ...] = ()
        self.patches = Patches()

    @abstractmethod
    def begun(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call | None:
        """The call that a request begins; ``None`` where it is none, or somebody further out captures it."""

    @abstractmethod
    def failed(self, call: Any, error: BaseException) -> None:
        """The application is given ``error``."""

    @abstractmethod
    def done(self, call: Any, result: Any) -> Any:
        """``result`` came, which may be a stream that is still to be read; returns what the SDK goes on with."""

    def undone(self) -> None:  # noqa: B027 - most have nothing more to do
        """Nobody is told any more, and everything has been put back."""

    def door(self, original: Method) -> Method:
        """A method that makes a request."""

        def request(*args: Any, **kwargs: Any) -> Any:
            call = self.begun(args, kwargs)
            if call is None:
                return original(*args, **kwargs)
            mark = _active.enter(call)
            try:
                result = original(*args, **kwargs)
            except BaseException as error:
                self.failed(call, error)
                raise
            finally:
                _active.leave(mark)
            return self.done(call, result)

        return request

    def async_door(self, original: Method) -> Method:
        """The same, asynchronous."""

        async def request(*args: Any, **kwargs: Any) -> Any:
            call = self.begun(args, kwargs)
            if call is None:
                return await original(*args, **kwargs)
            mark = _active.enter(call)
            try:
                result = await original(*args, **kwargs)
            except BaseException as error:
                self.failed(call, error)
                raise
            finally:
                _active.leave(mark)
            return self.done(call, result)

        return request


def add(client: Any, recorder: Recorder, make: Callable[[], Installation]) -> None:
    """From now on ``recorder`` is told of the client's calls; ``make`` gives the installation where there is none yet."""
    found: Installation | None = vars(client).get(_KEPT)
    if found is None:
        found = vars(client)[_KEPT] = make()
    if not any(one is recorder for one in found.recorders):
        found.recorders += (recorder,)


def remove(client: Any, recorder: Recorder | None) -> None:
    """``recorder`` is told no longer, or with ``None`` nobody; without anybody the client is as it was."""
    found: Installation | None = vars(client).get(_KEPT)
    if found is None:
        return
    found.recorders = tuple(
        one for one in found.recorders if recorder is not None and one is not recorder
    )
    if not found.recorders:
        found.patches.undo()
        found.undone()
        del vars(client)[_KEPT]
