"""Laws 3 and 4 under `SIGKILL`: a process records from four threads and delivers, and is killed at any moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random, randrange
from typing import Any

import pytest

from llmtee.tee import Tee, Tuning
from llmtee.testing.emulators import Emulator, faults

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

    def order(self, order: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def begin(self, order: dict[str, Any]) -> int:
        """The process id of the new child; nobody else's until the next one begins."""
        self.order(order)
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


def _order(kill: int, chance: Random, killed: Any, most_sessions: int) -> dict[str, Any]:
    aims = ("moment", "answer", *killed.AIMS)
    aim, sessions = aims[kill % len(aims)], chance.randint(1, most_sessions)
    order = {
        "kill": kill,
        "aim": aim,
        # As often after few lines as after many.
        "lines": int(10 ** chance.uniform(0, 2)),
        "sessions": sessions,
        "segment_bytes": chance.choice([4096, 4096, 2**20]),
    }
    if aim == "moment":
        order["after_ids"] = chance.randint(1, killed.THREADS * killed.TURNS * sessions)
        order["seconds"] = chance.choice([0.0, chance.uniform(0.0, 0.1)])
    return order


def _kill_during_a_request(vendor: Emulator, number: int, pid: int) -> None:
    """The child is gone when the vendor has stored what came with its n-th request, and has not answered."""

    def look(received: Any) -> None:
        if received.number >= number:
            with suppress(ProcessLookupError):  # a late request, of one that is gone
                os.kill(pid, signal.SIGKILL)

    vendor.on_request = look


@dataclass
class Killed:
    """One directory, and what the processes said that worked on it before they were killed."""

    killed: Any
    vendors: Vendors
    shown: Make
    zygote: Zygote
    prefix: str
    directory: Path
    on_unknown: str
    ids: dict[str, str] = field(default_factory=dict)
    """The last question of each event whose `record` had returned."""
    sessions: set[str] = field(default_factory=set)
    kills: int = 0
    total: Counter[str] = field(default_factory=Counter)

    @property
    def options(self) -> dict[str, Any]:
        return {
            "prefix": self.prefix,
            "directory": str(self.directory),
            "on_unknown": self.on_unknown,
            "servers": {name: vendor.url for name, vendor in self.vendors.items()},
        }

    def kill(self, order: dict[str, Any], chance: Random) -> None:
        vendor = chance.choice(list(self.vendors.values()))
        number = len(vendor.requests) + chance.randint(1, 8)
        pid = self.zygote.begin({**self.options, **order})
        if order["aim"] == "answer":
            _kill_during_a_request(vendor, number, pid)
        told = self.zygote.told()
        for vendor in self.vendors.values():
            vendor.on_request = None
        self.kills += 1
        self.total["idle" if ["idle"] in told else f"at {order['aim']}"] += 1
        for recorded, turn, session in filter(lambda words: len(words) == 3, told):
            self.ids[recorded] = f"{session}, turn {turn}: user"
        self.sessions |= {
            f"{self.prefix}kill {order['kill']}, thread {thread}, session {session}"
            for thread in range(self.killed.THREADS)
            for session in range(order["sessions"])
        }

    def open(self, *, deliver: bool) -> Tee:
        return Tee(
            self.killed.exporters(self.options["servers"], self.on_unknown),
            dir=self.directory,
            tuning=Tuning(retry=self.killed.RETRY, quiet=0.0, probe_initial=0.01),
            deliver=deliver,
        )

    def check_after_a_kill(self) -> None:
        """Each event stands somewhere, and the counts know of those whose `record` did not return at most."""
        with self.open(deliver=False) as tee:
            for name in self.vendors:
                places = {tee._log.outcome(name, one) for one in self.ids}
                assert places <= PLACES, f"{name}: {places}"
                more = tee._log.counts(name).total - len(self.ids)
                assert 0 <= more <= self.kills * self.killed.THREADS

    def finish(self) -> None:
        """Delivers the rest, and looks at the log and at each vendor."""
        tee = self.open(deliver=True)
        try:
            for session in sorted(self.sessions):
                tee.end_session(session)
            report = tee.flush(60)
            assert report.ok, report
            for name, texts in self.shown(self.vendors, self.prefix).items():
                self._check(tee, name, texts)
        finally:
            tee.close(1)
        self.total["ids"] += len(self.ids)

    def _everything(self) -> dict[str, str]:
        """Those whose `record` had not returned are there or not. HoneyHive has all that are."""
        events = self.vendors["honeyhive"].events.items()
        texts = {
            one: event["inputs"]["chat_history"][-1]["content"]
            for one, event in events
            if event["event_type"] == "model"
        }
        return {one: text for one, text in texts.items() if text.startswith(self.prefix)}

    def _check(self, tee: Tee, name: str, texts: Counter[str]) -> None:
        everything = self._everything()
        assert self.ids.items() <= everything.items()
        places = {one: tee._log.outcome(name, one) for one in everything}
        counts, found = tee._log.counts(name), Counter(places.values())
        assert set(found) <= {"delivered", "unknown"}, found
        assert (counts.delivered, counts.unknown) == (found["delivered"], found["unknown"])
        assert counts.total == len(everything), counts
        assert name == "voker" or counts.unknown == 0
        for one, place in places.items():
            assert place == "unknown" or texts[everything[one]] >= 1, (name, everything[one])
        assert set(texts) <= set(everything.values())
        if name != "voker" or self.on_unknown == "at_most_once":
            assert max(texts.values(), default=1) == 1, (name, texts.most_common(3))
        self.total.update({f"{name} {place}": number for place, number in found.items()})
        self.total[f"{name} twice"] += sum(number - 1 for number in texts.values())


@pytest.mark.parametrize(
    ("kills", "sessions"),
    [
        pytest.param(30, 1, id="30", marks=pytest.mark.timeout(300)),
        pytest.param(300, 4, id="300", marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
    ],
)
def test_a_killed_process_loses_nothing_and_repeats_nothing(
    kills: int, sessions: int, vendors: Vendors, killed: Any, shown: Make, tmp_path: Path
) -> None:
    seed = randrange(10**6)
    chance, done = Random(seed), 0
    total: Counter[str] = Counter()
    zygote = Zygote(tmp_path / "complaints")
    begin = partial(Killed, killed, vendors, shown, zygote)
    zygote.order(begin("", tmp_path / "warm", "at_most_once").options)
    try:
        while done < kills:
            for vendor in vendors.values():
                vendor.clear()
                if chance.random() < 0.3:
                    vendor.script(*chance.choices(TROUBLE, k=6))
            policy = chance.choice(["at_most_once", "at_least_once"])
            log = begin(f"log {done}, ", tmp_path / f"log {done}", policy)
            # Those that come after a kill may be killed while they make up for it.
            for _ in range(min(chance.randint(1, 6), kills - done)):
                order = _order(done, chance, killed, sessions)
                log.kill(order, chance)
                log.check_after_a_kill()
                done += 1
            log.finish()
            total += log.total
    except BaseException as error:
        error.add_note(f"seed {seed}, after {done} kills")
        raise
    finally:
        complaints = zygote.stop()
    assert "Traceback" not in complaints, complaints
    hit = sum(number for key, number in total.items() if key.startswith("at "))
    assert hit + total["idle"] == kills
    assert hit >= kills / 3  # the others had nothing to do any more when they were killed
    print(f"{kills} kills, seed {seed}: {dict(sorted(total.items()))}")  # noqa: T201 - seen with -s
