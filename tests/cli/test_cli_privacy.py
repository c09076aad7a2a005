"""What the commands let leave: --redact, --where, --sample."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmtee.testing.emulators import HoneyHiveEmulator

Run = Callable[..., Any]
MAIL = "alice@example.com"


@pytest.fixture
def mails(tmp_path: Path, record: Callable[..., dict[str, Any]]) -> Path:
    """Twenty sessions of agent ``a`` or ``b``, with an address in the question and in a property."""
    lines = []
    for number in range(20):
        one = record(number, f"session-{number}")
        one["request"]["messages"][-1]["content"] = f"I am {MAIL}"
        lines.append({**one, "agent": "ab"[number % 2], "properties": {"notes": "Zoe Quimby"}})
    path = tmp_path / "mails.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize("target", ["llmtee", "openai-chat", "honeyhive", "inkeep"])
def test_convert_takes_out_what_is_named(llmtee: Run, mails: Path, target: str) -> None:
    options = ("--redact", "email,properties.notes", "--where", "agent=a")
    done = llmtee("convert", mails, "--to", target, *options)
    assert (done.code, done.complaints) == (0, "")
    assert "session-0" in done.out
    assert "session-1\\b" not in done.out
    assert "[email]" in done.out
    assert MAIL not in done.out
    assert "Quimby" not in done.out


def test_convert_counts_what_is_filtered_out(llmtee: Run, mails: Path) -> None:
    options = ("--where", "agent=a", "-o", "out.jsonl", "--json")
    done = llmtee("convert", mails, "--to", "llmtee", *options)
    assert done.json["skipped"] == {"filtered out: where": 10}
    assert done.json["written"] == 10


def test_a_sample_is_the_same_for_every_target(llmtee: Run, mails: Path) -> None:
    def sessions(target: str) -> set[str]:
        out = llmtee("convert", mails, "--to", target, "--sample", "0.5").out
        return {f"session-{n}" for n in range(20) if f'"session-{n}"' in out}

    taken = sessions("llmtee")
    assert 0 < len(taken) < 20
    assert taken == sessions("openai-chat")


def test_send_stores_and_sends_without_it(llmtee: Run, mails: Path, tmp_path: Path) -> None:
    with HoneyHiveEmulator() as honeyhive:
        environ = {"HH_API_KEY": honeyhive.key, "HH_API_URL": honeyhive.url}
        options = ("--redact", "email", "--sample", "0.5", "--dir", "log", "--json")
        done = llmtee("send", mails, "--to", "honeyhive", *options, **environ)
    assert done.code == 0, done.err
    counts = done.json["exporters"]["honeyhive"]
    assert counts["delivered"] + counts["skipped"] == 20
    assert counts["skipped"] > 0
    assert "[email]" in repr(honeyhive.requests)
    assert MAIL not in repr(honeyhive.requests)
    files = [path for path in (tmp_path / "log").iterdir() if path.is_file()]
    assert not any(MAIL.encode() in path.read_bytes() for path in files)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--redact", "emial", "--redact: no detector is named 'emial'; known: api_key"),
        ("--redact", "**.id", "joins events"),
        ("--where", "agnet=a", "--where: 'agnet=a' is no filter; known: agent=…"),
        ("--where", "kind=a", "--where: Input should be 'model_call'"),
    ],
)
def test_what_cannot_work_is_wrong_use(
    llmtee: Run, mails: Path, option: str, value: str, said: str
) -> None:
    done = llmtee("convert", mails, "--to", "llmtee", option, value)
    assert done.code == 2
    assert said in done.err


def test_settings_of_a_file(llmtee: Run, mails: Path, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[honeyhive]\nredact = ["email"]\nwhere = "agent=a"\n')
    with HoneyHiveEmulator() as honeyhive:
        environ = {
            "LLMTEE_CONFIG": str(file),
            "HH_API_KEY": honeyhive.key,
            "HH_API_URL": honeyhive.url,
        }
        done = llmtee("send", mails, "--to", "honeyhive", "--json", **environ)
        assert done.json["exporters"]["honeyhive"]["skipped"] == 10
        assert MAIL not in repr(honeyhive.requests)
        file.write_text('[honeyhive]\nredact = ["emial"]\n')
        refused = llmtee("send", mails, "--to", "honeyhive", **environ)
    assert refused.code == 2
    assert "redact from [honeyhive]" in refused.err
    assert "no detector is named 'emial'" in refused.err
