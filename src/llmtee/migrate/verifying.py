"""Asks the target what it holds, for the comparison."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from llmtee.delivery import Exporter, history
from llmtee.eventlog import Selection, existing_log
from llmtee.fidelity import Ledger
from llmtee.migrate.counting import supplements_of
from llmtee.migrate.fitting import Times, fitted
from llmtee.migrate.run import LOG
from llmtee.migrate.staging import Staging
from llmtee.migrate.verify import Verification, verify
from llmtee.model import Item, Supplement
from llmtee.privacy import declined
from llmtee.spec import Window

_EARLIER = dt.timedelta(days=1)
"""Before the oldest session: a vendor may date one by something that happened before its first event."""


def verified(
    staging: Staging,
    directory: Path,
    exporter: Exporter,
    times: Times,
    *,
    predicted: Ledger | None,
) -> Verification:
    """Compares what was to arrive with what the target holds.

    Args:
        staging: what was read.
        directory: of the migration.
        exporter: the target.
        times: as the user chose.
        predicted: what rendering loses, where that is known.

    Raises:
        LlmteeError: the target cannot be read.
    """
    first, all_dated = staging.span()
    since = None if first is None or not all_dated else first - _EARLIER
    window = Window(since=since, until=dt.datetime.now(dt.UTC) + _EARLIER)
    return verify(
        _expected(staging, directory, exporter, times),
        _found(exporter, window),
        exporter.vendor,
        exporter.settings,
        predicted=predicted,
        exclusive=False,
    )


def _expected(
    staging: Staging, directory: Path, exporter: Exporter, times: Times
) -> Iterator[Item | Supplement]:
    """What was delivered: without what is a dead letter, and what the settings leave out."""
    dead = _not_delivered(directory, exporter)
    settings = exporter.settings
    for _, items in staging.queued():
        for unit in fitted(items, exporter.vendor.grain, times):
            if unit.id not in dead and declined(unit, settings.where, settings.sample) is None:
                yield unit
    for _, found in supplements_of(staging, exporter):
        if not isinstance(found, str) and found.id not in dead:
            yield found


def _not_delivered(directory: Path, exporter: Exporter) -> set[str]:
    log = existing_log(directory / LOG)
    try:
        return {
            letter.id
            for state in ("dead", "unknown")
            for letter in log.letters(Selection(exporter=exporter.name, state=state), whole=False)
        }
    finally:
        log.close()


def _found(exporter: Exporter, window: Window) -> Iterator[Item | Supplement]:
    for page in history.pages(exporter.settings, window):
        yield from page.items
