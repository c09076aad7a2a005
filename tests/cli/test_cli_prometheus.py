"""``status --prometheus``, read by a strict reader of the text format 0.0.4, as its specification has it."""

from __future__ import annotations

import re
from pathlib import Path

from typer.testing import CliRunner

from llmtee import HoneyHive, ModelCall, Tee
from llmtee.cli._app import app
from llmtee.cli._prometheus import exposition
from llmtee.delivery import ExporterStats, HostStats, Stats
from llmtee.eventlog import Counts, Disk, Leader

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"'
_HEAD = re.compile(rf"# (HELP|TYPE) ({_NAME}) (.+)")
_SAMPLE = re.compile(rf"({_NAME})(?:\{{((?:{_LABEL})(?:,{_LABEL})*)\}})? ([^ ]+)")
_KINDS = {"counter", "gauge"}

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parse(text: str) -> Samples:
    """All samples; an assertion fails where the text is not as it should be."""
    assert text.endswith("\n")
    samples: Samples = {}
    kinds: dict[str, str] = {}
    helped: set[str] = set()
    closed: set[str] = set()
    current = None
    for line in text.splitlines():
        if head := _HEAD.fullmatch(line):
            what, name, rest = head.groups()
            if what == "HELP":
                assert name not in helped, name
                assert "\\" not in rest.replace("\\\\", "").replace("\\n", "")
                helped.add(name)
                closed |= {current} if current else set()
                current = name
            else:
                assert (name, rest in _KINDS, name in kinds) == (current, True, False)
                kinds[name] = rest
            continue
        found = _SAMPLE.fullmatch(line)
        assert found, line
        name, labels, value = found[1], found[2], found[found.lastindex or 0]
        assert (name, name in kinds, name in closed) == (current, True, False), line
        assert (kinds[name] == "counter") == name.endswith("_total"), name
        pairs = re.findall(_LABEL, labels or "")
        assert len({key for key, _ in pairs}) == len(pairs)
        key = (name, tuple((label, _plain(text)) for label, text in pairs))
        assert key not in samples
        samples[key] = float(value)
    return samples


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], text)


def test_what_a_scrape_gets_is_as_it_should_be(tmp_path: Path) -> None:
    with Tee([HoneyHive(project="p")], dir=tmp_path / "log", deliver=False) as tee:
        tee.record(ModelCall())
        words = ["status", str(tmp_path / "log"), "--prometheus"]
        samples = parse(CliRunner().invoke(app, words).stdout)
    at = (("exporter", "honeyhive"),)
    assert samples["llmtee_delivering", ()] == 0
    assert samples["llmtee_journal_events", ()] == 1
    assert samples["llmtee_events", (*at, ("state", "pending"))] == 1
    assert samples["llmtee_events", (*at, ("state", "dead"))] == 0
    assert samples["llmtee_lag_seconds", at] >= 0
    assert samples["llmtee_requests_total", at] == 0
    assert CliRunner().invoke(app, [*words, "--json"]).exit_code == 2


def test_names_and_figures_are_escaped_and_exact() -> None:
    odd = 'a"b\\c\nd'
    host = HostStats(host="https://h:443", breaker="half-open", failures=5, probe_in=0.0)
    one = ExporterStats(
        counts=Counts(pending=3), position=7, lag_seconds=1e-7, rate=1e22, host=host
    )
    stats = Stats(
        exporters={odd: one, "plain": one},
        directory=None,
        delivering=False,
        leader=Leader(1, alive=True),
        disk=Disk(bytes=2**53, journal_bytes=5, set_aside=("x",)),
        lost={"torn": 2},
    )
    samples = parse(exposition(stats))
    at = (("exporter", odd),)
    assert samples["llmtee_delivering", ()] == 1
    assert samples["llmtee_lag_seconds", at] == 1e-7
    assert samples["llmtee_delivered_events_per_second", at] == 1e22
    assert samples["llmtee_log_bytes", ()] == 2**53
    assert samples["llmtee_set_aside_files", ()] == 1
    assert samples["llmtee_lost_events_total", (("cause", "torn"),)] == 2
    assert samples["llmtee_events", (*at, ("state", "pending"))] == 3
    open_, half = (
        samples["llmtee_breaker_state", (*at, ("host", "https://h:443"), ("state", state))]
        for state in ("open", "half-open")
    )
    assert (open_, half) == (0, 1)
    assert ("llmtee_last_error_timestamp_seconds", at) not in samples
