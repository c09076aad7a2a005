"""History between any two vendors."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from llmtee import jsontext, registry
from llmtee.migrate import Migration
from llmtee.migrate.fitting import NOT_HERE
from llmtee.testing.emulators import Emulator

VENDORS = ("honeyhive", "inkeep", "roark", "voker")
PAIRS = list(permutations(VENDORS, 2))


def stored(emulator: Emulator) -> dict[str, int]:
    """How many of everything a vendor holds."""
    names = ("events", "conversations", "chats", "feedback")
    return {name: len(getattr(emulator, name)) for name in names if hasattr(emulator, name)}


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=["-to-".join(pair) for pair in PAIRS])
def test_history_moves_and_a_second_run_changes_nothing(
    one: str,
    other: str,
    source: Callable[[str], Any],
    target: Callable[[str], Emulator],
    tmp_path: Path,
) -> None:
    moved(source(one), target(other), tmp_path, sessions=3, from_empty=one == "voker")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("one", "other"), PAIRS, ids=["-to-".join(pair) for pair in PAIRS])
def test_two_thousand_sessions_move(
    one: str,
    other: str,
    large_source: Callable[[str], Any],
    target: Callable[[str], Emulator],
    tmp_path: Path,
) -> None:
    moved(large_source(one), target(other), tmp_path, sessions=2000, from_empty=True)


def moved(
    given: Any, emulator: Emulator, directory: Path, *, sessions: int, from_empty: bool
) -> None:
    """Moves a history and compares plan, run, what arrived, and a second run."""
    settings, kept = emulator.exporter(), emulator.vendor != "voker"
    options: dict[str, Any] = {"dir": directory / "first", "times": "stop" if kept else "drop"}
    with Migration(given, settings, **options) as migration:
        plan = migration.plan(samples=1)
        report = migration.run(plan, verify=False)
        requests = emulator.requests
        found = migration.verify(plan) if migration.can_verify else None
    assert report.ok, report.to_json()
    assert plan.held.sessions == sessions
    assert plan.explained == sessions
    assert len(requests) == plan.requests == report.sent.requests
    assert sum(len(jsontext.dumps(request.body)) for request in requests) == plan.bytes
    assert report.sent.counts.delivered + report.sent.counts.skipped == plan.units
    left_out = sum(count for why, count in plan.left_out.items() if why != NOT_HERE)
    assert report.sent.counts.skipped == sum(plan.skipped.values()) + left_out
    assert (found is None) == (not kept)
    assert found is None or found.ok, found.to_json()
    held = stored(emulator)

    with Migration(given, settings, **options) as migration:
        again = migration.run(verify=False)
    assert again.ok
    assert again.sent.requests == 0
    assert again.sent.counts == report.sent.counts
    assert stored(emulator) == held

    idempotent = registry.vendor(emulator.vendor).capabilities(settings).idempotent_by
    if from_empty and idempotent is not None:
        with Migration(given, settings, **{**options, "dir": directory / "empty"}) as migration:
            assert migration.run(verify=False).ok
        assert stored(emulator) == held
