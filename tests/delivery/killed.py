"""A process that forks recording processes to be killed: one that starts anew needs half a second for its imports.

Run as ``killed.py``. Reads orders from its input, a line of JSON each, and answers each with two lines: the process id
of the child it forked, and how that one fared. The child is waited for only when the next order comes, so that its id
is nobody else's until then.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from types import CodeType
from typing import Any

import llmtee
from llmtee import registry
from llmtee.delivery import Tuning, engine
from llmtee.eventlog.journal import JournalWriter
from llmtee.model import Choice, Message, ModelCall, TextPart
from llmtee.spec import RetryPolicy

THREADS = 4
TURNS = 3
RETRY = RetryPolicy(initial=0.005, multiplier=1.5, jitter=0.005, maximum=0.05, attempts=50)

AIMS: dict[str, tuple[str, ...]] = {
    "append": ("SegmentWriter.append", "JournalWriter.append"),
    "rotation": (
        "JournalWriter._rotate",
        "JournalWriter._seal",
        "SegmentWriter.__init__",
        "SegmentWriter.seal",
    ),
    "bell": ("Ringer.news", "ring"),
    "absorb": ("Engine._absorb_all", "SqliteLog.absorb", "pass_over", "_set_position"),
    "claim": ("Claim.__call__", "SqliteLog.claim", "take", "_take", "_insert_event", "claim"),
    "send": ("Send.__call__", "SqliteLog.sending", "mark", "HttpTransport.send", "Gate.answered"),
    "settle": ("Settle.__call__", "SqliteLog.settle", "settle", "_settle_delivered"),
    "tidy": ("SqliteLog.tidy", "JournalReader.remove", "finish_segments", "_forget_session"),
}
"""Where a child is killed: before one of the lines of these functions."""


def die() -> None:
    """As the kernel does it: nothing is flushed, nothing is told."""
    os.kill(os.getpid(), signal.SIGKILL)


def call(session: str, turn: int) -> ModelCall:
    """The call of one turn, with the history before it. No other turn has its texts."""
    history = [
        Message(role=role, parts=(TextPart(text=f"{session}, turn {number}: {role}"),))
        for number in range(turn + 1)
        for role in ("user", "assistant")
    ]
    return ModelCall(
        session=session,
        provider="openai",
        model="gpt-4o",
        started_at=f"2026-01-01T10:{turn:02}:00Z",
        ended_at=f"2026-01-01T10:{turn:02}:01Z",
        input=tuple(history[:-1]),
        choices=(Choice(message=history[-1]),),
    )


def exporters(servers: dict[str, str], on_unknown: str) -> list[Any]:
    """The four vendors at their emulators."""
    return [
        registry.vendor(name).settings.model_validate(
            {
                "api_key": f"{name}-emulator-key",
                "base_url": url,
                "on_unknown": on_unknown,
                "timeout": 5.0,
            }
        )
        for name, url in servers.items()
    ]


# ── the child ───────────────────────────────────────────────────────────────────────────────────────────────────


class _Fuse:
    """Kills the process before the n-th line that any of some functions runs, in whichever thread."""

    def __init__(self, functions: tuple[str, ...], lines: int) -> None:
        self._functions = frozenset(functions)
        self._left = lines
        self._known: dict[CodeType, bool] = {}

    def light(self) -> None:
        threading.settrace(self._calls)  # for the threads that are not started yet

    def _calls(self, frame: Any, event: str, argument: Any) -> Any:
        code = frame.f_code
        wanted = self._known.get(code)
        if wanted is None:
            wanted = self._known[code] = (
                code.co_qualname in self._functions and "llmtee" in code.co_filename
            )
        return self._lines if wanted else None

    def _lines(self, frame: Any, event: str, argument: Any) -> Any:
        if event == "line":
            self._left -= 1
            if self._left < 0:
                die()
        return self._lines


def opened(order: dict[str, Any]) -> llmtee.Tee:
    """The Tee of an order."""
    return llmtee.Tee(
        exporters(order["servers"], order["on_unknown"]),
        dir=order["directory"],
        tuning=Tuning(retry=RETRY, quiet=0.0, probe_initial=0.01),
        strict=False,
    )


def warm_up(order: dict[str, Any]) -> None:
    """Loads what is loaded at the first use of it, so that the children find it there."""
    with opened(order) as tee:
        tee.record(call("warm up", 0))
        tee.end_session("warm up")
        tee.flush(30)


def child(order: dict[str, Any], tell: int) -> None:
    """Records from four threads and delivers, until it is killed; at last it does so itself."""
    JournalWriter.__init__.__kwdefaults__["segment_bytes"] = order["segment_bytes"]
    engine._TIDY_SECONDS = 0.01
    if order["aim"] == "bell":
        engine._AWAKE_SECONDS = 0.0  # so that each record has to ring
    if functions := AIMS.get(order["aim"]):
        _Fuse(functions, order["lines"]).light()
    tee = opened(order)

    def work(number: int) -> None:
        for session in range(order["sessions"]):
            name = f"{order['prefix']}kill {order['kill']}, thread {number}, session {session}"
            for turn in range(TURNS):
                recorded = tee.record(call(name, turn))
                # One system call, so that it is told whole or not at all; a pipe outlives whoever wrote into it.
                os.write(tell, f"{recorded} {turn} {name}\n".encode())
            if session % 2:
                tee.end_session(name)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tee.flush(2.0)
    os.write(tell, b"idle\n")
    die()


# ── the parent of them ──────────────────────────────────────────────────────────────────────────────────────────


def fork(order: dict[str, Any], run: Callable[[dict[str, Any], int], None]) -> tuple[int, int]:
    """The child's process id, and where it tells what it did."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid:
        os.close(tell)
        return pid, told
    try:
        os.setsid()
        os.close(told)
        run(order, tell)
    except BaseException:  # noqa: BLE001 - whatever it is, the child must not go on as its parent
        sys.excepthook(*sys.exc_info())
    finally:
        die()
    raise AssertionError


def watch(pid: int, told: int, after_ids: int | None, seconds: float) -> str:
    """What the child told until it was dead. It is killed so many seconds after it told of so many records."""
    seen = b""
    while after_ids is None or seen.count(b"\n") < after_ids:
        more = os.read(told, 65536)
        if not more:
            break
        seen += more
    if after_ids is not None:
        select.select([], [], [], seconds)
        os.kill(pid, signal.SIGKILL)
    while more := os.read(told, 65536):
        seen += more
    os.close(told)
    return seen.decode()


def main() -> None:
    """Takes orders until there are no more."""
    pid = 0
    for line in sys.stdin:
        if pid:
            os.waitpid(pid, 0)
        order = json.loads(line)
        if "aim" not in order:
            warm_up(order)
            continue
        pid, told = fork(order, child)
        print(pid, flush=True)  # noqa: T201 - the answer
        text = watch(pid, told, order.get("after_ids"), order.get("seconds", 0.0))
        print(json.dumps(text), flush=True)  # noqa: T201 - the answer
    if pid:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
