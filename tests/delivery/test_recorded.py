"""An event log as a source of history, while others record there and deliver from there."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import llmtee
from llmtee import EventLog, Tee, ToolRun
from llmtee.delivery import recorded
from llmtee.delivery.decode import decode
from llmtee.errors import EventLogError, HistoryIncomplete, NewerEventLog, UsageError
from llmtee.eventlog import CANONICAL, END, SqliteLog
from llmtee.eventlog import Record as LogRecord
from llmtee.eventlog.looking import Look
from llmtee.spec import Page, Window
from llmtee.testing.emulators import HoneyHiveEmulator

NOW = 1_767_268_800.0
ALL = Window(until=dt.datetime.fromtimestamp(NOW + 1000, dt.UTC))


def run(number: int) -> LogRecord:
    event = ToolRun(id=f"run-{number}", name="lookup", session="s")
    return LogRecord(event.id, CANONICAL, event.to_json_text(), NOW + number)


def absorb(log: SqliteLog, limit: int = 10_000) -> None:
    """What the process that delivers does, now and then."""
    found = log.journal(limit)
    log.absorb(
        [place for place, _ in found], [one for _, record in found for one in decode(record)]
    )
    log.tidy(NOW)


def ids(pages: Iterator[Page]) -> list[str]:
    return [item.id for page in pages for item in page.items]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    log = SqliteLog(tmp_path)
    yield log
    log.close()


def test_everything_recorded_is_read_in_order_whatever_its_form(tmp_path: Path) -> None:
    call = {
        "request": {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]},
        "response": {"model": "gpt-4o", "choices": []},
    }
    with Tee([], dir=tmp_path) as tee:
        with tee.session("s"):
            first = tee.record(ToolRun(name="lookup"))
            second = tee.record_call("openai-chat", **call)
        third = tee.feedback(second, rating="positive")
        tee.end_session("s")
        pages = list(EventLog(tmp_path).pages())  # nobody has taken them out of the journal yet
    assert [item.id for page in pages for item in page.items] == [first, second, third]
    kinds = [item.kind for page in pages for item in page.items]
    assert kinds == ["tool_run", "model_call", "annotation"]
    assert [session for page in pages for session in page.ended] == ["s"]
    assert [item.id for item in llmtee.read(EventLog(tmp_path))] == [first, second, third]


def test_a_delivered_log_fills_another_vendor(tmp_path: Path) -> None:
    with HoneyHiveEmulator() as emulator:
        with Tee([emulator.exporter()], dir=tmp_path) as tee:
            recorded_ids = [tee.record(ToolRun(name="lookup", session="s")) for _ in range(3)]
            assert tee.flush(10).ok
            # The one that delivers goes on doing so.
            assert [item.id for item in llmtee.read(EventLog(tmp_path))] == recorded_ids
            again = tee.record(ToolRun(name="lookup", session="s"))
            assert tee.flush(10).ok
        assert again in emulator.events
    rendered = llmtee.render(list(llmtee.read(EventLog(tmp_path))), "inkeep")  # type: ignore[arg-type]
    assert len(rendered) == 1


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_while_others_record_and_deliver_nothing_is_missed_or_repeated(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    monkeypatch.setattr(recorded, "_PAGE", 3)
    directory = tmp_path_factory.mktemp("log")
    log = SqliteLog(directory)
    numbers = iter(range(1000))
    late: list[str] = []

    def act(action: str) -> None:
        if action == "absorb":
            absorb(log, 2)
        elif action == "record":
            log.append(run(next(numbers)))
        else:
            late.append("x")
            log.append(
                LogRecord(f"late-{len(late)}", CANONICAL, ToolRun().to_json_text(), NOW + 5000)
            )

    actions = st.lists(st.sampled_from(["absorb", "record", "late"]), max_size=12)
    for action in data.draw(actions):
        act(action)
    there = [f"run-{n}" for n in range(next(numbers))]
    got: list[str] = []
    position: Any = None
    while True:
        # Each page by another process, from the position alone.
        page = next(EventLog(directory).pages(ALL, position=position))
        got += [item.id for item in page.items]
        if page.next is None:
            break
        position = json.loads(json.dumps(page.next))
        for action in data.draw(st.lists(st.sampled_from(["absorb", "record"]), max_size=3)):
            act(action)
    log.close()
    assert len(got) == len(set(got))
    assert set(there) <= set(got)
    assert not any(one.startswith("late") for one in got)
    assert got == sorted(got, key=lambda one: int(one.removeprefix("run-")))


def test_what_is_taken_in_while_the_journal_is_read_is_not_missed(
    tmp_path: Path, log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        log.append(run(number))
    journal = Look.journal

    def overtaken(self: Look, limit: int) -> list[LogRecord]:
        monkeypatch.setattr(Look, "journal", journal)
        absorb(log)
        return []  # its file was gone when it was looked for

    monkeypatch.setattr(Look, "journal", overtaken)
    assert ids(EventLog(tmp_path).pages(ALL)) == ["run-0", "run-1", "run-2"]


def test_what_is_taken_in_after_the_journal_was_read_is_not_dropped(
    tmp_path: Path, log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(run(0))
    absorb(log)
    log.append(run(0))  # once more, under the same id
    log.append(run(1))
    known = Look.known

    def overtaken(self: Look, ids: Any, upto: int) -> set[str]:
        absorb(log)
        return known(self, ids, upto)

    monkeypatch.setattr(Look, "known", overtaken)
    assert ids(EventLog(tmp_path).pages(ALL)) == ["run-0", "run-1"]


def test_a_window_goes_by_when_things_began(tmp_path: Path, log: SqliteLog) -> None:
    old = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    event = ToolRun(id="old", name="lookup", started_at=old)
    log.append(LogRecord(event.id, CANONICAL, event.to_json_text(), NOW))
    log.append(run(1))
    absorb(log)
    whole = list(llmtee.read(EventLog(tmp_path), since="2023-01-01", until=ALL.until))
    assert [item.id for item in whole] == ["old", "run-1"]
    newer = llmtee.read(EventLog(tmp_path), since="2025-01-01", until=ALL.until)
    assert [item.id for item in newer] == ["run-1"]
    older = llmtee.read(EventLog(tmp_path), until="2025-01-01")
    assert list(older) == []


def test_what_cannot_be_read_is_told(tmp_path: Path, log: SqliteLog) -> None:
    log.append(LogRecord("odd", "openai-chat", b'{"request": 5}', NOW))
    log.append(LogRecord("s", END, b'"s"', NOW))
    log.append(run(1))
    for _ in range(2):  # out of the journal, and out of the database
        [page] = [page for page in EventLog(tmp_path).pages(ALL) if page.items]
        assert [item.id for item in page.items] == ["run-1"]
        assert page.ended == ("s",)
        assert "1 records cannot be read: odd: openai-chat:" in page.notes[0]
        absorb(log)
    told: list[str] = []
    assert len(list(llmtee.read(EventLog(tmp_path), on_note=told.append, until=ALL.until))) == 1
    assert len(told) == 1


def test_a_look_changes_nothing(tmp_path: Path, log: SqliteLog) -> None:
    for number in range(3):
        log.append(run(number))
    absorb(log)
    log.close()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(ids(EventLog(tmp_path).pages(ALL))) == 3
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {name: after[name] for name in before} == before


def test_a_directory_that_cannot_be_written_to_is_read() -> None:
    # Of its own, since nobody else may enter pytest's.
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        log = SqliteLog(directory)
        log.append(run(1))
        absorb(log)
        log.close()
        for path in directory.iterdir():
            path.chmod(0o444)
        directory.chmod(0o555)
        child = os.fork()
        if not child:
            code = 1
            with contextlib.suppress(BaseException):
                if os.geteuid() == 0:  # who may write everywhere
                    os.setgid(65534)
                    os.setuid(65534)
                code = 0 if ids(EventLog(directory).pages(ALL)) == ["run-1"] else 2
            os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        directory.chmod(0o755)


def test_another_log_in_the_same_place_is_not_gone_on_with(tmp_path: Path, log: SqliteLog) -> None:
    log.append(run(1))
    absorb(log)
    position = next(EventLog(tmp_path).pages(ALL)).next
    log.close()
    for path in tmp_path.iterdir():
        path.unlink()
    SqliteLog(tmp_path).close()
    with pytest.raises(HistoryIncomplete, match="another event log than before"):
        next(EventLog(tmp_path).pages(ALL, position=position))


def test_logs_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such directory"):
        next(EventLog(tmp_path / "nowhere").pages())
    with pytest.raises(UsageError, match="holds no event log"):
        next(EventLog(tmp_path).pages())
    (tmp_path / "events.db").write_bytes(b"this is no database, but text " * 50)
    with pytest.raises(EventLogError, match="file is not a database"):
        next(EventLog(tmp_path).pages())
    (tmp_path / "events.db").unlink()
    newer = sqlite3.connect(tmp_path / "events.db")
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(NewerEventLog, match="version 99"):
        next(EventLog(tmp_path).pages())


def test_older_events_that_the_log_has_deleted_are_told(tmp_path: Path, log: SqliteLog) -> None:
    for number in range(3):
        log.append(run(number))
    absorb(log)
    log.close()
    db = sqlite3.connect(tmp_path / "events.db")
    with db:
        db.execute("DELETE FROM events WHERE seq < 3")
    db.close()
    pages = list(EventLog(tmp_path).pages(ALL))
    assert "2 older events are gone" in pages[0].notes[0]
    assert ids(iter(pages)) == ["run-2"]


@pytest.mark.parametrize("version", [1, 2])
def test_logs_of_older_versions_are_read_as_they_are(tmp_path: Path, version: int) -> None:
    script = Path(__file__).parents[1] / "eventlog" / f"version-{version}.sql"
    db = sqlite3.connect(tmp_path / "events.db")
    db.executescript(script.read_text("utf-8"))
    with db:
        for table in ("events", "journal"):
            db.execute(f"UPDATE {table} SET payload = ?", (ToolRun().to_json_text(),))
        db.execute("UPDATE events SET payload = '{}' WHERE kind = 'undecodable'")
    tables = ("events WHERE kind = 'event'", "journal WHERE format = 'llmtee'")
    counts = [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]
    db.close()
    got = [item for page in EventLog(tmp_path).pages() for item in page.items]
    assert counts[0]
    assert len(got) == sum(counts)


def test_files_and_histories_take_options_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="format, on_error: only files"):
        llmtee.read(EventLog(tmp_path), "openai-chat", on_error=print)  # type: ignore[call-overload]
    with pytest.raises(UsageError, match="since, until and on_note are for"):
        llmtee.read("x.jsonl", since="2026-01-01")  # type: ignore[call-overload]
    with pytest.raises(UsageError, match="since: not a time"):
        llmtee.read(EventLog(tmp_path), since="yesterday")
    with pytest.raises(UsageError, match="is after until"):
        llmtee.read(EventLog(tmp_path), since="2026-01-02", until="2026-01-01")
