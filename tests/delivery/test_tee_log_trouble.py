"""What an application sees of Tee when the directory of its log is not what it should be: real files, real disks."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from llmtee.delivery import Tuning, engine
from llmtee.errors import EventLogError
from llmtee.eventlog import Counts, Retention, SqliteLog
from llmtee.model import ModelCall, conversation_id

Call = Callable[..., ModelCall]
Make = Callable[..., Any]


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Delivery looks after its log more often than once a second, so that nobody waits here."""
    monkeypatch.setattr(engine, "_TIDY_SECONDS", 0.05)
    monkeypatch.setattr(engine, "_ASLEEP_SECONDS", 0.05)


def _eventually(predicate: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not predicate():
        assert time.monotonic() < end
        threading.Event().wait(0.01)


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


# ── from memory to the disk ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def unusable(tees: list[Any]) -> Iterator[Callable[[str, Path], Callable[[], None]]]:
    """Makes a directory that cannot be used; what it returns mends it."""
    mounted: list[Path] = []

    def make(kind: str, directory: Path) -> Callable[[], None]:
        if kind == "no directory can be made":
            directory.parent.write_text("a file stands in the way")
            return directory.parent.unlink
        options = {"read-only disk": "ro", "full disk": "size=16k"}[kind]
        directory.mkdir(parents=True)
        mount = ["mount", "-t", "tmpfs", "-o", options, "llmtee-test", str(directory)]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("cannot mount a disk here")
        mounted.append(directory)
        if kind == "full disk":
            (directory / "full").write_bytes(bytes(16384))
        mend = ["mount", "-o", "remount,rw,size=64m", str(directory)]
        return lambda: subprocess.run(mend, check=True) and None

    yield make
    for tee in tees:
        tee.close(0.4)
    for directory in mounted:
        subprocess.run(["umount", "-l", str(directory)], check=True)


@pytest.mark.parametrize("kind", ["no directory can be made", "read-only disk", "full disk"])
def test_a_log_that_began_in_memory_comes_to_its_directory(
    acme: Any,
    exporter: Make,
    make_tee: Make,
    call: Call,
    unusable: Make,
    tmp_path: Path,
    caplog: Any,
    kind: str,
) -> None:
    directory = tmp_path / "parent" / "log"
    mend = unusable(kind, directory)
    tee = make_tee(exporter(), dir=directory)
    assert tee.stats().directory is None
    delivered = [tee.record(call()) for _ in range(3)]
    assert tee.flush()["acme"].delivered == 3  # delivery goes on from memory
    acme.key = "another"
    pending = [tee.record(call()) for _ in range(3)]
    _eventually(lambda: tee.stats()["acme"].paused)
    mend()
    _eventually(lambda: tee.stats().directory == directory)
    later = tee.record(call())
    stats = tee.stats()
    assert (stats["acme"].counts.delivered, stats["acme"].counts.pending) == (3, 4)
    assert (stats.recorded, stats.held, stats.refused) == (7, 0, 0)
    assert stats["acme"].requests >= 2
    assert caplog.text.count(f"the event log is in {directory} by now") == 1
    # What waited is on the disk: another process would find it.
    other = SqliteLog(directory)
    assert {other.outcome("acme", event) for event in delivered} == {"delivered"}
    assert {other.outcome("acme", event) for event in (*pending, later)} == {"pending"}
    other.close()
    acme.key = "acme-secret-key"
    _eventually(
        lambda: tee.flush()["acme"].delivered == 7
    )  # an answer to the wrong key may still come
    assert sorted(acme.stored_ids()) == sorted([*delivered, *pending, later])


def test_the_counters_go_on_while_the_log_moves(
    acme: Any, exporter: Make, make_tee: Make, call: Call, tmp_path: Path, monkeypatch: Any
) -> None:
    parent, moved, may_lead = tmp_path / "parent", threading.Event(), threading.Event()
    parent.write_text("a file stands in the way")
    tee = make_tee(exporter(), dir=parent / "log")
    tee.record(call())
    assert tee.flush()
    before = tee.stats()["acme"]
    acquire = engine.Leadership.acquire

    def late(lock: engine.Leadership) -> bool:
        moved.set()
        may_lead.wait()
        return acquire(lock)

    monkeypatch.setattr(engine.Leadership, "acquire", late)
    parent.unlink()
    try:
        assert moved.wait(60)
        now = tee.stats()
    finally:
        may_lead.set()
    assert (now.directory, now.delivering) == (parent / "log", False)
    assert now["acme"].requests == before.requests > 0


def test_what_the_directory_holds_already_stays_and_is_delivered_too(
    acme: Any, exporter: Make, upserts: Make, make_tee: Make, call: Call, tmp_path: Path
) -> None:
    directory = tmp_path / "parent" / "log"
    acme.key = "another"
    first = make_tee(exporter(), upserts(), dir=directory)
    early = first.record(call("a", "s", "hi", "hello"))
    first.close(0.2)
    (tmp_path / "parent").rename(tmp_path / "aside")
    (tmp_path / "parent").write_text("a file stands in the way")
    tee = make_tee(exporter(), upserts(), dir=directory)
    late = tee.record(call("b", "s", "more", "fine"))
    (tmp_path / "parent").unlink()
    (tmp_path / "aside").rename(tmp_path / "parent")
    _eventually(lambda: tee.stats().directory == directory)
    acme.key = "acme-secret-key"
    both = ("acme", "acme-upserts")
    _eventually(lambda: [tee.flush()[name].delivered for name in both] == [2, 2])
    assert {early, late} <= set(acme.stored_ids())
    # The conversation is whole, with what stood on the disk and what came in memory.
    sent = [one["texts"] for one in acme.stored if one["id"] == conversation_id("s")]
    assert sent[-1] == ["hi", "hello", "more", "fine"]


def test_threads_that_record_meanwhile_lose_nothing(
    acme: Any, exporter: Make, make_tee: Make, call: Call, tmp_path: Path
) -> None:
    directory = tmp_path / "parent" / "log"
    (tmp_path / "parent").write_text("a file stands in the way")
    tee = make_tee(exporter(), dir=directory)
    ids: list[list[str]] = [[], [], []]
    enough = threading.Event()

    def work(own: list[str]) -> None:
        while not enough.wait(0.01):
            own.append(tee.record(call()))

    threads = [threading.Thread(target=work, args=(own,)) for own in ids]
    for thread in threads:
        thread.start()
    acme.wait_for(lambda: acme.stored)
    (tmp_path / "parent").unlink()
    _eventually(lambda: tee.stats().directory == directory)
    enough.set()
    for thread in threads:
        thread.join()
    recorded = sorted(one for own in ids for one in own)
    _eventually(lambda: tee.flush()["acme"].delivered == len(recorded))
    assert sorted(acme.stored_ids()) == recorded
    stats = tee.stats()
    assert (stats.recorded, stats.refused) == (len(recorded), 0)


def test_a_log_of_a_newer_llmtee_is_left_alone_for_good(
    acme: Any, exporter: Make, make_tee: Make, call: Call, tmp_path: Path, caplog: Any
) -> None:
    (tmp_path / "log").mkdir()
    _of_a_newer_llmtee(tmp_path / "log")
    tee = make_tee(exporter())
    assert "version 99" in caplog.text
    assert "until this process is started again" in caplog.text.lower()
    tee.record(call())
    assert tee.flush()["acme"].delivered == 1
    assert tee.stats().directory is None
    assert [path.name for path in (tmp_path / "log").iterdir() if "corrupt" in path.name] == []


def test_closing_moves_what_is_pending_to_a_directory_that_works_by_then(
    acme: Any, exporter: Make, make_tee: Make, call: Call, tmp_path: Path
) -> None:
    acme.key = "another"
    (tmp_path / "log").write_text("a file stands in the way")
    tee = make_tee(exporter())
    event = tee.record(call())
    _eventually(lambda: tee.stats()["acme"].paused)
    (tmp_path / "log").unlink()
    assert tee.close(0.5)["acme"].pending == 1
    acme.key = "acme-secret-key"
    assert make_tee(exporter()).flush()["acme"].delivered == 1
    assert acme.stored_ids() == [event]


# ── deleted in use ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_directory_that_is_deleted_in_use_comes_back_and_nothing_is_sent_twice(
    acme: Any, exporter: Make, make_tee: Make, call: Call, tmp_path: Path, caplog: Any
) -> None:
    tee = make_tee(exporter(idempotent=False))
    ids = [tee.record(call()) for _ in range(5)]
    assert tee.flush()["acme"].delivered == 5
    acme.key = "another"
    ids += [tee.record(call()) for _ in range(5)]
    _eventually(lambda: tee.stats()["acme"].paused)
    shutil.rmtree(tmp_path / "log")
    ids += [tee.record(call()) for _ in range(5)]
    _eventually(lambda: "who delivers is settled anew" in caplog.text)
    _eventually(lambda: tee.stats().delivering)
    acme.key = "acme-secret-key"
    _eventually(lambda: tee.flush()["acme"] == Counts(delivered=15))
    assert sorted(item["id"] for item in acme.stored) == sorted(ids)
    assert tee.stats().recorded == 15
    assert caplog.text.count("settled anew") == 1


