"""Laws 3 and 4 under `SIGKILL`: a process records from four threads and delivers, and is killed at any moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random, randrange
from typing import Any

import pytest

from llmtee.tee import Tee, Tuning
from llmtee.testing.emulators import Emulator, emulator_class, faults

Make = Callable[..., Any]
Vendors = dict[str, Any]

PLACES = {"delivered", "pending", "open", "dead", "unknown"}
TROUBLE = (
    faults.ok(),
    faults.status(503),
    faults.status(429, retry_after=0.01),
    faults.reset("before"),
    faults.reset("after"),
)


class Zygote:
    """The process that forks those to be killed; see ``killed.py``."""

    def __init__(self, complaints: Path) -> None:
        environ = {key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"}
        self._complaints = complaints
        self._errors = complaints.open("w")
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("killed.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environ,
        )

    def begin(self, order: dict[str, Any]) -> int:
        """The process id of the new child; nobody else's until the next one begins."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._answer())

    def told(self) -> list[list[str]]:
        """What the child said before it was dead, in words."""
        return [line.split(" ", 2) for line in json.loads(self._answer()).splitlines()]

    def _answer(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, self._complaints.read_text()
        return line

    def stop(self) -> str:
        """What was complained about."""
        self._process.communicate()
        self._errors.close()
        return self._complaints.read_text()


@pytest.fixture(scope="module")
def vendors() -> Iterator[Vendors]:
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(emulator_class(name)())
            for name in ("voker", "honeyhive", "inkeep", "roark")
        }


def _order(run: int, chance: Random, killed: Any, vendors: Vendors) -> dict[str, Any]:
    aims = ("moment", "answer", *killed.AIMS)
    sessions = chance.randint(2, 6)
    return {
        "run": run,
        "aim": aims[run % len(aims)],
        # As often after few lines as after many.
        "lines": int(10 ** chance.uniform(0, 3.2)),
        "sessions": sessions,
        "segment_bytes": chance.choice([4096, 4096, 2**20]),
        "on_unknown": chance.choice(["at_most_once", "at_least_once"]),
        "servers": {name: vendor.url for name, vendor in vendors.items()},
        **(
            {
                "after_ids": chance.randint(1, killed.THREADS * killed.TURNS * sessions),
                "seconds": chance.choice([0.0, chance.uniform(0.0, 0.1)]),
            }
            if run % len(aims) == 0
            else {}
        ),
    }


def _kill_during_a_request(vendor: Emulator, number: int, pid: int) -> None:
    """The child is gone when the vendor has stored what came with its n-th request, and has not answered."""

    def look(received: Any) -> None:
        if received.number == number:
            os.kill(pid, 9)

    vendor.on_request = look


def _texts(vendors: Vendors, run: int) -> dict[str, Counter[str]]:
    """What each vendor shows of a run: last questions where it has events, else all questions."""

    def text(content: Any) -> str:
        return content if isinstance(content, str) else str(content[0]["text"])

    voker, honeyhive, inkeep, roark = vendors.values()
    found = {
        "voker": [
            text(event["properties"]["inputs"]["messages"][-1]["content"]) for event in voker.events
        ],
        "honeyhive": [
            text(event["inputs"]["chat_history"][-1]["content"])
            for event in honeyhive.events.values()
            if event["event_type"] == "model"
        ],
        "inkeep": [
            text(message["content"])
            for conversation in inkeep.conversations.values()
            for message in conversation["messages"]
            if message["role"] == "user"
        ],
        "roark": [
            message["text"]
            for chat in roark.chats
            for message in chat.body["messages"]
            if message["role"] == "CUSTOMER"
        ],
    }
    own = f"run {run}, "  # what the run before it had left in a socket may come late
    return {
        name: Counter(one for one in texts if one.startswith(own)) for name, texts in found.items()
    }


def _check_after_restart(tee: Tee, ids: dict[str, str], threads: int) -> None:
    for name in tee.stats().exporters:
        places = {tee._log.outcome(name, one) for one in ids}
        assert places <= PLACES, f"{name}: {places}"
        assert 0 <= tee._log.counts(name).total - len(ids) <= threads


