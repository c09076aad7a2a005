"""Law 5: a planted secret is found nowhere: not in the log directory, logs, stderr, counters, dead letters, or at a vendor."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import llmtee
from llmtee.delivery import Tuning
from llmtee.errors import ConfigError
from llmtee.model import Choice, Message, ModelCall, TextPart
from llmtee.privacy import Redaction
from llmtee.spec import RetryPolicy
from llmtee.testing.emulators import Emulator, HoneyHiveEmulator, faults

Vendors = dict[str, Emulator]
TUNING = Tuning(
    probe_initial=30.0,
    quiet=0.0,
    retry=RetryPolicy(initial=0.01, multiplier=1, jitter=0, maximum=0.01, attempts=2),
)


def reply(text: str) -> Any:
    """A vendor that repeats in its error what it was sent."""
    return faults.status(400, body={"error": {"message": f"cannot take {text}"}})


FAULTS = {
    "all well": None,
    "401": faults.wrong_token(),
    "400": faults.status(400),
    "503": faults.status(503),
    "reset": faults.reset("after"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_planted_is_found_anywhere(
    fault: str, vendors: Vendors, planted: Any, tmp_path: Path, caplog: Any, capfd: Any
) -> None:
    for vendor in vendors.values():
        vendor.always(FAULTS[fault])
    exporters = [vendor.exporter() for vendor in vendors.values()]
    redact = planted.REDACTION
    tee = llmtee.Tee(exporters, dir=tmp_path / "log", redact=redact, tuning=TUNING, strict=False)
    try:
        planted.log_everything(tee)
        assert planted.found_in(tmp_path) == []  # on its way already, or not yet
        report = tee.flush(4)
        assert planted.found_in(tmp_path) == []
        stats, dead = tee.stats(), tee.dead_letters()
        told = [tee, report, report.to_json(), stats, stats.to_json(), dead, exporters, redact]
    finally:
        tee.close(0.3)
    assert planted.found_in(tmp_path) == []
    assert planted.found_in_text(*told, vars(tee), caplog.text, *capfd.readouterr()) == []
    requests = [request for vendor in vendors.values() for request in vendor.requests]
    assert planted.found_in_text(*requests) == []
    # The test would be worth nothing if nothing had come this far.
    assert all(vendor.requests for vendor in vendors.values())
    for counts in report.exporters.values():
        assert counts.total == 6
    assert {letter.exporter for letter in dead} == set(vendors)
    if fault == "all well":
        assert report.ok
        assert report["honeyhive"].delivered == 3
        assert "[card:" in repr(requests)
    if fault == "400":
        assert any(letter.request and "[card:" in repr(letter.request) for letter in dead)


@pytest.mark.parametrize("end", ["kill", "exit"])
def test_nothing_planted_is_found_after_a_process(
    end: str, vendors: Vendors, planted: Any, tmp_path: Path
) -> None:
    if end == "kill":
        for vendor in vendors.values():
            vendor.always(faults.hang())
    names = {"voker": "Voker", "honeyhive": "HoneyHive", "inkeep": "Inkeep", "roark": "Roark"}
    servers = [f"{names[name]}={vendor.url}" for name, vendor in vendors.items()]
    command = [sys.executable, planted.__file__, str(tmp_path / "log"), end, *servers]
    environ = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    assert done.returncode == (-signal.SIGKILL if end == "kill" else 0), done.stderr
    assert done.stdout.startswith("logged")
    assert planted.found_in(tmp_path) == []
    assert planted.found_in_text(done.stdout, done.stderr) == []
    for vendor in vendors.values():
        vendor.always(None)
    # Who delivers the rest needs no redaction: there is nothing left to take out.
    exporters = [vendor.exporter(on_unknown="at_least_once") for vendor in vendors.values()]
    with llmtee.Tee(exporters, dir=tmp_path / "log", tuning=TUNING, strict=False) as tee:
        assert tee.flush(5)["honeyhive"].delivered == 9
        told = repr(tee.dead_letters())
    assert planted.found_in(tmp_path) == []
    requests = [request for vendor in vendors.values() for request in vendor.requests]
    assert planted.found_in_text(told, *requests) == []
    assert "[card:" in repr(requests)


def test_without_redaction_all_of_it_is_found(planted: Any, tmp_path: Path) -> None:
    """The searches of the other tests find what is there."""
    with HoneyHiveEmulator() as honeyhive:
        with llmtee.Tee([honeyhive.exporter()], dir=tmp_path / "log", strict=False) as tee:
            planted.log_everything(tee)
            tee.flush()
        found = {line.partition(" in ")[0].strip("'") for line in planted.found_in(tmp_path)}
        assert found == {*planted.SECRETS} == {*planted.found_in_text(*honeyhive.requests)}


def test_the_search_sees_through_encodings(planted: Any, tmp_path: Path) -> None:
    for word in planted.SECRETS:
        for shift in range(3):
            around = b"x" * shift + word.encode() + b"yz"
            for written in (
                around,
                base64.b64encode(around),
                base64.urlsafe_b64encode(around),
                around.hex().encode(),
                quote(around).encode(),
                json.dumps(around.decode())
                .replace("-", "\\u002d")
                .replace(" ", "\\u0020")
                .encode(),
                around.decode().encode("utf-16-le"),
            ):
                (tmp_path / "file").write_bytes(b"before " + written)
                assert f"{word!r} in file" in planted.found_in(tmp_path), written


def test_what_waits_in_memory_is_redacted_too(planted: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    with HoneyHiveEmulator() as honeyhive:
        honeyhive.always(faults.wrong_token())
        tee = llmtee.Tee(
            [honeyhive.exporter()], dir=tmp_path / "file", redact=planted.REDACTION, strict=False
        )
        planted.log_everything(tee)
        assert tee.stats().directory is None
        memory = "\n".join(tee._log._db.iterdump())  # type: ignore[attr-defined]
        tee.close(0.2)
    assert planted.found_in_text(memory) == []
    assert "5B636172643A".lower() in memory.lower()  # [card: in hex, as the dump writes payloads


def test_one_exporter_is_redacted_and_another_is_not(planted: Any, tmp_path: Path) -> None:
    with HoneyHiveEmulator() as clean, HoneyHiveEmulator() as whole:
        clean.script(reply("nothing"))
        exporters = [
            clean.exporter(name="clean", redact=planted.REDACTION),
            whole.exporter(name="whole"),
        ]
        with llmtee.Tee(exporters, dir=tmp_path / "log", strict=False, tuning=TUNING) as tee:
            planted.log_everything(tee)
            assert tee.flush().ok
            dead = tee.dead_letters("clean")
    assert planted.found_in_text(*clean.requests) == []
    letters = [letter for letter in dead if letter.request]
    assert planted.found_in_text(*letters) == []
    found = planted.found_in_text(*whole.requests)
    assert set(found) == {*planted.SECRETS}


def call(session: str, text: str, **fields: Any) -> ModelCall:
    message = Message(role="assistant", parts=(TextPart(text=text),))
    asked = Message(role="user", parts=(TextPart(text="?"),))
    return ModelCall(session=session, input=(asked,), choices=(Choice(message=message),), **fields)


def test_what_is_filtered_out_is_counted_as_skipped(vendors: Vendors, tmp_path: Path) -> None:
    def failing(item: Any) -> bool:
        raise ValueError("4111 1111 1111 1111")

    exporters = [
        vendors["honeyhive"].exporter(sample=0.5),
        vendors["inkeep"].exporter(sample=0.5),
        vendors["roark"].exporter(where="session=s-1"),
        vendors["voker"].exporter(where=failing),
    ]
    error = llmtee.model.ErrorInfo(message="no")  # type: ignore[attr-defined]
    with llmtee.Tee(exporters, dir=tmp_path / "log", tuning=TUNING) as tee:
        for number in range(12):
            tee.record(call(f"s-{number}", "x", error=error if number == 0 else None))
            tee.end_session(f"s-{number}")
        report = tee.flush()
    assert report.ok
    assert {counts.total for counts in report.exporters.values()} == {12}
    assert 2 <= report["honeyhive"].delivered <= 11
    assert report["honeyhive"].delivered == report["inkeep"].delivered
    assert (report["roark"].delivered, report["roark"].skipped) == (1, 11)
    assert (report["voker"].skipped, len(vendors["voker"].requests)) == (12, 0)
    assert "s-0" in repr(vendors["honeyhive"].requests)


def test_a_conversation_in_which_something_fails_later_is_sent_after_all(
    vendors: Vendors, tmp_path: Path
) -> None:
    error = llmtee.model.ErrorInfo(message="no")  # type: ignore[attr-defined]
    with llmtee.Tee(
        [vendors["inkeep"].exporter(sample=0.0)], dir=tmp_path / "log", tuning=TUNING
    ) as tee:
        tee.record(call("s", "one"))
        assert tee.flush()["inkeep"].skipped == 1
        tee.record(llmtee.ToolRun(session="s", name="t", error=error))
        report = tee.flush()["inkeep"]
    assert (report.delivered, report.skipped) == (2, 0)


def test_a_path_of_the_model_is_found_in_a_providers_record(tmp_path: Path) -> None:
    with HoneyHiveEmulator() as honeyhive:
        tee = llmtee.Tee(
            [honeyhive.exporter()], dir=tmp_path / "log", redact=["input[].parts[].text"]
        )
        with tee, tee.session("s"):
            messages = [{"role": "user", "content": "the words of Zoe"}]
            response = {"choices": [{"message": {"role": "assistant", "content": "hi"}}]}
            tee.record_call(
                "openai-chat", request={"model": "m", "messages": messages}, response=response
            )
            assert tee.flush()["honeyhive"].delivered == 1
            # What cannot be read cannot be searched for the path: nothing of it is kept.
            tee.record_call("openai-chat", request={"messages": "the words of Zoe"})
            assert tee.flush()["honeyhive"].dead == 1
            assert tee.stats().redaction_failures == 1
    files = b"".join(path.read_bytes() for path in (tmp_path / "log").iterdir() if path.is_file())
    assert b"words of Zoe" not in files
    assert "words of Zoe" not in repr(honeyhive.requests)


@pytest.mark.parametrize("form", ["list", "text"])
@pytest.mark.parametrize("format_name", ["gemini", "openai-chat"])
def test_pieces_of_a_stream_are_joined_before_they_are_looked_at(
    form: str, format_name: str, tmp_path: Path
) -> None:
    def chunk(text: str) -> dict[str, Any]:
        return {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}}]}

    chunks = [chunk("my card is 4111 1111"), chunk(" 1111 1111, thanks")]
    response = chunks if form == "list" else "".join(f"data: {c}\n\n" for c in chunks)
    with HoneyHiveEmulator() as honeyhive:
        tee = llmtee.Tee([honeyhive.exporter()], dir=tmp_path / "log", redact="card")
        with tee:
            tee.record_call(format_name, request={"model": "m"}, response=response)
            report = tee.flush()
    assert report["honeyhive"].total == 1
    files = b"".join(path.read_bytes() for path in (tmp_path / "log").iterdir() if path.is_file())
    assert b"1111" not in files
    assert "1111" not in repr(honeyhive.requests)


def test_a_failing_function_is_counted_and_logged_without_the_value(
    tmp_path: Path, caplog: Any
) -> None:
    def broken(text: str, path: str) -> str:
        raise ValueError(text)

    with HoneyHiveEmulator() as honeyhive:
        own = Redaction(functions=(broken,))
        with llmtee.Tee([honeyhive.exporter(redact=own)], dir=tmp_path / "log") as tee:
            tee.record(call("s", "4111 1111 1111 1111"))
            assert tee.flush()["honeyhive"].delivered == 1
            assert tee.stats().redaction_failures >= 1
    assert "broken: ValueError" in caplog.text
    assert "4111" not in caplog.text + repr(honeyhive.requests)


def test_the_exporters_keys_are_taken_out_of_what_is_logged(tmp_path: Path) -> None:
    with HoneyHiveEmulator(key="no-shape-at-all") as honeyhive:
        tee = llmtee.Tee([honeyhive.exporter()], dir=tmp_path / "log", redact="api_key")
        with tee:
            tee.record(call("s", "we use no-shape-at-all here"))
            assert tee.flush()["honeyhive"].delivered == 1
    assert "we use [secret] here" in repr(honeyhive.requests)
    for path in (tmp_path / "log").iterdir():
        assert not path.is_file() or b"no-shape-at-all" not in path.read_bytes()


@pytest.mark.parametrize("name", ["Voker", "HoneyHive", "Inkeep", "Roark"])
def test_a_key_prints_nowhere(name: str, tmp_path: Path, caplog: Any) -> None:
    kind, key = getattr(llmtee, name), "key-of-nobody-77"
    for wrong in ({"api_key": [key]}, {"api_key": key, "colour": 1}, {"base_url": {"x": key}}):
        with pytest.raises(ValueError, match="validation error") as caught:
            kind(**wrong)
        assert key not in str(caught.value)
    with pytest.raises(ConfigError) as refused:
        llmtee.Tee([kind(api_key=f"{key}é")], dir=tmp_path / "log")
    assert key not in str(refused.value)
    # A line end, as a key read from a file has it, is no part of the key; nothing listens there.
    exporter = kind(api_key=f"{key}\n", base_url="http://127.0.0.1:9")
    tee = llmtee.Tee([exporter], dir=tmp_path / "log", tuning=TUNING)
    tee.record(call("s", "x"))
    tee.end_session("s")
    while not (report := tee.flush(0.05)).problems:
        pass
    told = repr([report, tee.stats(), tee.dead_letters(), exporter, vars(tee)])
    tee.close(0.1)
    assert key not in told + caplog.text


def test_a_traceback_with_variables_does_not_hold_the_key(tmp_path: Path) -> None:
    code = """
import sys, traceback, llmtee
from llmtee.delivery import Exporter, Tuning
from llmtee.delivery.addressed import addressed
from llmtee.spec import Request
from llmtee import registry
settings = llmtee.HoneyHive(api_key="key-of-nobody-77", base_url="http://127.0.0.1:9")
exporter = Exporter(vendor=registry.vendor("honeyhive"), settings=settings, tuning=Tuning())
try:
    addressed(exporter, Request("POST", "/x", query=7))  # fails once the headers are there
except TypeError as error:
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    print("".join(report.format()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "headers = " in done.stdout
    assert "key-of-nobody-77" not in done.stdout
