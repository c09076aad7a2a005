"""Runs conversions in processes of their own, as fast as a fork: reads orders on stdin, a JSON object a line.

Marks are kept after each chunk, and chunks are small, so that there is much to be killed in the middle of.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from llmtee import bulk
from llmtee.bulk import _chunks, _run
from llmtee.cli import convert as _command  # noqa: F401 - imported once, for all
from llmtee.cli import main
from llmtee.errors import LlmteeError

_chunks.COUNT = 7
_run.EVERY = 0.0
_run._BYTES = 20_000


def pause_after(chunks: int, paused: str) -> None:
    """Waits for a signal when so many chunks were done; a file appears then."""
    tell, told = _run.Run._tell, 0

    def counting(*args: Any) -> None:
        nonlocal told
        told += 1
        tell(*args)
        if told > chunks:
            Path(paused).touch()
            signal.pause()

    _run.Run._tell = counting  # type: ignore[method-assign]


def tell(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        pause_after(order.pop("pause", 10**6), order.pop("paused", ""))
        if "command" in order:
            sys.stderr = Path(order["stderr"]).open("w")  # noqa: SIM115
            sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
            sys.argv = ["llmtee", *order["command"]]
            try:
                main()
            except SystemExit as end:
                sys.stderr.flush()
                os._exit(end.code or 0)
        try:
            bulk.convert(order.pop("src"), order.pop("dst"), **order, on_error=lambda _: None)
        except LlmteeError as error:
            sys.stderr.write(str(error))
            os._exit(1)
        os._exit(0)
    tell(child)
    _, status = os.waitpid(child, 0)
    tell(os.waitstatus_to_exitcode(status))
