"""``status``, ``dead``, ``replay``, ``locate`` and ``vacuum`` on an event log, beside whoever delivers from it."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from llmtee.bulk import read
from llmtee.cli import _console
from llmtee.cli._app import COMMANDS, app
from llmtee.cli._log import span, when
from llmtee.errors import UsageError
from llmtee.eventlog import Counts
from llmtee.model import Choice, Message, ModelCall, TextPart
from llmtee.spec import ExporterSettings, RetryPolicy
from llmtee.tee import Tee, Tuning
from llmtee.testing.emulators import HoneyHiveEmulator, RoarkEmulator, VokerEmulator, faults

TUNING = Tuning(
    retry=RetryPolicy(initial=0.01, multiplier=1, jitter=0, maximum=0.01, attempts=2),
    probe_initial=30.0,
)
SECRET = "sk-proj-" + "Ab3dE6gH9jK2mN5pQ8sT1vW4" * 2
Run = Callable[..., Any]


class Ended:
    """How a command ended, in this process."""

    def __init__(self, result: Any) -> None:
        self.code, self.out, self.err = result.exit_code, result.stdout, result.stderr

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run() -> Run:
    def invoke(*args: object, stdin: str | None = None) -> Ended:
        result = CliRunner().invoke(
            app, [str(arg) for arg in args], prog_name="llmtee", input=stdin
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result)

    return invoke


@pytest.fixture
def honeyhive() -> Iterator[HoneyHiveEmulator]:
    with HoneyHiveEmulator() as emulator:
        yield emulator


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def tee(honeyhive: HoneyHiveEmulator, directory: Path) -> Iterator[Callable[..., Tee]]:
    made: list[Tee] = []

    def make(*exporters: ExporterSettings, **options: Any) -> Tee:
        tee = Tee(exporters or [honeyhive.exporter()], dir=directory, tuning=TUNING, **options)
        made.append(tee)
        return tee

    yield make
    for one in made:
        one.close(timeout=0)


def call(text: str = "Hi", session: str = "s-1") -> ModelCall:
    return ModelCall(
        session=session,
        started_at="2026-01-01T10:00:00Z",
        ended_at="2026-01-01T10:00:01Z",
        input=[Message(role="user", parts=[TextPart(text=text)])],
        choices=[Choice(message=Message(role="assistant", parts=[TextPart(text="Hello")]))],
    )


def dead(tee: Callable[..., Tee], honeyhive: HoneyHiveEmulator, *texts: str) -> list[str]:
    """Events that HoneyHive refused, in a log that nobody delivers from any more."""
    honeyhive.always(faults.status(400, body={"error": {"message": f"no project; {SECRET}"}}))
    with tee() as own:
        ids = [own.record(call(text)) for text in texts]
        own.flush()
    honeyhive.always(None)
    return ids


# ── status ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_status_tells_what_stats_tells_from_another_connection(
    tee: Callable[..., Tee], honeyhive: HoneyHiveEmulator, run: Run, directory: Path
) -> None:
    own = tee()
    own.record(call())
    own.flush()
    told = run("status", directory, "--json").json
    stats = json.loads(json.dumps(own.stats().to_json()))
    assert set(told) < set(stats)
    one, same = told["exporters"]["honeyhive"], stats["exporters"]["honeyhive"]
    assert set(one) == set(same)
    for name in ("counts", "position", "lag", "lag_seconds", "behind", "paused"):
        assert one[name] == same[name], name
    assert told["leader"] == {"pid": os.getpid(), "alive": True}
    assert told["disk"]["bytes"] > 0
    shown = run("status", directory).out
    assert f"process {os.getpid()}" in shown
    assert re.search(r"honeyhive +ok +1 +0 +0 +0", shown), shown
    assert own.stats().delivering  # nobody took the lease


def test_status_keeps_the_last_word_of_a_process_that_is_gone(
    tee: Callable[..., Tee], honeyhive: HoneyHiveEmulator, run: Run, directory: Path
) -> None:
    honeyhive.always(faults.wrong_token())
    own = tee()
    own.record(call())
    own.flush()
    own.close(timeout=60)
    one = run("status", directory, "--json").json["exporters"]["honeyhive"]
    assert (one["paused"], one["lag"], one["pace"], one["rate"]) == (True, 1, None, None)
    assert one["lag_seconds"] > 0
    assert "401" in one["last_error"]
    shown = run("status", directory).out
    assert "nobody: process" in shown
    assert "stopped" in shown
    assert "401" in shown
    honeyhive.always(None)
    with tee() as again:
        assert again.flush().ok
    one = run("status", directory, "--json").json["exporters"]["honeyhive"]
    assert (one["paused"], one["lag"]) == (False, 0)
    assert "401" in one["last_error"]  # the last one is still the last one


def test_a_planted_secret_is_not_told(
    tee: Callable[..., Tee], honeyhive: HoneyHiveEmulator, run: Run, directory: Path
) -> None:
    dead(tee, honeyhive, "one")
    for options in ([], ["--json"], ["--prometheus"]):
        assert SECRET not in run("status", directory, *options).out
    assert (
        "[api_key]"
        in run("status", directory, "--json").json["exporters"]["honeyhive"]["last_error"]
    )


@pytest.mark.parametrize(
    "command", ["status", "dead list", "locate x", "vacuum", "dead show x --dir"]
)
def test_a_wrong_directory_is_an_error_and_not_made(run: Run, tmp_path: Path, command: str) -> None:
    where = tmp_path / "nowhere"
    ended = run(*command.split(), where)
    assert (ended.code, ended.out) == (2, "")
    assert "no such directory" in ended.err
    assert not where.exists()
    assert run(*command.split(), tmp_path).code == 2
    assert list(tmp_path.iterdir()) == []


def test_watch_goes_on_until_it_is_interrupted(
    tee: Callable[..., Tee], directory: Path, script: Path
) -> None:
    own = tee(deliver=False)
    words = [script, "status", directory, "--watch", "--json", "--interval", "0.05"]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert json.loads(child.stdout.readline())["exporters"]["honeyhive"]["lag"] == 0
        own.record(call())
        for line in child.stdout:
            if json.loads(line)["exporters"]["honeyhive"]["lag"] == 1:
                break
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
    finally:
        child.kill()
    assert (child.returncode, err) == (0, "")


def test_the_screen_fits_80_columns(
    run: Run,
    tee: Callable[..., Tee],
    honeyhive: HoneyHiveEmulator,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dead(tee, honeyhive, "one")
    monkeypatch.setattr(_console.out, "_width", 80)
    assert all(len(line) <= 80 for line in run("status", directory).out.splitlines())


# ── dead letters ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_dead_letters_are_listed_shown_tried_again_and_dropped(
    tee: Callable[..., Tee], honeyhive: HoneyHiveEmulator, run: Run, directory: Path
) -> None:
    first, second, third = ids = dead(tee, honeyhive, "one", "two", "three")
    listed = run("dead", "list", directory, "--json").json
    assert [one["id"] for one in listed] == ids
    assert all("request" not in one for one in listed)
    assert (
        first
        in run("dead", "list", "--dir", directory, "--reason", "NO PROJECT", "--since", "1h").out
    )
    assert run("dead", "list", directory, "--reason", "nothing", "--json").json == []
    assert run("dead", "list", directory, "--to", "roark").code == 2
    (shown,) = run("dead", "show", first, "--dir", directory, "--json").json
    assert shown["request"]["path"] == "/events/batch"
    assert shown["answer"]["status"] == 400
    text = run("dead", "show", first, "--dir", directory).out
    assert "answer: 400" in text
    assert '"one"' in text
    assert run("dead", "show", "nobody", "--dir", directory).code == 1

    assert run("dead", "retry", "--dir", directory).code == 2
    assert run("dead", "retry", first, "--all", "--dir", directory).code == 2
    # Another connection delivers, and is woken.
    own = tee()
    own.start()
    assert run("dead", "retry", first, "--dir", directory, "--json").json["changed"] == 1
    assert honeyhive.wait_for(lambda: set(honeyhive.events) == {first}, 60)

    asked = run("dead", "drop", second, "--dir", directory)
    assert (asked.code, "--yes" in asked.err) == (2, True)
    assert run("dead", "drop", second, "--yes", "--dir", directory).out == "1 item dropped\n"
    assert run("dead", "drop", second, "--yes", "--dir", directory).code == 1
    assert run("dead", "retry", "--all", "--dir", directory).out == "1 item pending again\n"
    assert own.flush().ok
    assert own.stats()["honeyhive"].counts == Counts(delivered=2, dropped=1)
    assert set(honeyhive.events) == {first, third}


def test_what_is_exported_is_read_again_and_records_that_cannot_be_read_too(
    tee: Callable[..., Tee], honeyhive: HoneyHiveEmulator, run: Run, directory: Path, tmp_path: Path
) -> None:
    with tee() as own:
        bad = own.record_call("openai-chat", request={"model": "m", "messages": 7}, response=None)
        own.flush()
    (good,) = dead(tee, honeyhive, "one")
    out = tmp_path / "dead.jsonl"
    assert run("dead", "export", directory, "-o", out, "--json").json["lines"] == 2
    lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert lines == [json.loads(line) for line in run("dead", "export", directory).out.splitlines()]
    records = {line["dead_letter"]["id"]: line for line in lines}
    assert records[good]["dead_letter"]["request"]["path"] == "/events/batch"
    assert records[bad]["dead_letter"]["format"] == "openai-chat"
    assert records[bad]["request"] == {"model": "m", "messages": 7}
    records[bad]["request"]["messages"] = [{"role": "user", "content": "mended"}]
    out.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    events = list(read(out))
    assert {event.id for event in events} == {good, bad}
    assert all("dead_letter" not in event.extra for event in events if isinstance(event, ModelCall))
    refused = run("dead", "retry", bad, "--dir", directory)
    assert refused.code == 1
    assert "cannot be read" in refused.err


def test_what_perhaps_arrived_is_tried_again_by_hand(
    run: Run, directory: Path, tee: Callable[..., Tee]
) -> None:
    with VokerEmulator() as voker:
        voker.always(faults.reset("after"))
        own = tee(voker.exporter())
        own.record(call())
        own.flush()
        voker.always(None)
        assert run("dead", "list", directory, "--json").json == []
        (letter,) = run("dead", "list", directory, "--unknown", "--json").json
        assert letter["state"] == "unknown"
        (whole,) = run("dead", "show", letter["id"], "--unknown", "--dir", directory, "--json").json
        assert whole["request"]["method"] == "POST"
        assert run("dead", "retry", "--all", "--unknown", "--dir", directory).code == 0
        assert own.flush().ok


# ── replay, locate, vacuum ──────────────────────────────────────────────────────────────────────────────────────────


def test_replay_sends_again_and_warns_where_that_stores_twice(
    run: Run, directory: Path, honeyhive: HoneyHiveEmulator, tee: Callable[..., Tee]
) -> None:
    with VokerEmulator() as voker, RoarkEmulator() as roark:
        own = tee(honeyhive.exporter(), voker.exporter())
        ids = [own.record(call(f"text {number}")) for number in range(3)]
        own.flush()
        dry = run(
            "replay", directory, "--from", "1h", "--to", "honeyhive", "--dry-run", "--json"
        ).json
        assert (dry["again"], dry["added"], dry["stored_twice"]) == (3, 0, False)
        assert own.stats()["honeyhive"].counts.pending == 0
        before = len(honeyhive.requests)
        replayed = run("replay", directory, "--from", "1h", "--to", "honeyhive")
        assert replayed.out.startswith("3 events are pending at honeyhive")
        assert own.flush().ok
        assert len(honeyhive.requests) > before
        assert set(honeyhive.events) == set(ids)

        refused = run("replay", directory, "--from", "1h", "--to", "voker")
        assert (refused.code, "twice" in refused.err) == (2, True)
        assert run("replay", directory, "--from", "1h", "--to", "voker", "--yes").code == 0
        assert own.flush().ok

        # One that nobody had asked for yet gets what was there before it.
        new = run("replay", directory, "--from", "1h", "--to", "roark", "--json").json
        assert (new["again"], new["added"], new["conversations"]) == (0, 3, 1)
        own.close()
        with tee(roark.exporter()) as other:
            other.end_session("s-1")
            assert other.flush()["roark"].delivered == 3
    assert run("replay", directory, "--from", "1h", "--until", "2h", "--to", "honeyhive").code == 2
    assert "write a time" in run("replay", directory, "--from", "noon", "--to", "honeyhive").err


def test_an_event_is_located_with_the_vendors_own_id(
    run: Run, directory: Path, tee: Callable[..., Tee]
) -> None:
    own = tee()
    event_id = own.record(call())
    own.flush()
    found = run("locate", event_id, directory, "--json").json
    place = own.locate(event_id)
    assert place is not None
    assert found == json.loads(json.dumps(place.to_json()))
    assert found["exporters"]["honeyhive"]["outcome"] == "delivered"
    shown = run("locate", event_id, directory).out
    assert "delivered" in shown
    assert str(found["exporters"]["honeyhive"]["vendor_id"] or "") in shown
    missing = run("locate", "nobody", directory)
    assert (missing.code, "no event nobody" in missing.err) == (1, True)


def test_vacuum_makes_the_database_smaller(
    run: Run, directory: Path, tee: Callable[..., Tee]
) -> None:
    tee().close()
    with sqlite3.connect(directory / "events.db") as db:
        db.execute("CREATE TABLE ballast (data)")
        db.execute("INSERT INTO ballast VALUES (zeroblob(1000000))")
        db.execute("DROP TABLE ballast")
    db.close()
    told = run("vacuum", directory, "--json").json
    assert told["after"] + 500_000 < told["before"]
    assert "now" in run("vacuum", directory).out


# ── all of them ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "command",
    [
        "status",
        "locate",
        "replay",
        "vacuum",
        *(f"dead {name}" for name in ("list", "show", "retry", "drop", "export")),
    ],
)
def test_each_has_json_and_an_example_that_parses(run: Run, command: str) -> None:
    text = " ".join(run(*command.split(), "--help").out.split())
    assert "--json" in text
    example = re.search(r"Example: llmtee (.*?) (?:Arguments|Options):", text)
    assert example is not None, text
    words = [word for word in shlex.split(example[1]) if word != "--watch"]
    assert " ".join(words).startswith(command)
    # Nothing is there, which is said only after the arguments were understood.
    ended = run(*words)
    assert ended.code == 2
    assert "Usage:" not in ended.err


def test_several_exporters_of_one_vendor_come_from_the_settings_file(
    run: Run,
    directory: Path,
    tmp_path: Path,
    honeyhive: HoneyHiveEmulator,
    tee: Callable[..., Tee],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with HoneyHiveEmulator() as other:
        config = tmp_path / "config.toml"
        config.write_text(
            f'[honeyhive]\nbase_url = "{honeyhive.url}"\nproject = "p"\n\n'
            f'[honeyhive.eu]\napi_key = "{other.key}"\nbase_url = "{other.url}"\n'
        )
        monkeypatch.setenv("LLMTEE_CONFIG", str(config))
        monkeypatch.setenv("HH_API_KEY", honeyhive.key)
        names = [honeyhive.exporter(), other.exporter(name="honeyhive.eu")]
        own = tee(*names, deliver=False)
        event_id = own.record(call())
        own.close()
        ended = run("deliver", directory, "--once", "--to", "honeyhive,honeyhive.eu", "--json")
        assert ended.code == 0, ended.err
        assert {name: one["delivered"] for name, one in ended.json["exporters"].items()} == {
            "honeyhive": 1,
            "honeyhive.eu": 1,
        }
        assert set(honeyhive.events) == set(other.events) == {event_id}
        everyone = run("deliver", directory, "--once", "--json").json
        assert list(everyone["exporters"]) == ["honeyhive", "honeyhive.eu"]
    wrong = run("deliver", directory, "--to", "honeyhive.us")
    assert wrong.code == 2
    assert "known: honeyhive, honeyhive.eu" in wrong.err


def test_explain_says_which_vendors_and_formats_there_are(run: Run, logs: Path) -> None:
    ended = run("explain", logs, "--to", "nosuch")
    assert ended.code == 2
    assert "openai-chat" in ended.err
    assert "honeyhive" in ended.err


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-20T10:00Z", 1795168800.0),
        ("2026-11-20T11:00:00.5+01:00", 1795168800.5),
        ("90min", 10_000 - 5400.0),
        ("1.5h", 10_000 - 5400.0),
        ("30 s", 9970.0),
        ("2d", 10_000 - 172800.0),
    ],
)
def test_times_are_read(text: str, at: float) -> None:
    assert when(text, "--since", 10_000.0) == at


@pytest.mark.parametrize("text", ["yesterday", "", "5 parsecs", "2026-13-01", "h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--since"):
        when(text, "--since", 0.0)


def test_spans_are_short() -> None:
    spans = [span(seconds) for seconds in (0, 0.42, 12.3, 119, 125, 7300, 200_000)]
    assert spans == ["0 s", "0.4 s", "12 s", "119 s", "2 min", "2 h", "2 d"]
    assert set(COMMANDS) >= {"status", "dead", "replay", "locate", "vacuum"}
