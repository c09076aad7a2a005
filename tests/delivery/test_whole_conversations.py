"""A conversation that is complete, such as history, is work by itself."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from llmtee import Message, Tee
from llmtee.eventlog import WHOLE, Entry, SqliteLog
from llmtee.model import Conversation, TextPart
from llmtee.testing.emulators import HoneyHiveEmulator, InkeepEmulator, RoarkEmulator

AT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
WHO = Message(role="user", parts=(TextPart(text="Who are you?"),), id="m-1", started_at=AT)


def entry(number: int) -> Entry:
    made = Conversation(
        id=f"c-{number}", session="s", messages=(WHO,), started_at=AT, ended_at=AT, title="Part"
    )
    return Entry(made.id, f"{WHOLE}:{made.id}", "event", WHOLE, made.to_json_text(), 1.0)


def test_it_is_sent_at_once_as_it_stands_and_once(tmp_path: Path) -> None:
    with InkeepEmulator() as inkeep, RoarkEmulator() as roark, HoneyHiveEmulator() as honeyhive:
        exporters = [one.exporter() for one in (inkeep, roark, honeyhive)]
        log = SqliteLog(tmp_path)
        with Tee(exporters, dir=tmp_path) as tee:
            assert log.absorb((), [entry(1), entry(2)]) == 0
            # No quiet time is waited for, nor any end of the session that both are of.
            report = tee.flush(timeout=60)
            assert log.absorb((), [entry(1)]) == 1
            again = tee.flush(timeout=60)
        log.close()
    assert report.ok
    assert report["inkeep"].delivered == report["roark"].delivered == 2
    assert report["honeyhive"].skipped == 2  # it takes events
    assert again.exporters == report.exporters
    assert [len(writes) for writes in inkeep.writes.values()] == [1, 1]
    assert len(roark.chats) == 2
