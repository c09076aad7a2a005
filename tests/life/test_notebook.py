"""In a notebook: cells that are run again and again, an event loop that always runs, interrupts, and killed kernels."""

from __future__ import annotations

import os
import signal
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmtee import HoneyHive, Tee
from llmtee.model import ModelCall
from llmtee.testing.emulators import HoneyHiveEmulator, faults

Make = Callable[..., Any]

FIRST_CELL = """
import asyncio, os
from llmtee import HoneyHive, Tee
from llmtee.model import ModelCall
tee = Tee([HoneyHive(project="p")])
def call():
    return ModelCall(name="call", session="s", started_at="2026-01-01T10:00:00Z")
asyncio.get_running_loop()      # there is one, in the thread of the cells
print(os.getpid())
"""


class Notebook:
    """A real kernel, in a process of its own."""

    def __init__(self, manager: Any, environ: dict[str, str], directory: Path) -> None:
        self._manager = manager.KernelManager(kernel_name="python3", transport="ipc")
        self._manager.ip = str(directory / "kernel")
        self._manager.connection_file = str(directory / "kernel.json")
        self._manager.start_kernel(env=environ, cwd=str(directory))
        self._connect()

    def _connect(self) -> None:
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(60)

    def run(self, cell: str) -> tuple[str, str]:
        """What a cell prints, and the name of its exception."""
        out: list[str] = []

        def keep(message: Any) -> None:
            if message["header"]["msg_type"] == "stream":
                out.append(message["content"]["text"])

        cell = textwrap.dedent(cell)
        answer = self._client.execute_interactive(cell, output_hook=keep, timeout=60)
        return "".join(out), answer["content"].get("ename", "")

    def interrupt(self, cell: str) -> str:
        """Interrupts a cell, as the stop button does, when it has printed something; the name of its exception."""
        number = self._client.execute(textwrap.dedent(cell))
        while self._client.get_iopub_msg(timeout=60)["header"]["msg_type"] != "stream":
            pass
        self._manager.interrupt_kernel()
        while True:
            answer = self._client.get_shell_msg(timeout=60)
            if answer["parent_header"].get("msg_id") == number:
                return str(answer["content"].get("ename", ""))

    def restart(self) -> None:
        """Kills the kernel, and starts another."""
        self._client.stop_channels()
        self._manager.restart_kernel(now=True)
        self._connect()

    def stop(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()


@pytest.fixture
def notebook(environ: dict[str, str], tmp_path: Path) -> Iterator[Notebook]:
    pytest.importorskip("ipykernel")
    environ["JUPYTER_PLATFORM_DIRS"] = "1"
    one = Notebook(pytest.importorskip("jupyter_client.manager"), environ, tmp_path)
    yield one
    one.stop()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of what the client of the kernel does
def test_a_notebook(
    notebook: Notebook,
    honeyhive: HoneyHiveEmulator,
    rest: Make,
) -> None:
    ids: list[str] = []

    def run(cell: str) -> None:
        out, error = notebook.run(cell)
        assert not error, (out, error)
        ids.extend(out.split())

    # The cell that opens the Tee is run again and again, and what the name meant before is not closed.
    for _ in range(3):
        assert notebook.run(FIRST_CELL)[1] == ""
        run("print(tee.record(call()))")
    run("assert tee.flush(50), tee.stats()")
    run("print(tee.record(call()))\nassert await tee.aflush(50)")
    assert set(honeyhive.events) == set(ids)
    # The stop button ends a flush, and costs nothing.
    honeyhive.always(faults.hang())
    run("print(tee.record(call()))")
    stopped = notebook.interrupt("""
        from llmtee.delivery import engine
        real = engine.wait
        def wait(*arguments):
            print("waiting", flush=True)
            engine.wait = real
            return real(*arguments)
        engine.wait = wait
        tee.flush(600)
    """)
    assert stopped == "KeyboardInterrupt"
    run("print(tee.record(call()))")
    # The kernel is restarted, which kills it. The first cell of the new one delivers what the old one had not.
    notebook.restart()
    honeyhive.always(None)
    assert notebook.run(FIRST_CELL)[1] == ""
    run("print(tee.record(call()))")
    run("assert tee.flush(50)")
    assert set(honeyhive.events) == set(ids)
    pid = int(notebook.run("print(os.getpid())")[0])
    run("print(tee.record(call()))")
    os.kill(pid, signal.SIGKILL)
    rest()
    assert set(honeyhive.events) == set(ids)
    assert len(ids) == 8


def test_the_newer_tee_of_a_process_delivers_when_it_has_other_exporters(
    tee: Callable[..., Tee], honeyhive: HoneyHiveEmulator, log: Path
) -> None:
    # As when somebody adds a vendor in a cell, and runs it again.
    older = tee()
    ids = [older.record(ModelCall(name="older"))]
    assert older.flush(60)

    def another() -> Tee:
        key = {"api_key": honeyhive.key, "base_url": honeyhive.url}
        both = [HoneyHive(project="p", **key), HoneyHive(project="p", name="second", **key)]
        return Tee(both, dir=log)

    with another() as newer:
        ids.append(newer.record(ModelCall(name="newer")))
        assert newer.flush(60)
        assert newer.stats().delivering
        assert not older.stats().delivering
        # The older one goes on to record, and leaves the delivery to the newer one.
        ids.append(older.record(ModelCall(name="older again")))
        assert older.flush(60)
        assert newer.stats().delivering
        assert newer.flush(60)  # the older one knows nothing of the second exporter
        counts = newer.stats().exporters
        assert (counts["honeyhive"].counts.delivered, counts["second"].counts.delivered) == (3, 2)
    assert set(honeyhive.events) == set(ids)
