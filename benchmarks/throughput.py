"""Events a second, and CPU for each, from the first record to the arrival of the last at a bare local server.

Run by ``make bench``, or alone: ``python benchmarks/throughput.py [EVENTS]``. The server is a process of its own that
answers as each vendor would, at once and without looking; what is measured is llmtee. Compare by ratio.
``--profile`` shows where the time of the delivery thread goes instead.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import multiprocessing
import pstats
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from llmtee import HoneyHive, Inkeep, Roark, Tee, Voker
from llmtee.delivery import Tuning
from llmtee.delivery.engine import Engine

ROOT = Path(__file__).resolve().parents[1]
TEXT = "The quick brown fox jumps over the lazy dog. " * 40
PER_SESSION = 20


def main() -> None:
    """Prints all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", nargs="?", type=int, default=2000)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    libraries = ["httpx", *(["aiohttp"] if find_spec("aiohttp") else [])]
    if options.profile:
        _profiled(lambda: _measure("aiohttp" if find_spec("aiohttp") else "httpx", options.events))
        return
    print(
        f"{options.events:,} events of about 2 KB, {PER_SESSION} to a session; arrival in all vendors\n"
    )
    print(f"  {'':28}{'events/s':>10}{'CPU ms per 1,000':>20}{'requests':>10}")
    for which in ("honeyhive", "all four"):
        for library in libraries:
            rate, cpu, requests = _measure(library, options.events, everybody=which == "all four")
            print(f"  {which + ', ' + library:28}{rate:10,.0f}{cpu:20,.0f}{requests:10,}")


def _measure(library: str, events: int, *, everybody: bool = False) -> tuple[float, float, int]:
    """Events a second, CPU milliseconds of this process per 1,000 events, and requests."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(theirs,), daemon=True
    )
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}"
    common: dict[str, Any] = {"api_key": "benchmark-key", "base_url": url, "transport": library}
    exporters: list[Any] = [HoneyHive(project="benchmark", **common)]
    if everybody:
        exporters += [Voker(**common), Inkeep(**common), Roark(**common)]
    try:
        with (
            tempfile.TemporaryDirectory() as directory,
            Tee(exporters, dir=directory, tuning=Tuning(quiet=0.0)) as tee,
        ):
            tee.flush()
            started, cpu = time.perf_counter(), _cpu()
            for number in range(events):
                tee.record_call("openai-chat", **_record(number))
            for session in range(-(-events // PER_SESSION)):
                tee.end_session(f"session {session}")
            report = tee.flush(timeout=600)
            seconds, used = time.perf_counter() - started, _cpu() - cpu
            if not report.ok or any(counts.dead for counts in report.exporters.values()):
                sys.exit(f"not everything arrived: {report}")
            requests = sum(stats.requests for stats in tee.stats().exporters.values())
        return events / seconds, used / events * 1e6, requests
    finally:
        server.terminate()
        server.join()


def _record(number: int) -> dict[str, Any]:
    question = {"role": "user", "content": f"{number}: {TEXT[:900]}"}
    answer = {"role": "assistant", "content": TEXT[:900]}
    return {
        "session": f"session {number // PER_SESSION}",
        "started_at": "2026-01-01T10:00:00Z",
        "ended_at": "2026-01-01T10:00:01Z",
        "request": {"model": "gpt-4o", "messages": [question]},
        "response": {
            "model": "gpt-4o",
            "choices": [{"index": 0, "message": answer, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 200, "completion_tokens": 200, "total_tokens": 400},
        },
    }


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


# ── the server ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _serve(parent: Connection) -> None:
    """Answers every request as its path's vendor would. Nothing but sockets: it must not be what is measured."""

    async def run() -> None:
        server = await asyncio.start_server(_connection, "127.0.0.1", 0, limit=2**26)
        parent.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


async def _connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        lines = head.decode("latin-1").split("\r\n")
        path = lines[0].split(" ")[1]
        lengths = [
            line.split(":")[1] for line in lines if line.lower().startswith("content-length:")
        ]
        body = await reader.readexactly(int(lengths[0]) if lengths else 0)
        content = json.dumps(_answer(path, body)).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(content) + content)


def _answer(path: str, body: bytes) -> Any:
    if "events/batch" in path:
        ids = [event["event_id"] for event in json.loads(body)["events"]]
        return {"success": True, "event_ids": ids}
    if "fingerprint" in path:
        return {"fingerprint_id": "0" * 8, "id": "0" * 8}
    return {"id": "1", "success": True, "data": {"id": "1"}}


def _profiled(work: Callable[[], object]) -> None:
    """Runs ``work`` with the delivery thread under the profiler."""
    profile, plain = cProfile.Profile(), Engine._run  # noqa: SLF001

    def run(self: Engine) -> None:
        profile.runcall(plain, self)

    Engine._run = run  # type: ignore[method-assign]  # noqa: SLF001
    work()
    for thread in threading.enumerate():
        if thread.name == "llmtee":
            thread.join(10)
    pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    pstats.Stats(profile).sort_stats("cumulative").print_stats("/llmtee/(delivery|eventlog)/")


if __name__ == "__main__":
    main()
