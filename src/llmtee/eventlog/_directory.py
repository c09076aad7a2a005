"""The directory of an event log."""

from __future__ import annotations

import os
from pathlib import Path


def make_directory(directory: Path) -> None:
    """Creates the directory, for the owner only and ignored by git.

    One that held files before is left as it is: it may be a project's own.

    Raises:
        OSError: it cannot be created.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(directory.iterdir()):
        return
    directory.chmod(0o700)
    (directory / ".gitignore").write_text("*\n", encoding="utf-8")


def is_file(path: Path, identity: tuple[int, int]) -> bool:
    """Whether a path still leads to the file of that `identity_of`.

    Raises:
        OSError: nobody can say.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return (found.st_dev, found.st_ino) == identity


def identity_of(file: int) -> tuple[int, int]:
    """Of an open file: device and inode. No other file has the same as long as it is open."""
    found = os.fstat(file)
    return found.st_dev, found.st_ino
