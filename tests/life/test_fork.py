"""Children of every kind: a Tee that was made before a fork works in each, and none hangs, leaks or repeats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from llmtee.testing.emulators import HoneyHiveEmulator

Make = Callable[..., Any]


def test_children_start_no_thread_until_they_record_and_leak_nothing(
    script: Make, ended: Make, honeyhive: HoneyHiveEmulator, sent: Make
) -> None:
    ids = ended(
        script("""
        def tasks():
            return len(os.listdir("/proc/self/task"))
        def files():
            return sorted(os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")
                          if os.path.exists(f"/proc/self/fd/{n}"))
        def generation(left):
            # The parent's engine runs, and its connections are open.
            tee = open_tee()
            say(tee.record(event()))
            assert tee.flush()
            tee_files = files()
            if left and os.fork() == 0:
                assert tasks() == 1, tasks()
                inherited = files()
                # But for the database, which SQLite forbids to close, and a page that all processes share.
                kept = [name for name in inherited if LOG in name]
                assert {os.path.basename(name).partition(" ")[0] for name in kept} <= {
                    "events.db", "events.db-wal", "events.db-shm", "bell.sleeps"}, kept
                assert not [name for name in inherited if "eventpoll" in name], inherited
                assert not [name for name in inherited if name.startswith("socket")], inherited
                say(tee.record(event()))
                assert tasks() > 1
                assert tee.flush()
                tee.close()
                generation(left - 1)
                os._exit(0)
            if left:
                assert os.wait()[1] == 0
            tee.close()
        assert tasks() == 1
        tee = open_tee()
        assert tasks() == 1
        tee.close()
        before = files()
        for _ in range(3):
            generation(1)
        generation(2)
        assert files() == before, (files(), before)
        assert tasks() == 1
    """)
    )
    assert len(ids) == 3 * 3 + 5
    assert sent() == dict.fromkeys(ids, 1)


@pytest.mark.parametrize("forks", [3, pytest.param(15, marks=pytest.mark.slow)])
def test_forks_at_any_moment_of_a_delivery(
    forks: int, script: Make, ended: Make, honeyhive: HoneyHiveEmulator
) -> None:
    # The first fork comes while the parent's thread imports the HTTP library; others while it is inside SQLite.
    ids = ended(
        script(
            """
        tee = open_tee()
        say(tee.record(event()))
        children = []
        for number in range(int(sys.argv[1])):
            pid = os.fork()
            if pid == 0:
                signal.alarm(60)            # who hangs dies of it, and the parent says so
                say(tee.record(event()))
                assert tee.flush(50) or number % 3
                if number % 3 == 0:
                    sys.exit()
                os._exit(0)
            children.append(pid)
            for _ in range(20):
                say(tee.record(event()))
        for pid in children:
            assert os.waitpid(pid, 0)[1] == 0
        assert tee.flush(50)
    """,
            forks,
        )
    )
    assert len(ids) == 1 + forks + forks * 20
    assert set(honeyhive.events) == set(ids)


@pytest.mark.slow
def test_a_child_that_records_nothing_leaves_the_rest_to_its_parent(
    script: Make, ended: Make, honeyhive: HoneyHiveEmulator, sent: Make
) -> None:
    # Its exit would otherwise wait, for as long as exit_timeout, for what its parent has not delivered.
    ids = ended(
        script("""
        tee = open_tee(exit_timeout=600, settings={"quiet": 0})
        tee._delivers = False               # the parent's delivery has not begun
        say(tee.record(event()))
        tee._delivers = True
        if os.fork() == 0:
            signal.alarm(60)
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.wait()[1]) == 7
        assert tee.stats()["honeyhive"].counts.pending == 1
    """)
    )
    assert sent() == dict.fromkeys(ids, 1)


MULTIPROCESSING = """
    import concurrent.futures, multiprocessing

    tee = open_tee()

    def work(number):
        return tee.record(event())

    def child(connection):
        connection.send(work(0))
        connection.close()

    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[1])
        ids = [tee.record(event())] if sys.argv[2] == "records" else []
        ours, theirs = context.Pipe()
        process = context.Process(target=child, args=(theirs,))
        process.start()
        ids.append(ours.recv())
        process.join()
        assert process.exitcode == 0
        with context.Pool(2) as pool:
            ids += pool.map(work, range(20))
        # Leaving the block has terminated the workers, whatever they were doing.
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
            ids += executor.map(work, range(20))
        say(*ids)
"""


@pytest.mark.slow
@pytest.mark.parametrize("parent", ["records", "only waits"])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(
    method: str,
    parent: str,
    script: Make,
    ended: Make,
    honeyhive: HoneyHiveEmulator,
    rest: Make,
) -> None:
    ids = ended(script(MULTIPROCESSING, method, parent), 0, None)
    assert len(ids) == 41 + (parent == "records")
    # multiprocessing's children leave by os._exit: what they had not delivered, their parent has at its own exit.
    assert set(honeyhive.events) == set(ids)
    assert rest().delivered == len(ids)


@pytest.mark.slow
def test_forks_while_other_threads_record_and_look(
    script: Make, ended: Make, honeyhive: HoneyHiveEmulator, rest: Make
) -> None:
    ids = ended(
        script("""
        tee = open_tee()
        stop = threading.Event()
        def busy():
            while not stop.wait(0.01):
                say(tee.record(event()))
                tee.stats()
        threads = [threading.Thread(target=busy) for _ in range(2)]
        for thread in threads:
            thread.start()
        for number in range(50):
            pid = os.fork()
            if pid == 0:
                signal.alarm(60)
                say(tee.record(event()))
                tee.stats()
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0, number
        stop.set()
        for thread in threads:
            thread.join()
    """)
    )
    assert len(ids) > 50
    rest()
    assert set(honeyhive.events) == set(ids)
