"""An application that talks to models all the time, in four threads. Run by test_soak.py.

Arguments: the addresses and keys of the vendors as JSON, seconds, directory of the log. Prints a line of JSON: what it
has recorded, samples of what it needs, and where everything stands at the end.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from llmtee import HoneyHive, Inkeep, Roark, Tee, Voker
from llmtee.eventlog import Retention

THREADS = 4
PAUSE = 0.25
"""Seconds between two calls of a thread."""
TURNS = 5
SAMPLES = 120
ROOM_SECONDS = 10.0
"""How long what is finished stays in the log."""


def sample(directory: Path) -> dict[str, float]:
    """What the process needs now."""
    status = Path("/proc/self/status").read_text("ascii")
    own = next(line for line in status.splitlines() if line.startswith("RssAnon"))
    sizes = 0
    for path in directory.iterdir():
        try:
            sizes += path.stat().st_size
        except FileNotFoundError:  # a segment that was just done with
            continue
    return {
        "at": time.monotonic(),
        "memory": int(own.split()[1]) * 1024,
        "files": len(os.listdir("/proc/self/fd")),  # noqa: PTH208
        "threads": threading.active_count(),
        "disk": sizes,
    }


def work(tee: Tee, own: int, stop: threading.Event, done: list[int]) -> None:
    """Holds one conversation after the other."""
    number = 0
    while not stop.is_set():
        number += 1
        session = f"session {own}.{number}"
        messages: list[dict[str, Any]] = [{"role": "system", "content": "You are kind. " * 40}]
        with tee.session(session, agent="soak", agent_version="v1", person=f"person {own}"):
            for turn in range(TURNS):
                messages.append({"role": "user", "content": f"Question {turn} of {session}?"})
                said = {"role": "assistant", "content": f"Answer {turn}. " * 40}
                tee.record_call(
                    "openai-chat",
                    request={"model": "gpt-4o", "messages": messages},
                    response={
                        "model": "gpt-4o",
                        "choices": [{"index": 0, "message": said, "finish_reason": "stop"}],
                        "usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18},
                    },
                )
                messages.append(said)
                done[0] += 1
                if stop.wait(PAUSE):
                    break
        tee.end_session(session)
        done[1] += 1


def main() -> None:
    vendors, seconds, directory = json.loads(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])

    def at(name: str) -> dict[str, Any]:
        return {"api_key": vendors[name]["key"], "base_url": vendors[name]["url"], "timeout": 2.0}

    tee = Tee(
        [
            Voker(**at("voker")),
            HoneyHive(project="soak", **at("honeyhive")),
            Inkeep(**at("inkeep"), quiet=0.2),
            Roark(**at("roark")),
        ],
        dir=directory,
        retention=Retention(keep_seconds=ROOM_SECONDS),
    )
    stop = threading.Event()
    done = [[0, 0] for _ in range(THREADS)]
    threads = [
        threading.Thread(target=work, args=(tee, own, stop, done[own])) for own in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    samples, end = [], time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, seconds / SAMPLES))
        samples.append(sample(directory))
        tee.stats()  # as a dashboard would
    stop.set()
    for thread in threads:
        thread.join()
    print("recorded", flush=True)
    sys.stdin.readline()  # the vendors are calm now
    report = tee.flush(900)
    stats = tee.stats()
    result = {
        "events": sum(events for events, _ in done),
        "sessions": sum(sessions for _, sessions in done),
        "samples": samples,
        "counts": {n: dataclasses.asdict(c) for n, c in report.exporters.items()},
        "lost": dict(stats.lost),
        "recorded": stats.recorded,
        "refused": stats.refused,
        "bugs": stats.bugs,
        "letters": [letter.reason for letter in tee.dead_letters()][:5],
    }
    tee.close()
    print(json.dumps(result), flush=True)


main()
