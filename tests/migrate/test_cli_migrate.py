"""``llmtee migrate`` as a user meets it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmtee.migrate.staging import Staging
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
    """Four sessions in a file."""
    path = tmp_path / "events.jsonl"
    items = [item for item in history(4) if not isinstance(item, Annotation)]
    path.write_bytes(b"\n".join(item.to_json_text() for item in items) + b"\n")
    return path


def test_without_a_terminal_it_shows_the_plan_and_sends_nothing(
    llmtee: Run, honeyhive: Emulator, inkeep: Emulator, tmp_path: Path
) -> None:
    shown = llmtee("migrate", "--from", "honeyhive", "--to", "inkeep")
    assert shown.code == 0
    assert "HoneyHive → Inkeep" in shown.out
    assert "4 sessions" in shown.out
    assert "what the target keeps" in shown.out
    assert "nothing was sent; --yes sends it" in shown.err
    assert inkeep.requests == ()
    assert (tmp_path / "llmtee-migration-honeyhive-inkeep").is_dir()


def test_with_yes_it_sends_and_again_goes_on_with_what_is_there(
    llmtee: Run, honeyhive: Emulator, inkeep: Emulator
) -> None:
    command = ("migrate", "--from", "honeyhive", "--to", "inkeep", "--yes", "--json")
    first = llmtee(*command)
    assert first.code == 0, first.err
    assert first.json["report"]["ok"]
    assert first.json["report"]["verification"]["ok"]
    assert first.json["plan"]["requests"] == first.json["report"]["requests"]
    assert len(inkeep.conversations) == 4
    again = llmtee(*command)
    assert again.code == 0
    assert "plan" not in again.json  # it was agreed to
    assert again.json["report"]["requests"] == 0
    compared = llmtee("migrate", "--from", "honeyhive", "--to", "inkeep", "--verify")
    assert compared.code == 0
    assert "verified" in compared.out


def test_other_options_in_a_directory_that_is_in_use_are_refused(
    llmtee: Run, events: Path, inkeep: Emulator
) -> None:
    command = ("migrate", "--from", str(events), "--to", "inkeep", "--dir", "m", "--plan")
    assert llmtee(*command).code == 0
    refused = llmtee(*command, "--limit", "2", "--where", "agent=sales")
    assert refused.code == 2
    assert "limit was not given and is 2" in refused.err
    assert "where was not given" in refused.err
    assert "--dir" in refused.err


def test_a_target_without_times_stops_and_offers_the_choices(
    llmtee: Run, events: Path, voker: Emulator
) -> None:
    command = ("migrate", "--from", str(events), "--to", "voker", "--dir", "m", "--yes")
    stopped = llmtee(*command)
    assert stopped.code == 2
    assert "Voker has no field for times" in stopped.err
    assert "from 2025-03-01 on" in stopped.out
    assert "--times drop" in stopped.out
    assert voker.requests == ()
    refused = llmtee(*command, "--times", "properties")
    assert refused.code == 2
    assert "no place for properties" in refused.err
    chosen = llmtee(*command, "--times", "drop")
    assert chosen.code == 0, chosen.err
    assert voker.events


def test_voker_as_a_source_says_what_to_do_instead(llmtee: Run, inkeep: Emulator) -> None:
    refused = llmtee("migrate", "--from", "voker", "--to", "inkeep", "--yes")
    assert refused.code == 2
    assert "Voker" in refused.err
    assert "log:DIR" in refused.err


def test_limit_window_and_filter_take_a_part(llmtee: Run, events: Path, inkeep: Emulator) -> None:
    def planned(number: int, *options: str) -> dict[str, Any]:
        command = ("migrate", "--from", str(events), "--to", "inkeep", "--plan", "--json")
        ended = llmtee(*command, "--dir", f"m{number}", *options)
        assert ended.code == 0, ended.err
        found: dict[str, Any] = ended.json["plan"]
        return found

    assert planned(1, "--limit", "2")["sessions"] == 2
    assert planned(2, "--since", "2025-03-01T09:20:00Z")["sessions"] == 2
    assert planned(3, "--until", "2025-03-01T09:20:00Z")["sessions"] == 2
    filtered = planned(4, "--where", "agent=sales")
    assert 0 < filtered["requests"] < 4
    assert filtered["requests"] + sum(filtered["skipped"].values()) == 4


def test_what_is_redacted_is_not_kept_in_the_directory_either(
    llmtee: Run, tmp_path: Path, inkeep: Emulator
) -> None:
    secret = "grace.hopper@example.com"
    record = {
        "session": "s",
        "request": {"model": "m", "messages": [{"role": "user", "content": f"I am {secret}"}]},
        "response": {"choices": [{"message": {"role": "assistant", "content": "Hello."}}]},
    }
    (tmp_path / "in.jsonl").write_text(json.dumps(record) + "\n", "utf-8")
    command = ("migrate", "--from", "in.jsonl", "--format", "openai-chat", "--to", "inkeep")
    done = llmtee(*command, "--yes", "--redact", "email", "--dir", "m", "--no-verify")
    assert done.code == 0, done.err
    [conversation] = inkeep.conversations.values()
    assert secret not in json.dumps(conversation)
    kept = Staging(tmp_path / "m")
    assert [secret in str(items) for _, items in kept.queued()] == [False]
    kept.close()
    files = [path for path in (tmp_path / "m" / "log").rglob("*") if path.is_file()]
    assert files
    assert not any(secret.encode() in path.read_bytes() for path in files)


def test_what_the_target_does_not_take_is_told_and_the_rest_arrives(
    llmtee: Run, events: Path, inkeep: Emulator
) -> None:
    inkeep.script(faults.status(400))
    ended = llmtee("migrate", "--from", str(events), "--to", "inkeep", "--yes", "--dir", "m")
    assert ended.code == 1
    assert "not taken:" in ended.err
    assert "llmtee dead list --dir m/log" in ended.err
    assert len(inkeep.conversations) == 3
    letters = llmtee("dead", "list", "m/log", "--json")
    assert letters.code == 0, letters.err


def test_a_target_that_refuses_the_key_keeps_everything(
    llmtee: Run, events: Path, inkeep: Emulator
) -> None:
    inkeep.always(faults.wrong_token())
    command = ("migrate", "--from", str(events), "--to", "inkeep", "--yes", "--dir", "m")
    refused = llmtee(*command)
    assert refused.code == 1
    assert "the same command goes on with it" in refused.err
    assert not inkeep.conversations
    inkeep.always(None)
    mended = llmtee(*command)
    assert mended.code == 0, mended.err
    assert len(inkeep.conversations) == 4


def test_records_that_cannot_be_read_are_told(llmtee: Run, events: Path, inkeep: Emulator) -> None:
    with events.open("a") as file:
        file.write('{"kind": "model_call", "id": \n')
    ended = llmtee("migrate", "--from", str(events), "--to", "inkeep", "--yes", "--dir", "m")
    assert ended.code == 1
    assert "unreadable" in ended.out
    assert "1 record of the source could not be read" in ended.err
    assert len(inkeep.conversations) == 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--from", "nothing.jsonl"), "neither a vendor"),
        (("--from", "log:nowhere"), "no such directory"),
        (("--since", "yesterday"), "since:"),
        (("--since", "2026-01-02", "--until", "2026-01-01"), "is after until"),
    ],
)
def test_wrong_use_is_named(
    llmtee: Run, events: Path, inkeep: Emulator, options: tuple[str, ...], said: str
) -> None:
    given = () if "--from" in options else ("--from", str(events))
    ended = llmtee("migrate", *given, *options, "--to", "inkeep", "--plan", "--dir", "m")
    assert ended.code == 2
    assert said in ended.err
