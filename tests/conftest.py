from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

# A change is judged by the same examples every time; `make test-all` goes looking for new ones.
settings.register_profile("same", deadline=None, max_examples=45, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=400)
profile = os.environ.get("HYPOTHESIS_PROFILE", "same")
settings.load_profile(profile)
if profile == "same" and hasattr(providers, "_get_local_constants"):
    # Hypothesis also draws constants from the source of whatever modules are loaded: then the examples would depend on
    # which tests ran before, in the same process, and on every line of code.
    nothing = providers._local_constants
    providers._get_local_constants = lambda: nothing


def pytest_collection_finish() -> None:
    """What was collected stays to the end: the garbage collector need not go through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _sockets_of_sdks(request: pytest.FixtureRequest) -> Iterator[None]:
    """A provider's client that nobody closed leaves its sockets to the garbage collector, in whichever test runs then."""
    yield
    if {"capture", "attribution", "voker", "compat"} & set(request.path.parts):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test sees the keys, the settings or the event log of whoever runs it, and none can reach a real vendor."""
    for name in list(os.environ):
        if name.startswith(("LLMTEE_", "VOKER_", "HH_", "HONEYHIVE_", "INKEEP", "ROARK_", "OTEL_")):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("LLMTEE_DIR", str(home / "log"))
    for name in (
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)


@dataclass(frozen=True)
class Ended:
    """How a run of the console script ended."""

    code: int
    out: str
    err: str

    @property
    def complaints(self) -> str:
        """Stderr without the lines that say which format was told."""
        return "".join(
            line for line in self.err.splitlines(keepends=True) if ": read as " not in line
        )

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(scope="session")
def zygote() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("zygote.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def llmtee(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, zygote: subprocess.Popen[bytes]
) -> Callable[..., Ended]:
    """Runs the command line in a process of its own, inside ``tmp_path``; see ``zygote.py``."""
    files = tmp_path_factory.mktemp("run")

    def run(*args: object, stdin: str | bytes = "", **variables: str) -> Ended:
        paths = {name: files / name for name in ("stdin", "stdout", "stderr")}
        paths["stdin"].write_bytes(stdin.encode() if isinstance(stdin, str) else stdin)
        order = {
            "args": [str(one) for one in args],
            "cwd": str(tmp_path),
            "env": {**os.environ, **variables},
            **{name: str(path) for name, path in paths.items()},
        }
        assert zygote.stdin is not None
        assert zygote.stdout is not None
        zygote.stdin.write(json.dumps(order).encode() + b"\n")
        zygote.stdin.flush()
        code = int(zygote.stdout.readline())
        return Ended(code, paths["stdout"].read_text(), paths["stderr"].read_text())

    return run
