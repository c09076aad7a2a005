"""A migration that is killed at any moment and started again."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from llmtee import jsontext
from llmtee.eventlog.sharing import LOCK_FILE
from llmtee.migrate import Migration
from llmtee.spec import Env
from llmtee.testing.emulators import Emulator, emulator_class
from llmtee.testing.histories import history, load

Run = Callable[..., Any]
PAIRS = (("honeyhive", "inkeep"), ("inkeep", "honeyhive"), ("inkeep", "roark"), ("roark", "voker"))


class Killer:
    """Kills the process that is at work in a directory when a server has heard so many requests."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.left = directory, 0
        self.kills = 0

    def heard(self, _: object) -> None:
        if self.left:
            self.left -= 1
            if not self.left:
                os.kill(int((self.directory / LOCK_FILE).read_text()), signal.SIGKILL)
                self.kills += 1


@contextmanager
def listening(killer: Killer, *emulators: Emulator) -> Iterator[None]:
    for emulator in emulators:
        emulator.on_request = killer.heard
    yield
    for emulator in emulators:
        emulator.on_request = None


def held(emulator: Any) -> Counter[bytes]:
    """What a vendor was given, as a bag: the same thing twice counts twice."""
    match emulator.vendor:
        case "honeyhive":
            things = list(emulator.events.values())
        case "inkeep":
            things = [writes[-1] for writes in emulator.writes.values()]
            things += [_without(one, "createdAt") for one in emulator.feedback.values()]
        case "roark":
            things = [chat.body for chat in emulator.chats]
        case _:
            things = [_without(event, "fingerprint_id") for event in emulator.events]
    return Counter(jsontext.dumps_sorted(thing) for thing in things)


def _without(thing: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in thing.items() if key not in names}


def know(monkeypatch: pytest.MonkeyPatch, *emulators: Emulator) -> None:
    for emulator in emulators:
        fields = type(emulator.exporter()).model_fields
        for name, value in (("api_key", emulator.key), ("base_url", emulator.url)):
            [marker] = [found for found in fields[name].metadata if isinstance(found, Env)]
            monkeypatch.setenv(marker.names[0], value)


def killed_and_resumed(
    run: Run,
    one: Emulator,
    other: Emulator,
    directory: Path,
    seed: int,
    most_kills: int,
    most_moment: int,
) -> None:
    """Migrates with kills, and compares with a migration that nobody disturbed."""
    command = ["migrate", "--from", one.vendor, "--to", other.vendor, "--yes", "--no-verify"]
    command += [
        "--json",
        "--samples",
        "0",
        "--times",
        "drop" if other.vendor == "voker" else "stop",
    ]
    times = "drop" if other.vendor == "voker" else "stop"
    whole = directory / "undisturbed"
    with Migration(one.exporter(), other.exporter(), dir=whole, times=times) as migration:
        undisturbed = migration.run(verify=False)
    assert undisturbed.ok
    wanted = held(other)
    other.clear()

    random, killer = Random(seed), Killer(directory / "m")
    with listening(killer, one, other):
        for _ in range(most_kills):
            killer.left = random.randint(1, most_moment)
            ended = run(*command, "--dir", "m")
            if ended.code != -signal.SIGKILL:
                break
    assert killer.kills
    ended = run(*command, "--dir", "m")
    report = ended.json["report"]
    assert report["complete"], report
    counts, found = report["counts"], held(other)
    if (
        other.vendor == "voker"
    ):  # recognises no repetition: what was unanswered is held, and never sent twice
        assert found <= wanted
        assert sum((wanted - found).values()) <= counts["unknown"]
        assert ended.code == (1 if counts["unknown"] else 0)
    else:
        assert found == wanted
        assert ended.code == 0, report
    assert sum(counts.values()) == undisturbed.sent.counts.total

    before = len(other.requests)
    assert run(*command, "--dir", "m").json["report"]["requests"] == 0
    assert len(other.requests) == before


@pytest.mark.parametrize(("one", "other"), PAIRS[:2], ids=["-to-".join(p) for p in PAIRS[:2]])
def test_killed_and_resumed_it_is_the_same(
    one: str,
    other: str,
    running: Callable[[str, str], Emulator],
    target: Callable[[str], Emulator],
    llmtee: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = running("source", one), target(other)
    know(monkeypatch, first, second)
    killed_and_resumed(llmtee, first, second, tmp_path, seed=6, most_kills=1, most_moment=4)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_killed_at_ten_random_moments(
    seed: int, llmtee: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = PAIRS[seed % len(PAIRS)]
    with emulator_class(one)() as first, emulator_class(other)() as second:
        load(first, history(60, seed))
        know(monkeypatch, first, second)
        killed_and_resumed(llmtee, first, second, tmp_path, seed, most_kills=12, most_moment=30)
