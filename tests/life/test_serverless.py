"""Frozen between two requests, and in the middle of one, as AWS Lambda does it; for hours, with connections that die."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmtee.testing.emulators import HoneyHiveEmulator, faults

Make = Callable[..., Any]

FUNCTION = """
    from llmtee.tee import Tuning
    def clock():
        with open("shift") as file:
            return time.time() + float(file.read())
    tee = open_tee(tuning=Tuning(clock=clock), settings={"timeout": 5.0})
    for timeout in sys.stdin:
        event_id = tee.record(event())
        report = tee.flush(timeout=float(timeout))
        say(event_id, report["honeyhive"].delivered, report["honeyhive"].pending)
    os.kill(os.getpid(), signal.SIGKILL)    # the platform says nothing when it takes the process away
"""


def freeze(child: Any) -> None:
    """Returns when the kernel has stopped it."""
    child.send_signal(signal.SIGSTOP)
    _, status = os.waitpid(child.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)


@pytest.fixture
def shift(tmp_path: Path) -> Callable[[float], None]:
    """Sets how many seconds the function's clock is ahead."""

    def put(seconds: float) -> None:
        (tmp_path / "new").write_text(str(seconds), "utf-8")
        (tmp_path / "new").rename(tmp_path / "shift")

    put(0)
    return put


@pytest.fixture
def function(script: Make, line: Make) -> tuple[Any, Callable[[float], list[str]]]:
    child = script(FUNCTION)

    def invoke(timeout: float) -> list[str]:
        child.stdin.write(f"{timeout}\n")
        child.stdin.flush()
        return line(child)  # type: ignore[no-any-return]

    return child, invoke


@pytest.mark.slow
def test_frozen_between_requests_while_connections_die_and_the_clock_jumps(
    function: Any, shift: Make, honeyhive: HoneyHiveEmulator, ended: Make
) -> None:
    child, invoke = function
    ids = []
    for number, seconds in enumerate((0, 3600, -86400, 10 * 86400), 1):
        shift(seconds)
        event_id, delivered, pending = invoke(50)
        assert (int(delivered), int(pending)) == (number, 0)
        ids.append(event_id)
        freeze(child)
        honeyhive.stop()  # every connection ends, and the frozen process cannot see it
        honeyhive.start()
        child.send_signal(signal.SIGCONT)
    assert set(honeyhive.events) == set(ids)
    ended(child, -signal.SIGKILL)


def test_frozen_in_the_middle_of_a_request(
    function: Any, shift: Make, honeyhive: HoneyHiveEmulator, rest: Make, ended: Make
) -> None:
    child, invoke = function
    # HoneyHive has stored it, and the answer is lost.
    honeyhive.script(faults.hang(handled=True))
    first, delivered, pending = invoke(0.5)
    assert (int(delivered), int(pending)) in ((0, 1), (0, 0))
    assert honeyhive.wait_for(lambda: bool(honeyhive.requests), 60)
    freeze(child)
    honeyhive.stop()
    honeyhive.start()
    shift(3600)
    child.send_signal(signal.SIGCONT)
    second, *_ = invoke(50)
    assert honeyhive.wait_for(lambda: second in honeyhive.events, 60)
    ended(child, -signal.SIGKILL, None)
    assert rest().delivered == 2
    assert set(honeyhive.events) == {first, second}
