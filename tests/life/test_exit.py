"""However a process ends: what was recorded arrives, or waits in the log, and nobody waits for long."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmtee.tee import _life
from llmtee.testing.emulators import HoneyHiveEmulator, faults

Make = Callable[..., Any]

INTERRUPTED = (-signal.SIGINT, 1)
"""Python forgets that a Ctrl-C ended it when some thread compiles something after that, as imports do."""


def test_a_second_ctrl_c_leaves_at_once_and_the_log_keeps_what_is_left(
    script: Make, line: Make, honeyhive: HoneyHiveEmulator, rest: Make
) -> None:
    honeyhive.always(faults.hang())
    # The budget is far longer than the test waits. The third Tee asks for a name that nobody ever resolves.
    child = script("""
        import socket
        from llmtee.delivery import engine
        look_up = socket.getaddrinfo
        socket.getaddrinfo = lambda *a, **k: threading.Event().wait()
        tees = [open_tee(exit_timeout=600, dir=LOG), open_tee(exit_timeout=600, dir=LOG + "-2")]
        tees.append(
            open_tee(exit_timeout=600, dir=LOG + "-3", settings={"base_url": "http://localhost:9"})
        )
        real = engine.wait
        def wait(*arguments):
            say("waiting")
            return real(*arguments)
        engine.wait = wait
        say(*[tee.record(event()) for tee in tees])
        while True:  # and no signal.pause(), which would miss a Ctrl-C that comes just before it
            time.sleep(0.1)
    """)
    ids = line(child)
    assert honeyhive.wait_for(lambda: len(honeyhive.requests) >= 2, 60)
    child.send_signal(signal.SIGINT)
    assert line(child) == ["waiting"]
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode in INTERRUPTED
    assert "interrupted at exit; what was not delivered waits in the event log" in err
    assert err.count("Traceback") == 1  # of the first one, in the application
    honeyhive.always(None)
    assert rest().delivered == 1
    assert ids[0] in honeyhive.events


class Leaver:
    """Takes so many seconds of a simulated clock in each step."""

    def __init__(self, clock: list[float], seconds: float, exit_timeout: float) -> None:
        self.exit_timeout = exit_timeout
        self.ends: list[float] = []
        self._clock, self._seconds = clock, seconds

    def leave(self, end: float) -> Iterator[None]:
        self.ends.append(end)
        for _ in range(3):
            self._clock[0] += self._seconds
            yield

    def succeeded_by(self, newer: Any) -> None:
        pass

    def before_fork(self, seconds: float) -> Callable[[], object]:
        return lambda: None

    def after_fork(self) -> None:
        pass


def test_all_tees_have_the_same_seconds_at_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    leavers = [Leaver(clock, 3, 5), Leaver(clock, 3, 5), Leaver(clock, 3, 2)]
    monkeypatch.setattr(_life.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(_life, "_live", dict.fromkeys(leavers))
    _life._at_exit()
    assert [leaver.ends for leaver in leavers] == [[105], [105], [102]]


def test_a_tee_that_fails_at_exit_is_not_the_others_trouble(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Leaver):
        def leave(self, end: float) -> Iterator[None]:
            yield
            raise OSError("planted")

    good = Leaver([0.0], 0, 5)
    monkeypatch.setattr(_life, "_live", dict.fromkeys((Broken([0.0], 0, 5), good)))
    _life._at_exit()
    assert len(good.ends) == 1
    assert "the rest waits in the event log" in caplog.text


def test_daemon_threads_record_until_the_very_end(
    script: Make, ended: Make, honeyhive: HoneyHiveEmulator, rest: Make
) -> None:
    # Also what they record after the hook at exit has run is kept: for the next start.
    ids = ended(
        script("""
        import atexit
        tee = open_tee(exit_timeout=0.3)
        atexit.unregister(__import__("llmtee.tee._life", fromlist=["_at_exit"])._at_exit)
        from llmtee.tee import _life
        def and_after():
            seen = len(said)
            while len(said) < seen + 20:
                time.sleep(0.001)
        atexit.register(and_after)      # runs last
        atexit.register(_life._at_exit)
        said = []
        def forever():
            while True:
                said.append(tee.record(event()))
                say(said[-1])
                time.sleep(0.01)
        for _ in range(3):
            threading.Thread(target=forever, daemon=True).start()
        while len(said) < 30:
            time.sleep(0.001)
    """)
    )
    before = set(honeyhive.events)
    rest()
    assert before < set(honeyhive.events) >= set(ids)
    # A thread may have recorded one that it did not come to say.
    assert len(set(honeyhive.events) - set(ids)) <= 3


@pytest.mark.slow
def test_an_interpreter_that_starts_no_thread_at_exit_delivers_all_the_same(
    script: Make, ended: Make, honeyhive: HoneyHiveEmulator, sent: Make
) -> None:
    # As Python 3.12 and later do; the Tee has no thread yet because only a child has recorded.
    ids = ended(
        script("""
        import atexit
        def refuse(self):
            raise RuntimeError("can't create new thread at interpreter shutdown")
        atexit.register(lambda: setattr(threading.Thread, "start", refuse))
        tee = open_tee(settings={"base_url": os.environ["HH_API_URL"].replace("127.0.0.1", "localhost")})
        if os.fork() == 0:
            threading.Thread.start = refuse
            say(tee.record(event()), tee.record(event()))
            os._exit(0)
        os.wait()
        assert threading.active_count() == 1
    """)
    )
    assert len(ids) == 2
    assert sent() == dict.fromkeys(ids, 1)


WAYS = {
    "sys.exit": ("sys.exit(3)", 3),
    "an exception": ("raise ValueError('planted')", 1),
    "sys.exit in a thread": (
        "thread = threading.Thread(target=sys.exit); thread.start(); thread.join()",
        0,
    ),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM); signal.pause()", -signal.SIGTERM),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL); signal.pause()", -signal.SIGKILL),
    "os._exit": ("os._exit(4)", 4),
    "os.abort": ("os.abort()", -signal.SIGABRT),
    "os.execv": ("os.execv(sys.executable, [sys.executable, __file__, 'again'])", 0),
}
BY_HOOK = {"sys.exit", "an exception", "sys.exit in a thread", "os.execv"}
"""After these, nothing is left for the next start: the hook at exit runs, or the program itself goes on."""


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_however_it_ends(
    way: str, script: Make, ended: Make, honeyhive: HoneyHiveEmulator, rest: Make, sent: Make
) -> None:
    code, status = WAYS[way]
    child = script(f"""
        tee = open_tee()
        say(*[tee.record(event()) for _ in range(20)])
        if len(sys.argv) == 1:
            {code}
    """)
    ids = ended(child, status, None)
    if way in BY_HOOK:
        assert set(honeyhive.events) == set(ids)
    assert rest().delivered == len(ids)
    assert set(honeyhive.events) == set(ids)
    if way in BY_HOOK - {"os.execv"}:
        assert set(sent().values()) == {1}


@pytest.mark.slow
def test_ctrl_c_in_close_is_not_followed_by_another_wait(
    script: Make, line: Make, honeyhive: HoneyHiveEmulator
) -> None:
    honeyhive.always(faults.hang())
    child = script("""
        from llmtee.delivery import engine
        real = engine.wait
        def wait(*arguments):
            say("waiting")
            return real(*arguments)
        with open_tee(exit_timeout=600) as tee:
            tee.record(event())
            engine.wait = wait
            try:
                tee.close(600)
            finally:
                say("interrupted")
    """)
    assert line(child) == ["waiting"]
    child.send_signal(signal.SIGINT)
    assert line(child) == ["interrupted"]
    child.communicate(timeout=60)
    assert child.returncode in INTERRUPTED


@pytest.mark.slow
def test_a_second_signal_ends_deliver_at_once(
    start: Make, line: Make, script: Make, ended: Make, honeyhive: HoneyHiveEmulator, log: Path
) -> None:
    honeyhive.always(faults.hang())
    ended(script("open_tee(deliver=False).record(event())"))
    child = start(Path(sys.executable).parent / "llmtee", "deliver", log, "--grace=600")
    line(child)
    assert honeyhive.wait_for(lambda: bool(honeyhive.requests), 60)
    child.send_signal(signal.SIGTERM)
    assert line(child)[0] == "ending"
    child.send_signal(signal.SIGTERM)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 128 + signal.SIGTERM, err
    assert "Traceback" not in err
