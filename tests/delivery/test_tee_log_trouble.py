"""What an application sees of Tee when the directory of its log is not what it should be: real files, real disks."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from llmtee.errors import EventLogError
from llmtee.model import ModelCall

Call = Callable[..., ModelCall]
Make = Callable[..., Any]


def _of_a_newer_llmtee(directory: Path) -> None:
    """Puts a database there that this llmtee cannot read, as an upgrade of another process may."""
    with sqlite3.connect(directory / "newer") as db:
        db.execute("PRAGMA user_version = 99")
        db.execute("CREATE TABLE events (a)")
    db.close()
    for path in directory.glob("events.db*"):
        path.unlink()
    (directory / "newer").rename(directory / "events.db")


# ── closing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_close_closes_when_the_log_cannot_be_read_and_says_so(
    exporter: Make, make_tee: Make, call: Call, tmp_path: Path, tees: list[Any], caplog: Any
) -> None:
    tee = make_tee(exporter(), deliver=False)
    tees.remove(tee)
    event = tee.record(call())
    _of_a_newer_llmtee(tmp_path / "log")
    with pytest.raises(EventLogError, match="version 99"):
        tee.stats()
    with pytest.raises(EventLogError, match="version 99"):
        tee.close()
    assert "where its events stand is not known" in caplog.text
    # It is closed: nothing is open any more, nothing is taken, and closing again changes nothing.
    assert not [name for name in _open_files() if name.startswith(str(tmp_path))]
    with pytest.raises(EventLogError, match="version 99"):
        tee.close()
    with pytest.raises(EventLogError, match="version 99"):
        tee.stats()
    tee.record(call())
    assert "this Tee is closed" in caplog.text
    # What was recorded is still there.
    (tmp_path / "log" / "events.db").unlink()
    again = make_tee(exporter(), deliver=False)
    assert again.stats()["acme"].counts.pending == 1
    assert [record.id for _, record in again._log.journal(9)] == [event]


def _open_files() -> list[str]:
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of this listing
            found.append(str(link.readlink()))
    return found


def test_leaving_the_block_raises_too_but_never_hides_the_blocks_own_exception(
    exporter: Make, make_tee: Make, tmp_path: Path, tees: list[Any]
) -> None:
    tee = make_tee(exporter())
    with pytest.raises(EventLogError, match="version 99"), tee:
        _of_a_newer_llmtee(tmp_path / "log")
    tees.remove(tee)
    (tmp_path / "log" / "events.db").unlink()
    tee = make_tee(exporter())
    _of_a_newer_llmtee(tmp_path / "log")
    with pytest.raises(ZeroDivisionError), tee:
        1 / 0  # noqa: B018
    tees.remove(tee)
