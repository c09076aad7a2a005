"""What outlives a process: restarts, kills, forks, and several processes on one directory."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmtee.eventlog import Leadership, SqliteLog
from llmtee.model import ModelCall
from llmtee.tee import Tuning

Call = Callable[..., ModelCall]
Make = Callable[..., Any]

CHILD = """
    import importlib.util, os, signal, sys
    from llmtee import registry
    spec = importlib.util.spec_from_file_location("acme", sys.argv[1])
    acme = importlib.util.module_from_spec(spec)
    sys.modules["acme"] = acme
    spec.loader.exec_module(acme)
    registry.vendor = acme.VENDORS.__getitem__
    from llmtee.tee import Tee
    from llmtee.model import ModelCall
    def tee(**settings):
        settings = {"base_url": sys.argv[2], **settings}
        return Tee([acme.Acme(api_key=acme.KEY, **settings)], dir=sys.argv[3])
"""


@pytest.fixture
def child(acme: Any, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs code in another process, with Acme at hand."""

    def run(code: str, **settings: Any) -> subprocess.CompletedProcess[str]:
        here = Path(__file__).with_name("conftest.py")
        script = textwrap.dedent(CHILD) + textwrap.dedent(code)
        command = [sys.executable, "-c", script, str(here), acme.url, str(tmp_path / "log")]
        environ = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
        return subprocess.run(  # noqa: PLW1510 - the tests look at how it ended
            command, capture_output=True, text=True, timeout=60, env=environ, **settings
        )

    return run


def test_what_was_not_flushed_is_delivered_by_the_next_tee(
    acme: Any, exporter: Make, make_tee: Make, call: Call
) -> None:
    acme.key = "another"
    first = make_tee(exporter())
    ids = [first.record(call()) for _ in range(50)]
    assert first.close(0.1)["acme"].pending == 50
    acme.key = "acme-secret-key"
    second = make_tee(exporter())
    assert second.flush()["acme"].delivered == 50
    assert sorted(acme.stored_ids()) == sorted(ids)


def test_what_was_under_way_at_a_kill_is_held_where_repeating_is_not_safe(
    acme: Any, exporter: Make, make_tee: Make, child: Make, answer: Any
) -> None:
    gate = threading.Event()
    acme.script.append(answer(wait_for=gate))
    done = child("""
        tee = tee(idempotent=False, concurrency=1, max_items=1)
        tee.record(ModelCall(name="under way"))
        while True:
            with __import__("sqlite3").connect(sys.argv[3] + "/events.db") as db:
                if db.execute("SELECT 1 FROM work WHERE state = 'inflight'").fetchone():
                    break
        tee.record(ModelCall(name="waiting"))
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    gate.set()
    assert done.returncode == -signal.SIGKILL, done.stderr
    tee = make_tee(exporter(idempotent=False))
    report = tee.flush()
    assert (report["acme"].unknown, report["acme"].delivered) == (1, 1)


def test_the_exit_hook_flushes(acme: Any, child: Make) -> None:
    # By name, because resolving names needs a thread pool that the interpreter has closed by then.
    done = child("""
        tee = tee(base_url=sys.argv[2].replace("127.0.0.1", "localhost"))
        for number in range(20):
            tee.record(ModelCall(name=f"call {number}"))
    """)
    assert done.returncode == 0, done.stderr
    assert len(set(acme.stored_ids())) == 20
    assert done.stderr == ""


def test_a_forked_child_records_and_its_parent_delivers(
    acme: Any, exporter: Make, make_tee: Make, child: Make
) -> None:
    done = child("""
        tee = tee()
        tee.record(ModelCall(name="before the fork"))
        tee.flush()
        pid = os.fork()
        if pid == 0:
            tee.record(ModelCall(name="child"))
            print(bool(tee.flush()), flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
        tee.record(ModelCall(name="parent"))
        print(bool(tee.close()))
    """)
    assert done.stdout.split() == ["True", "True"], done.stderr
    assert sorted(item["text"] for item in acme.stored) == ["before the fork", "child", "parent"]


def test_two_on_one_directory_and_one_delivers(
    acme: Any, exporter: Make, make_tee: Make, call: Call
) -> None:
    tuning = Tuning(election=0.05)
    first, second = make_tee(exporter(), tuning=tuning), make_tee(exporter(), tuning=tuning)
    first.record(call())
    assert first.flush()
    second.record(call())
    assert second.flush()
    assert first.stats().delivering
    assert not second.stats().delivering
    assert second.stats()["acme"].counts.delivered == 2
    first.close()
    # The other takes over.
    second.record(call())
    assert second.flush()["acme"].delivered == 3
    assert second.stats().delivering
    assert len(acme.stored_ids()) == len(set(acme.stored_ids())) == 3


def test_leadership_is_exclusive_and_ends_with_its_holder(tmp_path: Path) -> None:
    one, other = Leadership(tmp_path), Leadership(tmp_path)
    assert one.acquire()
    assert one.acquire()
    assert not other.acquire()
    one.release()
    assert other.acquire()
    other.release()


def test_no_thread_before_the_first_record(exporter: Make, make_tee: Make, call: Call) -> None:
    before = threading.active_count()
    tee = make_tee(exporter())
    assert tee.flush()
    assert tee.stats()["acme"].counts.total == 0
    assert threading.active_count() == before
    tee.record(call())
    assert any(thread.name == "llmtee" and thread.daemon for thread in threading.enumerate())


def test_a_new_exporter_starts_at_the_end_of_the_log(
    acme: Any, exporter: Make, make_tee: Make, call: Call
) -> None:
    first = make_tee(exporter())
    first.record(call())
    first.close()
    second = make_tee(exporter(), exporter(name="new"))
    second.record(call())
    report = second.flush()
    assert (report["acme"].delivered, report["new"].delivered) == (2, 1)


def test_the_directory_is_private_and_ignored_by_git(
    exporter: Make, make_tee: Make, call: Call, tmp_path: Path
) -> None:
    tee = make_tee(exporter(), dir=tmp_path / "private")
    tee.record(call())
    assert tee.flush()
    directory = tmp_path / "private"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / ".gitignore").read_text() == "*\n"
    files = {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}
    assert {name: mode for name, mode in files.items() if name != ".gitignore"} == {
        name: 0o600 for name in files if name != ".gitignore"
    }


def test_the_key_is_nowhere_in_the_directory(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any, tmp_path: Path
) -> None:
    acme.script.append(answer(422, content=b'{"error": "acme-secret-key is rude"}'))
    tee = make_tee(exporter())
    tee.record(call())
    assert tee.flush()["acme"].dead == 1
    tee.close()
    for path in (tmp_path / "log").iterdir():
        if path.is_file():
            assert b"acme-secret-key" not in path.read_bytes()


def test_a_log_of_a_newer_version_is_not_touched(
    exporter: Make, make_tee: Make, tmp_path: Path, caplog: Any
) -> None:
    SqliteLog(tmp_path / "log").close()
    with sqlite3.connect(tmp_path / "log" / "events.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    tee = make_tee(exporter())
    assert tee.stats().directory is None
    assert "version 99" in caplog.text
