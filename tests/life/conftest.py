"""Real processes of every kind, each with a Tee, and HoneyHive in the test's own process as the witness."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmtee import HoneyHive, Tee
from llmtee.testing.emulators import HoneyHiveEmulator

Child = subprocess.Popen[str]

PRELUDE = """
import os, signal, sys, threading, time
from llmtee import HoneyHive, Tee
from llmtee.model import ModelCall

# A shell that runs the suite in the background has made everything in it ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

LOG = os.environ["LLMTEE_DIR"]

def open_tee(**options):
    settings = options.pop("settings", {})
    return Tee([HoneyHive(project="p", **settings)], **options)

def event():
    return ModelCall(name="call", session="s", started_at="2026-01-01T10:00:00Z")

def say(*words):
    # In one piece, so that lines of several processes and threads stay whole.
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
"""
"""What each script begins with."""


@pytest.fixture
def honeyhive() -> Iterator[HoneyHiveEmulator]:
    with HoneyHiveEmulator() as emulator:
        yield emulator


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The event log of all processes of a test."""
    return tmp_path / "log"


@pytest.fixture
def environ(honeyhive: HoneyHiveEmulator, log: Path) -> dict[str, str]:
    """What the processes find in their environment."""
    own = {key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"}
    return own | {
        "HH_API_KEY": honeyhive.key,
        "HH_API_URL": honeyhive.url,
        "HH_PROJECT": "p",
        "LLMTEE_DIR": str(log),
    }


@pytest.fixture
def start(environ: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Child]]:
    """Starts a process; none of them outlives the test."""
    children: list[Child] = []

    def run(*command: object, **options: Any) -> Child:
        child = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=environ,
            **{"stderr": subprocess.PIPE, **options},
        )
        children.append(child)
        return child

    yield run
    for child in children:
        if child.poll() is None:
            child.kill()
        child.communicate()


@pytest.fixture
def script(start: Callable[..., Child], tmp_path: Path) -> Callable[..., Child]:
    """Starts a program that begins with `PRELUDE`. In a file, because ``spawn`` has to import it again."""

    def run(code: str, *arguments: object, **options: Any) -> Child:
        path = tmp_path / "program.py"
        path.write_text(PRELUDE + textwrap.dedent(code), "utf-8")
        return start(sys.executable, path, *arguments, **options)

    return run


@pytest.fixture
def ended() -> Callable[..., list[str]]:
    """Waits for the end of a process; gives the words that it printed."""

    def wait(child: Child, code: int = 0, stderr: str | None = "") -> list[str]:
        out, err = child.communicate(timeout=100)
        # Python forgets that a Ctrl-C ended it when some thread compiles something after that, as imports do.
        assert child.returncode in ((code, 1) if code == -signal.SIGINT else (code,)), err
        if stderr is not None:
            assert err == stderr
        return out.split()

    return wait


@pytest.fixture
def line() -> Callable[[Child], list[str]]:
    """The words of the next line that a process prints."""

    def read(child: Child) -> list[str]:
        assert child.stdout is not None
        words = child.stdout.readline().split()
        assert words, child.stderr and child.stderr.read()
        return words

    return read


@pytest.fixture
def tee(honeyhive: HoneyHiveEmulator, log: Path) -> Iterator[Callable[..., Tee]]:
    """Opens a Tee on the log in the test's own process."""
    opened: list[Tee] = []

    def make(**options: Any) -> Tee:
        exporter = HoneyHive(
            project="p", api_key=honeyhive.key, base_url=honeyhive.url, timeout=5.0
        )
        opened.append(Tee([exporter], **{"dir": log, **options}))
        return opened[-1]

    yield make
    for one in opened:
        one.close(1)


@pytest.fixture
def sent(honeyhive: HoneyHiveEmulator) -> Callable[[], Counter[str]]:
    """How often each event was in a request that HoneyHive took."""
    return lambda: Counter(
        event["event_id"]
        for request in honeyhive.requests
        if request.status == 200
        for event in request.body["events"]
    )


@pytest.fixture
def rest(tee: Callable[..., Tee]) -> Callable[[], Any]:
    """The next start: delivers what waits in the log; gives the counts."""

    def deliver() -> Any:
        one = tee()
        one.start()
        report = one.flush(60)
        assert report, report
        return report["honeyhive"]

    return deliver
