"""How often Python looks for garbage in cycles while records are converted."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_OBJECTS = 50_000
"""Made and not freed since the last look. Python's own number is 700, so that it looks several times a record."""


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Looks for cycles seldom, until the block ends: records are large trees without any, and each look costs.

    It holds for the whole process. Nothing changes where collection is off or as seldom already.
    """
    before = gc.get_threshold()
    if not 0 < before[0] < _OBJECTS:
        yield
        return
    gc.set_threshold(_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
