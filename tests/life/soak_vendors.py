"""All four vendors in a process of their own, moody, and forgetful so that they never fill it. Run by test_soak.py.

Prints a line of JSON: address and key of each. Told ``calm``, they have no more moods; told ``count``, they print how
many different things each was sent and has taken; at the end of the input they end.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

from llmtee.testing.emulators import Emulator, emulator_class, emulator_names, faults

MOODS = (
    faults.status(503),
    faults.status(429, retry_after=0.2),
    faults.status(500),
    faults.html(502),
    faults.reset("before"),
    faults.reset("after"),
    faults.hang(),
    faults.drip(bytes_per_chunk=50),
    faults.wrong_token(),
)
MOOD_SECONDS = 3.0
"""Between two moods of a vendor, on average."""
FORGET_AFTER = 500
"""Requests."""


def ids_of(vendor: str, body: Any) -> Iterable[str]:
    """What a request is about, in the client's words."""
    if vendor == "honeyhive":
        return (event["event_id"] for event in body["events"])
    return (body["externalId"],) if vendor in ("inkeep", "roark") else ()


class Moody:
    """One vendor."""

    def __init__(self, emulator: Emulator, seed: int) -> None:
        self.emulator = emulator
        self.seen: set[str] = set()
        self.calm = False
        self._random = random.Random(seed)
        self._requests = 0
        self._next = 0.0
        emulator.on_request = self.received

    def received(self, request: Any) -> None:
        # Roark says 409 of what it has already: the answer to the first one was lost.
        taken = request.status is not None and (request.status < 300 or request.status == 409)
        if request.method == "POST" and taken:
            self.seen.update(ids_of(self.emulator.vendor, request.body))
        if not self.calm and time.monotonic() >= self._next:
            self._next = time.monotonic() + self._random.expovariate(1 / MOOD_SECONDS)
            self.emulator.script(self._random.choice(MOODS))
        self._requests += 1
        if self._requests % FORGET_AFTER == 0:
            self.emulator.clear()


def main() -> None:
    with ExitStack() as stack:
        running = {
            name: Moody(stack.enter_context(emulator_class(name)()), seed)
            for seed, name in enumerate(emulator_names())
        }
        places = {n: {"url": m.emulator.url, "key": m.emulator.key} for n, m in running.items()}
        print(json.dumps(places), flush=True)
        for word in sys.stdin:
            for moody in running.values():
                moody.calm = moody.calm or word.strip() == "calm"
            print(
                json.dumps({name: len(moody.seen) for name, moody in running.items()}), flush=True
            )


main()
