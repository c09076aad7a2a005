"""Somebody deletes the directory of a log in use, or a file in it: what a process still holds does not vanish."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmtee.errors import EventLogError
from llmtee.eventlog import (
    Bell,
    Counts,
    Entry,
    Leadership,
    Record,
    Settlement,
    SqliteLog,
    Subscription,
)
from llmtee.eventlog.journal import JournalWriter, segment_files

EVENTS = Subscription("events", "event")


@pytest.fixture
def make_log(tmp_path: Path) -> Iterator[Callable[..., SqliteLog]]:
    logs: list[SqliteLog] = []

    def make() -> SqliteLog:
        logs.append(SqliteLog(tmp_path / "log"))
        logs[-1].register(EVENTS)
        return logs[-1]

    yield make
    for log in logs:
        log.close()


def _record(name: str, at: float = 1.0) -> Record:
    return Record(name, "llmtee", b"{}", at)


def _absorb(log: SqliteLog, limit: int = 100) -> list[str]:
    ids = []
    while len(ids) < limit and (records := log.journal(min(10, limit - len(ids)))):
        entries = [Entry(r.id, "s", "event", "llmtee", b"{}", 1.0) for _, r in records]
        log.absorb((place for place, _ in records), entries)
        ids += [record.id for _, record in records]
    return ids


@pytest.mark.parametrize("how", ["deleted", "moved away"])
def test_a_directory_that_goes_comes_back_with_everything(
    make_log: Callable[..., SqliteLog], tmp_path: Path, caplog: Any, how: str
) -> None:
    log = make_log()
    for number in range(10):
        log.append(_record(str(number)))
    assert _absorb(log, 6) == [str(number) for number in range(6)]
    log.take(EVENTS, 4)
    delivered, *_ = log.claim(EVENTS, 0.0, 3)
    log.settle("events", [Settlement(delivered, "delivered")])
    if how == "deleted":
        shutil.rmtree(tmp_path / "log")
    else:
        (tmp_path / "log").rename(tmp_path / "elsewhere")
    log.append(_record("at once"))
    log.look()
    log.append(_record("later"))
    assert log.counts("events") == Counts(delivered=1, pending=11)
    # What was read from the journal is not read again.
    assert _absorb(log) == ["6", "7", "8", "9", "at once", "later"]
    assert log.counts("events") == Counts(delivered=1, pending=11)
    assert log.lost() == {}
    assert sum("was deleted while it was in use" in line for line in caplog.messages) == 2
    assert {path.stat().st_mode & 0o777 for path in segment_files(tmp_path / "log")} == {0o600}
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o700
    log.look()
    assert sum("was deleted while it was in use" in line for line in caplog.messages) == 2
    log.close()
    assert make_log().counts("events") == Counts(delivered=1, pending=11)


def test_a_process_that_only_records_notices_by_itself(tmp_path: Path) -> None:
    directory = tmp_path / "log"
    writer = JournalWriter(directory)
    for number in range(5):
        writer.append(_record(str(number), at=100.0))
    shutil.rmtree(directory)
    writer.append(_record("soon", at=100.5))
    assert not directory.exists()
    writer.append(_record("a second later", at=101.0))
    assert len(segment_files(directory)) == 1
    shutil.rmtree(directory)
    writer.append(_record("at the end", at=101.1))
    writer.close()
    log = SqliteLog(directory)
    ids = [record.id for _, record in log.journal(99)]
    assert ids == ["0", "1", "2", "3", "4", "soon", "a second later", "at the end"]
    log.close()


def test_a_segment_that_is_full_when_it_goes_is_written_again_too(tmp_path: Path) -> None:
    directory = tmp_path / "log"
    writer = JournalWriter(directory, segment_bytes=4096)
    for number in range(3):
        writer.append(Record(str(number), "llmtee", b"x" * 1000, 1.0))
    shutil.rmtree(directory)
    writer.append(Record("3", "llmtee", b"x" * 1000, 1.0))
    writer.close()
    log = SqliteLog(directory)
    assert [record.id for _, record in log.journal(99)] == ["0", "1", "2", "3"]
    log.close()


def test_what_cannot_be_written_again_now_is_kept_until_it_can(
    tmp_path: Path, monkeypatch: Any
) -> None:
    directory = tmp_path / "parent" / "log"
    writer = JournalWriter(directory)
    writer.append(_record("a"))
    shutil.rmtree(tmp_path / "parent")
    (tmp_path / "parent").write_text("a file stands in the way")
    writer.append(_record("b"))
    writer.look()
    (tmp_path / "parent").unlink()
    writer.try_again()
    writer.look()
    writer.close()
    log = SqliteLog(directory)
    assert [record.id for _, record in log.journal(99)] == ["a", "b"]
    log.close()


def test_a_database_that_cannot_be_made_anew_now_is_kept_until_it_can(
    make_log: Callable[..., SqliteLog], tmp_path: Path
) -> None:
    log = make_log()
    log.absorb([], [Entry("a", "s", "event", "llmtee", b"{}", 1.0)])
    shutil.rmtree(tmp_path / "log")
    (tmp_path / "log").write_text("a file stands in the way")
    for _ in range(2):
        with pytest.raises(EventLogError, match="log"):
            log.counts("events")
    (tmp_path / "log").unlink()
    assert log.counts("events") == Counts(pending=1)


def test_a_lock_whose_file_was_deleted_is_held_no_more(tmp_path: Path) -> None:
    first, second = Leadership(tmp_path), Leadership(tmp_path)
    assert first.acquire()
    assert first.is_held()
    assert not second.acquire()
    (tmp_path / "delivering.lock").unlink()
    assert not first.is_held()
    assert second.acquire()
    assert not first.is_held()
    first.release()
    assert not first.acquire()
    second.release()
    assert first.acquire()
    first.release()


def test_a_new_bell_is_found_by_who_wrote_before(
    make_log: Callable[..., SqliteLog], tmp_path: Path
) -> None:
    log = make_log()
    log.append(_record("a"))
    shutil.rmtree(tmp_path / "log")
    log.look()
    bell = Bell(tmp_path / "log")
    bell.sleep(True)
    log.append(_record("b"))
    assert bell.read() == b"."
    bell.close()
