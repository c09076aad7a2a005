"""Modules that need what only an extra brings say so when they are imported without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs(module: str, what: str, extra: str) -> Iterator[None]:
    """A block of imports.

    Args:
        module: who needs them, such as ``llmtee.capture.otel``.
        what: is needed, in words.
        extra: that brings it.

    Raises:
        ModuleNotFoundError: it is not installed; the error names the extra.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "llmtee":
            raise
        raise ModuleNotFoundError(
            f"{module} needs {what}: pip install 'llmtee[{extra}]'", name=error.name
        ) from None
