"""``llmtee migrate`` as a user meets it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmtee.model import Annotation
from llmtee.spec import Env
from llmtee.testing.emulators import Emulator, faults
from llmtee.testing.histories import history

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """A shell without job control starts what is in the background with Ctrl-C ignored, and children inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Callable[[Emulator], Emulator]:
    """Puts an emulator's key and address into the environment, as a user has them."""

    def know(emulator: Emulator) -> Emulator:
        fields = type(emulator.exporter()).model_fields
        for name, value in (("api_key", emulator.key), ("base_url", emulator.url)):
            [marker] = [found for found in fields[name].metadata if isinstance(found, Env)]
            monkeypatch.setenv(marker.names[0], value)
        return emulator

    return know


@pytest.fixture
def inkeep(known: Any, target: Callable[[str], Emulator]) -> Emulator:
    return known(target("inkeep"))


@pytest.fixture
def voker(known: Any, target: Callable[[str], Emulator]) -> Emulator:
    return known(target("voker"))


@pytest.fixture
def honeyhive(known: Any, running: Callable[[str, str], Emulator]) -> Emulator:
    return known(running("source", "honeyhive"))


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Three sessions in a file."""
    path = tmp_path / "events.jsonl"
    items = [item for item in history(3) if not isinstance(item, Annotation)]
    path.write_bytes(b"\n".join(item.to_json_text() for item in items) + b"\n")
    return path


def test_it_shows_asks_sends_goes_on_and_compares(
    llmtee: Run, honeyhive: Emulator, inkeep: Emulator, tmp_path: Path
) -> None:
    command = ("migrate", "--from", "honeyhive", "--to", "inkeep")
    shown = llmtee(*command)
    assert shown.code == 0
    assert "HoneyHive → Inkeep" in shown.out
    assert "3 sessions" in shown.out
    assert "what the target keeps" in shown.out
    assert "nothing was sent; --yes sends it" in shown.err  # there is no terminal to ask at
    assert inkeep.requests == ()
    assert (tmp_path / "llmtee-migration-honeyhive-inkeep").is_dir()

    first = llmtee(*command, "--yes", "--json", "--samples", "0")
    assert first.code == 0, first.err
    assert first.json["report"]["ok"]
    assert first.json["report"]["verification"]["ok"]
    assert first.json["plan"]["requests"] == first.json["report"]["requests"]
    assert len(inkeep.conversations) == 3

    again = llmtee(*command, "--yes", "--json", "--no-verify")
    assert again.code == 0
    assert "plan" not in again.json  # it was agreed to
    assert again.json["report"]["requests"] == 0

    inkeep.conversations.popitem()
    compared = llmtee(*command, "--verify")
    assert compared.code == 1
    assert "what the target holds differs" in compared.out


def test_a_target_without_times_stops_and_offers_the_choices(
    llmtee: Run, events: Path, voker: Emulator
) -> None:
    command = ("migrate", "--from", str(events), "--to", "voker", "--dir", "m", "--limit", "1")
    stopped = llmtee(*command, "--yes")
    assert stopped.code == 2
    assert "Voker has no field for times" in stopped.err
    assert "from 2025-03-01 on" in stopped.out
    assert "--times drop" in stopped.out
    assert voker.requests == ()
    chosen = llmtee(*command, "--yes", "--times", "drop")
    assert chosen.code == 0, chosen.err
    assert voker.events


def test_what_does_not_arrive_is_told_and_the_rest_does(
    llmtee: Run, events: Path, inkeep: Emulator
) -> None:
    with events.open("a") as file:
        file.write('{"kind": "model_call", "id": \n')
    inkeep.always(faults.wrong_token())
    command = ("migrate", "--from", str(events), "--to", "inkeep", "--yes", "--dir", "m")
    refused = llmtee(*command, "--samples", "0")
    assert refused.code == 1
    assert "unreadable" in refused.out
    assert "the same command goes on with it" in refused.err
    assert not inkeep.conversations

    inkeep.always(None)
    inkeep.script(faults.status(400))
    ended = llmtee(*command)
    assert ended.code == 1
    assert "not taken:" in ended.err
    assert "llmtee dead list m/log" in ended.err
    assert "1 record of the source could not be read" in ended.err
    assert len(inkeep.conversations) == 2


@pytest.mark.parametrize(
    ("source", "said"),
    [("nothing.jsonl", "neither a vendor"), ("voker", "log:DIR")],
)
def test_what_cannot_be_read_is_named(
    llmtee: Run, inkeep: Emulator, source: str, said: str
) -> None:
    ended = llmtee("migrate", "--from", source, "--to", "inkeep", "--plan", "--dir", "m")
    assert ended.code == 2
    assert said in ended.err
