"""The measurements. Each is one function that gives plain figures, and runs in a process of its own (see ``run.py``)."""

from __future__ import annotations

import gc
import resource
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import clients
import events
import sink

WARM_UP = 100
Figures = dict[str, float]


def caller(client: str, size: str, *, busy: bool, calls: int) -> Figures:
    """What one call costs the thread that makes it, in microseconds, while what is recorded is delivered.

    Args:
        client: ``record``, ``record_call``, ``record, no delivery``, or a peer.
        size: of `events.SIZES`.
        busy: whether another thread computes in Python meanwhile.
        calls: how many; the first are not counted.
    """
    with sink.serving() as url, tempfile.TemporaryDirectory() as directory:
        it = _opened(client, url, directory)
        samples = [it.prepared(sample) for sample in events.records(WARM_UP + calls, size)]
        for sample in samples[:WARM_UP]:
            it.record(sample)
        took = []
        with _busy_thread(wanted=busy):
            for sample in samples[WARM_UP:]:
                started = time.perf_counter_ns()
                it.record(sample)
                took.append((time.perf_counter_ns() - started) / 1000)
        it.close()
    p99 = statistics.quantiles(took, n=100)[98]
    return {"median": statistics.median(took), "p99": p99, "worst": max(took)}


def arrival(client: str, transport: str, *, count: int, sessions: str = "each") -> Figures:
    """Events a second from the first call to the arrival of the last, and CPU milliseconds of all threads per 1,000.

    Args:
        client: ``HoneyHive`` or ``all four`` for llmtee, with its log on disk, or a peer.
        transport: the HTTP library of llmtee.
        count: of events.
        sessions: HoneyHive's setting.
    """
    with sink.serving() as url, tempfile.TemporaryDirectory() as directory:
        if client in clients.PEERS:
            it = clients.PEERS[client][1](url, directory)
        else:
            it = clients.llmtee(
                url, directory, vendors=client, transport=transport, sessions=sessions
            )
            _send(it, events.records(WARM_UP, first=10**6))
        samples = events.records(count)
        cpu, started = time.process_time(), time.perf_counter()
        _send(it, samples)
        seconds, used = time.perf_counter() - started, time.process_time() - cpu
        it.close()
    return {"events/s": count / seconds, "CPU ms per 1,000": used / count * 1e6}


def waiting(count: int) -> Figures:
    """Megabytes that the process grows by while events wait that cannot be sent: nobody answers.

    ``files`` are pages of the journal, which the system writes out when it needs the memory.
    """
    with tempfile.TemporaryDirectory() as directory:
        it = clients.llmtee("http://127.0.0.1:9", directory)
        for sample in events.records(WARM_UP):
            it.record(sample)
        gc.collect()
        before = _memory()
        for start in range(0, count, 1000):
            for sample in events.records(min(1000, count - start), first=WARM_UP + start):
                it.record(sample)
        gc.collect()
        after = _memory()
        disk = sum(path.stat().st_size for path in Path(directory).iterdir()) / 2**20
        it.close()
    return {**{name: after[name] - before[name] for name in after}, "on disk": disk}


def _opened(client: str, url: str, directory: str) -> clients.Client:
    if client in clients.PEERS:
        return clients.PEERS[client][1](url, directory)
    canonical = client.startswith("record") and not client.startswith("record_call")
    deliver = "no delivery" not in client
    return clients.llmtee(url, directory, deliver=deliver, canonical=canonical)


def _send(it: clients.Client, samples: list[dict[str, Any]]) -> None:
    for sample in samples:
        it.record(sample)
    for session in dict.fromkeys(sample["session"] for sample in samples):
        it.end(session)
    it.flush()


def _memory() -> Figures:
    """Megabytes of this process: all that is in memory, and the part of it that files hold."""
    try:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
    except FileNotFoundError:  # not Linux: the peak, in bytes there
        return {"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, "files": 0.0}
    kilobytes = {
        name: rest.split()[0]
        for name, _, rest in (line.partition(":") for line in lines)
        if rest.split()
    }
    return {
        "memory": int(kilobytes["RssAnon"]) / 1024,
        "files": (int(kilobytes["RssFile"]) + int(kilobytes["RssShmem"])) / 1024,
    }


@contextmanager
def _busy_thread(*, wanted: bool) -> Iterator[None]:
    stop = threading.Event()

    def work() -> None:
        number = 0
        while not stop.is_set():
            number = (number * 31 + 7) % 1_000_003

    thread = threading.Thread(target=work)
    if wanted:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if wanted:
            thread.join()


MEASUREMENTS: dict[str, Callable[..., Figures]] = {
    "caller": caller,
    "arrival": arrival,
    "waiting": waiting,
}