def test_of_two_tees_one_delivers_also_when_the_lock_is_deleted(
    acme: Any, exporter: Make, make_tee: Make, call: Call, tmp_path: Path
) -> None:
    tuning = Tuning(election=0.01)
    both = [make_tee(exporter(idempotent=False), tuning=tuning) for _ in range(2)]
    ids = [tee.record(call()) for tee in both for _ in range(5)]
    acme.wait_for(lambda: len(acme.stored) == 10)
    for number in (20, 30, 40):
        (tmp_path / "log" / "delivering.lock").unlink()
        ids += [tee.record(call()) for tee in both for _ in range(5)]
        acme.wait_for(lambda number=number: len(acme.stored) >= number)
        _eventually(lambda: [tee.stats().delivering for tee in both].count(True) == 1)
    assert sorted(item["id"] for item in acme.stored) == sorted(ids)
    _eventually(lambda: both[0].stats()["acme"].counts == Counts(delivered=40))


# ── room ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_vacuum_gives_back_what_was_forgotten(
    acme: Any, exporter: Make, make_tee: Make, call: Call, tmp_path: Path
) -> None:
    tee = make_tee(exporter(), retention=Retention(keep_seconds=0.0))
    ids = [tee.record(call("x" * 100_000)) for _ in range(10)]
    assert tee.flush()["acme"].delivered == len(ids)
    tee._log.tidy(time.time() + 60)
    tee.vacuum()
    assert (tmp_path / "log" / "events.db").stat().st_size < 300_000
    ids.append(tee.record(call()))
    assert tee.flush()["acme"].delivered == len(ids)
    tee.close()
    with pytest.raises(EventLogError, match="closed"):
        tee.vacuum()


def test_vacuum_of_a_log_in_memory_does_nothing(
    exporter: Make, make_tee: Make, call: Call, tmp_path: Path
) -> None:
    (tmp_path / "log").write_text("a file stands in the way")
    tee = make_tee(exporter())
    tee.vacuum()
    tee.record(call())
    assert tee.flush()["acme"].delivered == 1
