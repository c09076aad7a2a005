"""What fails in capture stays there: the application gets what it would have got without llmtee."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from llmtee.spec import Recorder


def tell(recorders: Sequence[Recorder], error: Exception) -> None:
    """Tells the recorders of an exception, where a `Shield` would cost too much: in each call of a model."""
    for recorder in tuple(recorders):
        recorder.capture_failed(error)


class Shield:
    """``with Shield(recorders): …`` tells the recorders of an exception, and goes on after the block."""

    __slots__ = ("_recorders",)

    def __init__(self, recorders: Sequence[Recorder]) -> None:
        self._recorders = recorders

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        tell(self._recorders, error)
        return True
