"""For an hour (SOAK_SECONDS, 300 at least): four threads, four moody vendors. Nothing is lost, and nothing grows."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

import pytest

Make = Callable[..., Any]

SECONDS = float(os.environ.get("SOAK_SECONDS", "3600"))
HERE = Path(__file__).parent
MB = 2**20


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 1200)
def test_an_hour_of_work_needs_no_more_than_its_first_minutes(
    start: Make, line: Make, log: Path
) -> None:
    vendors = start(sys.executable, HERE / "soak_vendors.py", stderr=None)
    places = vendors.stdout.readline()
    application = start(
        sys.executable, HERE / "soak_application.py", places, SECONDS, log, stderr=None
    )
    assert line(application) == ["recorded"]

    def tell(word: str) -> dict[str, int]:
        vendors.stdin.write(f"{word}\n")
        vendors.stdin.flush()
        return json.loads(vendors.stdout.readline())  # type: ignore[no-any-return]

    tell("calm")
    out, _ = application.communicate("calm\n", timeout=1000)
    assert application.returncode == 0
    result = json.loads(out)
    arrived = tell("count")

    _print_figures(result)
    assert result["events"] > 2 * SECONDS
    assert result["recorded"] == result["events"]
    assert result["lost"] == {} or not any(result["lost"].values())
    assert (result["refused"], result["bugs"]) == (0, 0)
    for name, counts in result["counts"].items():
        assert sum(counts.values()) == result["events"], (name, counts)
        assert counts["pending"] == counts["open"] == counts["dead"] == 0, (name, counts, result)
        # Voker has no ids: what was cut off after it had left is neither repeated nor called delivered.
        assert counts["unknown"] == 0 or name == "voker", (name, counts)
        assert counts["delivered"] > 0.9 * result["events"]
    assert arrived["honeyhive"] == result["events"]
    assert arrived["inkeep"] == arrived["roark"] == result["sessions"]
    _check_flat(result["samples"])


def _check_flat(samples: list[dict[str, float]]) -> None:
    late = samples[len(samples) // 2 :]
    times = [one["at"] for one in late]
    hour = 3600 / (times[-1] - times[0])

    def growth(what: str) -> float:
        """Over the second half, by its trend; scaled down to an hour where it was longer."""
        slope, _ = linear_regression(times, [one[what] for one in late])
        return slope * (times[-1] - times[0]) * min(1.0, hour)

    assert growth("memory") < 8 * MB
    assert max(one["memory"] for one in late) < median(one["memory"] for one in late) + 24 * MB
    assert abs(growth("files")) < 4
    assert max(one["files"] for one in late) < 100
    assert abs(growth("threads")) < 1
    assert (
        max(one["threads"] for one in late) <= 4 + 1 + 1 + 4
    )  # ours, the engine, names being looked up
    # The log gives back what is finished, so that it is no larger at the end than in the middle.
    assert growth("disk") < 8 * MB


def _print_figures(result: dict[str, Any]) -> None:
    for what, unit in (("memory", MB), ("disk", MB), ("files", 1), ("threads", 1)):
        values = [one[what] / unit for one in result["samples"]]
        marks = (values[0], values[len(values) // 2], values[-1], max(values))
        print(what, "first, middle, last, most:", *(f"{value:.1f}" for value in marks))
    print(result["events"], "events,", result["sessions"], "sessions:", result["counts"])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_hundred_thousand_events_wait_on_disk_and_not_in_memory(
    script: Make, honeyhive: Any
) -> None:
    honeyhive.stop()  # nobody answers at its address
    out, err = script("""
        def own():
            with open("/proc/self/status") as file:
                return next(int(l.split()[1]) for l in file if l.startswith("RssAnon"))
        tee = open_tee(exit_timeout=0)
        one = event().model_copy(update={"properties": {"text": "x" * 1700}})
        for number in range(1, 100_001):
            tee.record(one.model_copy(update={"id": f"event {number}"}))
            if number % 20_000 == 0:
                # All of it is in the database, where the exporter looks for what is due.
                while tee._log.journal(1):
                    time.sleep(0.05)
                say(own())
        assert tee.stats()["honeyhive"].counts.pending == 100_000
        say(own())
    """).communicate(timeout=800)
    kilobytes = list(map(int, out.split()))
    assert len(kilobytes) == 6, err
    print("MB while 20,000, 40,000, … events wait:", [one // 1024 for one in kilobytes])
    # 80,000 events more are 160 MB and more.
    assert kilobytes[4] - kilobytes[0] < 16 * 1024
    assert kilobytes[5] - kilobytes[4] < 48 * 1024  # counting them takes a while and some memory
