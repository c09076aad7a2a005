"""Several processes on one directory: some record, one delivers, and another takes over when it is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmtee.eventlog import Leadership
from llmtee.model import ModelCall
from llmtee.testing.emulators import HoneyHiveEmulator

Call = Callable[..., ModelCall]
Make = Callable[..., Any]
Child = subprocess.Popen[str]

SCRIPT = Path(sys.executable).parent / "llmtee"

_RECORDS = """
    import sys
    from llmtee import HoneyHive, Tee
    from llmtee.model import ModelCall
    tee = Tee([HoneyHive(project="p")], dir=sys.argv[1], deliver=False)
    for line in sys.stdin:
        ids = [tee.record(ModelCall(session="s", started_at="2026-01-01T10:00:00Z")) for _ in range(int(line))]
        print(*ids, flush=True)
    import threading
    assert threading.active_count() == 1
"""


@pytest.fixture
def honeyhive() -> Iterator[HoneyHiveEmulator]:
    with HoneyHiveEmulator() as emulator:
        yield emulator


@pytest.fixture
def start(honeyhive: HoneyHiveEmulator, tmp_path: Path) -> Iterator[Callable[..., Child]]:
    """Starts a process with HoneyHive in its environment; none of them outlives the test."""
    children: list[Child] = []
    environ = {key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"}
    environ |= {"HH_API_KEY": honeyhive.key, "HH_API_URL": honeyhive.url, "HH_PROJECT": "p"}

    def run(*command: object, **variables: str) -> Child:
        child = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**environ, **variables},
        )
        children.append(child)
        return child

    yield run
    for child in children:
        if child.poll() is None:
            child.kill()
        child.communicate()


@pytest.fixture
def recorder(start: Callable[..., Child], tmp_path: Path) -> Callable[[], Child]:
    return lambda: start(sys.executable, "-c", textwrap.dedent(_RECORDS), tmp_path / "log")


def _record(child: Child, number: int) -> list[str]:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(f"{number}\n")
    child.stdin.flush()
    ids = child.stdout.readline().split()
    assert len(ids) == number, child.stderr and child.stderr.read()
    return ids


def _stored(emulator: HoneyHiveEmulator) -> set[str]:
    return set(emulator.events)


def _deliverer(start: Callable[..., Child], *options: object) -> Child:
    child = start(SCRIPT, "deliver", "log", *options)
    assert child.stdout is not None
    assert child.stdout.readline().startswith("delivering from log to honeyhive"), (
        child.stderr and child.stderr.read()
    )
    return child


def test_deliver_delivers_what_others_record_and_ends_well_when_told(
    start: Callable[..., Child], recorder: Callable[[], Child], honeyhive: HoneyHiveEmulator
) -> None:
    application = recorder()
    early = _record(application, 3)
    deliverer = _deliverer(start)
    late = _record(application, 3)
    assert honeyhive.wait_for(lambda: _stored(honeyhive) >= {*early, *late}, 60)
    last = _record(application, 100)
    deliverer.send_signal(signal.SIGTERM)
    out, err = deliverer.communicate(timeout=30)
    assert deliverer.returncode == 0, err
    assert _stored(honeyhive) == {*early, *late, *last}
    assert "106" in out
    application.communicate()
    assert application.returncode == 0


def test_deliver_once_reports_and_exits_by_what_is_left(
    start: Callable[..., Child], recorder: Callable[[], Child], honeyhive: HoneyHiveEmulator
) -> None:
    application = recorder()
    ids = _record(application, 5)
    refused = start(SCRIPT, "deliver", "log", "--once", "--json", "--grace=0.5", HH_API_KEY="wrong")
    out, _ = refused.communicate(timeout=30)
    assert refused.returncode == 1
    assert json.loads(out)["exporters"]["honeyhive"]["pending"] == 5
    done = start(SCRIPT, "deliver", "log", "--once", "--json")
    out, err = done.communicate(timeout=30)
    assert done.returncode == 0, err
    assert json.loads(out)["exporters"]["honeyhive"]["delivered"] == 5
    assert _stored(honeyhive) == set(ids)


def test_deliver_without_any_key_is_wrong_use(start: Callable[..., Child]) -> None:
    child = start(SCRIPT, "deliver", "log", HH_API_KEY="")
    _, err = child.communicate(timeout=30)
    assert child.returncode == 2
    assert "no vendor has a key" in err


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_the_deliverer_is_killed_and_nothing_is_lost(
    start: Callable[..., Child],
    recorder: Callable[[], Child],
    honeyhive: HoneyHiveEmulator,
    tmp_path: Path,
    kills: int,
) -> None:
    recorders = [recorder(), recorder()]
    ids: set[str] = set()
    deliverer, standby = _deliverer(start), _deliverer(start)
    for kill in range(kills):
        for child in recorders:
            ids.update(_record(child, 20))
        before = len(honeyhive.requests)
        if kill % 2:
            # In the middle of it.
            assert honeyhive.wait_for(lambda before=before: len(honeyhive.requests) > before, 60)
        deliverer.kill()
        deliverer, standby = standby, _deliverer(start)
    for child in recorders:
        ids.update(_record(child, 20))
    assert honeyhive.wait_for(lambda: _stored(honeyhive) >= ids, timeout=60)
    for child in recorders:
        child.communicate(timeout=60)
    for child in (deliverer, standby):
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=60)
        assert child.returncode == 0, err
    assert _stored(honeyhive) == ids
    done = start(SCRIPT, "deliver", "log", "--once", "--json")
    counts = json.loads(done.communicate(timeout=30)[0])["exporters"]["honeyhive"]
    assert counts["delivered"] == len(ids)
    assert [path.name for path in (tmp_path / "log").glob("*.journal")] == []


@pytest.mark.slow
@pytest.mark.parametrize("deleted", ["the directory", "the lock", "the database"])
def test_what_is_deleted_in_use_costs_nothing_and_is_delivered_by_one(
    start: Callable[..., Child],
    recorder: Callable[[], Child],
    honeyhive: HoneyHiveEmulator,
    tmp_path: Path,
    deleted: str,
) -> None:
    application = recorder()
    deliverer, standby = _deliverer(start), _deliverer(start)
    ids = set(_record(application, 20))
    assert honeyhive.wait_for(lambda: _stored(honeyhive) >= ids, 60)
    # Some are on their way, in the journal and in the database.
    ids.update(_record(application, 200))
    if deleted == "the directory":
        shutil.rmtree(tmp_path / "log", ignore_errors=True)
    else:
        pattern = {"the lock": "delivering.lock", "the database": "events.db*"}[deleted]
        for path in (tmp_path / "log").glob(pattern):
            path.unlink()
    for _ in range(5):
        ids.update(_record(application, 20))
    application.communicate(timeout=60)  # it looks once more when it closes
    assert honeyhive.wait_for(lambda: _stored(honeyhive) >= ids, 60)
    errors = []
    for child in (deliverer, standby):
        child.send_signal(signal.SIGTERM)
        errors.append(child.communicate(timeout=60)[1])
        assert child.returncode == 0, errors
    assert _stored(honeyhive) == ids
    done = start(SCRIPT, "deliver", "log", "--once", "--json")
    counts = json.loads(done.communicate(timeout=30)[0])["exporters"]["honeyhive"]
    assert (counts["delivered"], counts["pending"]) == (len(ids), 0), errors
    assert "bug" not in "".join(errors)


def test_a_tee_takes_over_from_one_that_is_gone(
    acme: Any, exporter: Make, make_tee: Make, call: Call, tmp_path: Path
) -> None:
    tee = make_tee(exporter())
    other = Leadership(tmp_path / "log")
    assert other.acquire()
    ids = [tee.record(call()) for _ in range(3)]
    assert not tee.flush(timeout=0.2)
    assert not tee.stats().delivering
    other.release()
    acme.wait_for(lambda: sorted(acme.stored_ids()) == sorted(ids))
    assert tee.stats().delivering


def test_a_tee_that_only_records_needs_no_key_and_no_thread(
    acme: Any, exporter: Make, make_tee: Make, call: Call
) -> None:
    recording = make_tee(exporter(api_key=None), deliver=False)
    event = recording.record(call())
    assert recording.stats()["acme"].counts.pending == 1
    assert not recording.flush(timeout=0.1)
    assert recording._engine is None
    delivering = make_tee(exporter())
    delivering.start()
    assert recording.flush(timeout=10)
    assert acme.stored_ids() == [event]
    assert recording.close()["acme"].delivered == 1


def test_a_tee_that_only_records_delivers_itself_from_memory(
    acme: Any, exporter: Make, make_tee: Make, call: Call, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    tee = make_tee(exporter(), deliver=False, dir=tmp_path / "file")
    tee.record(call())
    assert tee.flush()["acme"].delivered == 1


def test_a_new_exporter_can_replay_what_the_log_holds(
    acme: Any, exporter: Make, make_tee: Make, call: Call
) -> None:
    first = make_tee(exporter())
    first.record(call())
    first.close()
    second = make_tee(exporter(), exporter(name="new", replay=True))
    second.start()
    assert second.flush()["new"].delivered == 1