def _check_at_the_end(
    tee: Tee, ids: dict[str, str], vendors: Vendors, order: dict[str, Any]
) -> Counter[str]:
    own = f"run {order['run']}, "
    # Those whose `record` had not returned are there or not; HoneyHive has all that are.
    everything = {
        one: event["inputs"]["chat_history"][-1]["content"]
        for one, event in vendors["honeyhive"].events.items()
        if event["event_type"] == "model"
    }
    everything = {one: text for one, text in everything.items() if text.startswith(own)}
    assert set(ids) <= set(everything)
    assert {one: everything[one] for one in ids} == ids
    shown = _texts(vendors, order["run"])
    total: Counter[str] = Counter()
    for name, texts in shown.items():
        places = {one: tee._log.outcome(name, one) for one in everything}
        counts, found = tee._log.counts(name), Counter(places.values())
        assert (counts.delivered, counts.unknown) == (found["delivered"], found["unknown"])
        assert counts.total == counts.delivered + counts.unknown == len(everything), counts
        assert name == "voker" or counts.unknown == 0
        for one, place in places.items():
            assert place == "unknown" or texts[everything[one]] >= 1, (name, everything[one])
        assert set(texts) <= set(everything.values())
        if name != "voker" or order["on_unknown"] == "at_most_once":
            assert max(texts.values(), default=1) == 1, (name, texts.most_common(3))
        total.update({f"{name} {place}": number for place, number in found.items()})
        total[f"{name} twice"] += sum(number - 1 for number in texts.values())
    return total


def _one_run(
    zygote: Zygote, killed: Any, vendors: Vendors, order: dict[str, Any], chance: Random
) -> Counter[str]:
    for vendor in vendors.values():
        vendor.clear()
        vendor.on_request = None
        if chance.random() < 0.3:
            vendor.script(*chance.choices(TROUBLE, k=6))
    pid = zygote.begin(order)
    if order["aim"] == "answer":
        _kill_during_a_request(
            chance.choice(list(vendors.values())), chance.randint(1, 4 * order["sessions"]), pid
        )
    told = zygote.told()
    idle = ["idle"] in told
    ids = {
        words[0]: f"{words[2]}, turn {words[1]}: user" for words in told if words != ["idle"]
    }
    for vendor in vendors.values():
        vendor.on_request = None
    tee = Tee(
        killed.exporters(order["servers"], order["on_unknown"]),
        dir=order["directory"],
        tuning=Tuning(retry=killed.RETRY, quiet=0.0, probe_initial=0.01),
    )
    try:
        _check_after_restart(tee, ids, killed.THREADS)
        for thread in range(killed.THREADS):
            for session in range(order["sessions"]):
                tee.end_session(f"run {order['run']}, thread {thread}, session {session}")
        report = tee.flush(60)
        assert report.ok, report
        total = _check_at_the_end(tee, ids, vendors, order)
    finally:
        tee.close(1)
    total["ids"] += len(ids)
    total["idle" if idle else f"killed at {order['aim']}"] += 1
    return total


@pytest.mark.parametrize(
    "runs", [30, pytest.param(300, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_a_killed_process_loses_nothing_and_repeats_nothing(
    runs: int, vendors: Vendors, killed: Any, tmp_path: Path
) -> None:
    seed = randrange(10**6)
    chance = Random(seed)
    zygote = Zygote(tmp_path / "complaints")
    total: Counter[str] = Counter()
    try:
        for run in range(runs):
            order = _order(run, chance, killed, vendors)
            order["directory"] = str(tmp_path / f"log {run}")
            try:
                total += _one_run(zygote, killed, vendors, order, chance)
            except BaseException as error:
                error.add_note(f"seed {seed}, {order}")
                raise
    finally:
        complaints = zygote.stop()
    assert "Traceback" not in complaints, complaints
    assert sum(total[key] for key in total if key.startswith(("killed", "idle"))) == runs
    print(f"{runs} kills, seed {seed}: {dict(sorted(total.items()))}")  # noqa: T201 - seen with -s
