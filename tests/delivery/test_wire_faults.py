"""Law 4 at the wire: whatever the emulators do, each event is at an idempotent vendor once, and at the other at most once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from llmtee.tee import Tuning
from llmtee.testing.emulators import faults

Make = Callable[..., Any]

FAULTS = (
    *[faults.ok()] * 6,
    # Not 413, after which texts are cut, and are not found again here.
    *(faults.status(code) for code in (400, 401, 404, 408, 422, 500, 502, 503, 504)),
    faults.status(429, retry_after=0.01),
    *[faults.reset("before"), faults.reset("after")] * 3,
    faults.hang(),
    faults.hang(handled=True),
    faults.drip(bytes_per_chunk=200, delay=0.001),
    faults.html(200),
    faults.html(502),
    faults.wrong_token(),
)
OF_HONEYHIVE = (faults.status(200, body={"not": "its answer"}), faults.partial(), faults.partial())


@pytest.mark.parametrize(
    "events", [60, pytest.param(500, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_each_event_is_there_once_whatever_happens_on_the_wire(
    vendors: dict[str, Any], shown: Make, killed: Any, make_tee: Make, events: int
) -> None:
    chance = Random(events)
    for name, vendor in vendors.items():
        vendor.clear()
        known = FAULTS + (OF_HONEYHIVE if name == "honeyhive" else ())
        vendor.script(*chance.choices(known, k=events // 2))
    exporters = [
        vendor.exporter(timeout=0.25, **({"max_items": 4} if name == "honeyhive" else {}))
        for name, vendor in vendors.items()
    ]
    tee = make_tee(
        *exporters,
        tuning=Tuning(retry=killed.RETRY, quiet=0.0, probe_initial=0.01, probe_maximum=0.02),
    )
    texts: dict[str, str] = {}
    for number in range(events // killed.TURNS):
        for turn in range(killed.TURNS):
            one = tee.record(killed.call(f"session {number}", turn))
            texts[one] = f"session {number}, turn {turn}: user"
        tee.end_session(f"session {number}")
    for _ in range(1000):  # one that refuses the key is not waited for
        if (report := tee.flush(60)).ok:
            break
    assert report.ok, report
    for name, times in shown(vendors).items():
        places = {one: tee._log.outcome(name, one) for one in texts}
        assert Counter(places.values()) == Counter(
            delivered=report[name].delivered, dead=report[name].dead, unknown=report[name].unknown
        )
        assert name == "voker" or report[name].unknown == 0
        # What the vendor refused at last it may have stored before, when the answer was lost.
        assert max(times.values()) == 1, times.most_common(3)
        for one, place in places.items():
            assert place != "delivered" or times[texts[one]] == 1, (name, texts[one])
        assert report[name].delivered > events / 3
        met = Counter(one.fault for one in vendors[name].requests)
        assert len(met) > 8
        print(f"{name}: {report[name]}, met {sum(met.values()) - met[None]} faults")  # noqa: T201 - seen with -s
