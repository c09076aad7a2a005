"""What the files of an event log take, and which of them were set aside."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from llmtee.eventlog._database import FILE
from llmtee.eventlog._segment import SUFFIX

_COMPANIONS = ("-wal", "-shm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The files of an event log."""

    bytes: int = 0
    """Of all files in the directory, as long as they say that they are."""
    journal_bytes: int = 0
    """Of the journal's segments, which are as large as what they have room for."""
    set_aside: tuple[str, ...] = ()
    """Damaged databases that are kept beside the one in use. What they hold was not delivered by it."""


def disk(directory: Path | None) -> Disk:
    """The files in a directory; nothing for a log in memory, or one whose directory was deleted.

    Raises:
        OSError: the directory cannot be read.
    """
    if directory is None:
        return Disk()
    whole = journal = 0
    set_aside = []
    for path in _paths(directory):
        with suppress(FileNotFoundError):  # read to its end, and deleted, while we look
            size = path.stat().st_size
            whole += size
            journal += size if path.name.endswith(SUFFIX) else 0
            if path.name.startswith(f"{FILE}.corrupt-") and not path.name.endswith(_COMPANIONS):
                set_aside.append(path.name)
    return Disk(bytes=whole, journal_bytes=journal, set_aside=tuple(sorted(set_aside)))


def _paths(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except FileNotFoundError:
        return []
