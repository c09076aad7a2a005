"""Fixed ids, so that whole values can be compared in tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from llmtee.model import ids


@contextmanager
def fixed_ids() -> Iterator[None]:
    """Inside the block, new events get the ids ``00000000-0000-7000-8000-000000000001``, ``…02`` and so on."""
    numbers = count(1)
    ids.set_id_source(lambda: f"00000000-0000-7000-8000-{next(numbers):012x}")
    try:
        yield
    finally:
        ids.set_id_source(None)
