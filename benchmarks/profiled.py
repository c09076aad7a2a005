"""Where the time of the delivery goes: its thread under the profiler, which is slower than it is alone."""

from __future__ import annotations

import cProfile
import pstats
import threading

import measure

from llmtee.delivery.engine import Engine


def show(client: str, count: int) -> None:
    """Prints the functions that took longest, and the stages of the delivery.

    Args:
        client: ``HoneyHive`` or ``all four``.
        count: of events.
    """
    profile, plain = cProfile.Profile(), Engine._run  # noqa: SLF001

    def run(self: Engine) -> None:
        profile.runcall(plain, self)

    Engine._run = run  # type: ignore[method-assign]  # noqa: SLF001
    measure.arrival(client, "httpx", count=count)
    for thread in threading.enumerate():
        if thread.name == "llmtee":
            thread.join(10)
    pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    pstats.Stats(profile).sort_stats("cumulative").print_stats("/llmtee/(delivery|eventlog)/")
