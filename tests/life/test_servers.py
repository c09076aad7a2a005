"""Under gunicorn and Celery, as people start them: nothing is needed but a Tee in the module of the application."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmtee.testing.emulators import HoneyHiveEmulator

Make = Callable[..., Any]

WEB = """
import os
from llmtee import HoneyHive, Tee
from llmtee.model import ModelCall

tee = Tee([HoneyHive(project="p")])

def app(environ, start_response):
    event_id = tee.record(ModelCall(name="call", session="s", started_at="2026-01-01T10:00:00Z"))
    start_response("200 OK", [("content-type", "text/plain")])
    return [f"{event_id} {os.getpid()}".encode()]
"""


class Unix(http.client.HTTPConnection):
    """HTTP over the socket that gunicorn made in a test's own directory."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(str(self._path))


def get(path: Path) -> tuple[str, int]:
    """The id of the event, and the worker that has recorded it."""
    connection = Unix(path)
    try:
        connection.request("GET", "/")
        event_id, pid = connection.getresponse().read().decode().split()
    finally:
        connection.close()
    return event_id, int(pid)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_listening(path: Path) -> bool:
    try:
        get(path)
    except OSError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--preload"], [], ["--preload", "--threads=4"]])
def test_gunicorn(
    options: list[str],
    start: Make,
    tmp_path: Path,
    honeyhive: HoneyHiveEmulator,
    rest: Make,
    log: Path,
) -> None:
    pytest.importorskip("gunicorn")
    (tmp_path / "web.py").write_text(WEB, "utf-8")
    bound = tmp_path / "web.sock"
    words = [sys.executable, "-m", "gunicorn", "--workers=3", f"--bind=unix:{bound}"]
    words += ["--no-control-socket", "--worker-tmp-dir", tmp_path, *options, "web:app"]
    server = start(*words)
    wait_until(lambda: server.poll() is not None or is_listening(bound))
    assert server.poll() is None, server.stderr.read()
    told: dict[str, int] = {}
    for number in range(60):
        event_id, pid = get(bound)
        told[event_id] = pid
        if number in (20, 40):
            os.kill(pid, signal.SIGKILL)  # gunicorn starts another one
    # Who delivered may be dead: the next that records takes over. (The tries at the start have recorded too.)
    assert honeyhive.wait_for(lambda: set(told) <= set(honeyhive.events), 60)
    for _ in range(30):
        event_id, pid = get(bound)
        told[event_id] = pid
    server.send_signal(signal.SIGTERM)
    _, err = server.communicate(timeout=60)
    assert server.returncode == 0, err
    assert "Traceback" not in err
    assert set(told) <= set(honeyhive.events)  # at the latest when it has ended
    assert len(set(told.values())) > 1
    counts = rest()
    assert counts.delivered == counts.total == len(honeyhive.events)


TASKS = """
import os
from celery import Celery
from llmtee import HoneyHive, Tee
from llmtee.model import ModelCall

app = Celery("tasks", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control",
    "polling_interval": 0.05}
app.conf.worker_prefetch_multiplier = 1
app.conf.task_acks_late = True
app.conf.task_reject_on_worker_lost = True

tee = Tee([HoneyHive(project="p")])

@app.task
def answer(number):
    event_id = tee.record(ModelCall(name="call", session="s", started_at="2026-01-01T10:00:00Z"))
    with open("told", "a") as file:
        file.write(f"{event_id} {os.getpid()}\\n")
"""


@pytest.mark.slow
def test_celery(
    start: Make, tmp_path: Path, honeyhive: HoneyHiveEmulator, rest: Make, ended: Make
) -> None:
    pytest.importorskip("celery")
    (tmp_path / "tasks.py").write_text(TASKS, "utf-8")
    for folder in ("queue", "control"):
        (tmp_path / folder).mkdir()
    told = tmp_path / "told"
    told.touch()

    def send(first: int, last: int) -> None:
        code = f"import tasks\nfor n in range({first}, {last}): tasks.answer.delay(n)"
        ended(start(sys.executable, "-c", code), 0, None)

    def lines() -> list[list[str]]:
        return [one.split() for one in told.read_text("utf-8").splitlines()]

    send(0, 30)
    worker = start(
        *(sys.executable, "-m", "celery", "-A", "tasks", "worker", "--pool=prefork", "-c", 2),
        *("--without-gossip", "--without-mingle", "--without-heartbeat", "--max-tasks-per-child=7"),
    )
    wait_until(lambda: worker.poll() is not None or len(lines()) >= 30)
    assert worker.poll() is None, worker.stderr.read()
    # Children that have done their seven tasks leave by os._exit; another child goes on with what they had recorded.
    assert honeyhive.wait_for(lambda: {words[0] for words in lines()} <= set(honeyhive.events), 60)
    send(30, 35)
    wait_until(lambda: len(lines()) >= 35)
    worker.send_signal(signal.SIGTERM)
    _, err = worker.communicate(timeout=60)
    assert worker.returncode == 0, err
    ids = {words[0] for words in lines()}
    assert len({words[1] for words in lines()}) > 2
    counts = rest()
    assert set(honeyhive.events) == ids
    assert counts.delivered == counts.total == len(ids)
