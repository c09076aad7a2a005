"""What a migration would do, without doing it: counted through the same steps that deliver, a session at a time."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from llmtee.delivery import Exporter
from llmtee.delivery.pack import pack
from llmtee.delivery.parcel import Parcel
from llmtee.errors import UsageError
from llmtee.eventlog import DeadLetter, Work
from llmtee.fidelity import Ledger, explain_rendering
from llmtee.functions import explain, fitting_ledgers
from llmtee.migrate.fitting import (
    PROPERTY,
    Times,
    fitted,
    fitted_supplement,
    time_of,
)
from llmtee.migrate.plan import Plan, TooLarge
from llmtee.migrate.samples import sample_of
from llmtee.migrate.shapes import Shapes, shape_of
from llmtee.migrate.staging import Staging
from llmtee.model import Annotation, Item, ModelCall, Supplement
from llmtee.spec import WireItem, outgoing, supplement_out

ANSWER_SECONDS = 0.25
"""What one answer is assumed to take, where nobody says more."""
_LISTED = 100
"""Items too large, and the like, that are named; more are counted."""
EXPLAINED = 10_000
"""Sessions that are explained at most: it takes ten times as long as the rest."""
_MERGE = 64
"""Ledgers that are added up at a time."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """An item on its way to a request."""

    item: Item
    wire: WireItem
    """As rendered, before it is cut."""
    explained: bool


@dataclass
class _Count:
    """What has been added up so far."""

    exporter: Exporter
    times: Times
    every: int = 1
    """Which sessions are explained."""
    explained: int = 0
    units: int = 0
    requests: int = 0
    bytes: int = 0
    undated: int = 0
    first: dt.datetime | None = None
    last: dt.datetime | None = None
    skipped: Counter[str] = field(default_factory=Counter)
    supplements: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    too_large: list[TooLarge] = field(default_factory=list)
    too_large_count: int = 0
    cut: int = 0
    ledgers: list[Ledger] = field(default_factory=list)
    group: list[tuple[Item, bool]] = field(default_factory=list)
    """What one claim of delivery holds, each with whether it is explained."""
    shapes: Shapes = field(default_factory=Shapes)

    def session(self, place: int, items: list[Item]) -> None:
        """The items of one session."""
        self.shapes.add(place, shape_of(items))
        grain = self.exporter.vendor.grain
        units = fitted(items, grain, self.times)
        explained = (place - 1) % self.every == 0
        if explained:
            self.explained += 1
            self._ledger(*fitting_ledgers(items, units, grain))
        for unit in units:
            self._date(time_of(unit))
            self.units += 1
            self.group.append((unit, explained))
            if len(self.group) >= self.exporter.max_items:
                self.close_group()

    def close_group(self) -> None:
        """Packs what delivery claims together."""
        group, self.group = self.group, []
        parcels: list[Parcel] = []
        units: dict[int, _Unit] = {}
        for number, (item, explained) in enumerate(group):
            leaving = outgoing(self.exporter.vendor, item, self.exporter.settings)
            unit = _Unit(leaving.item, leaving.wire, explained)
            if leaving.wire.body is None:
                self.skipped[leaving.wire.skip or "the vendor has no place for it"] += 1
                self._explain(unit, leaving.wire)
                continue
            parcels.append(Parcel(_work(number), leaving.wire))
            units[number] = unit
        packed = pack(self.exporter, parcels, {})
        for packet in packed.packets:
            self.requests += 1
            self.bytes += packet.size
            for parcel in packet.parcels:
                unit = units[parcel.work.last_seq]
                self.cut += parcel.wire is not unit.wire
                self._explain(unit, parcel.wire)
        for settlement in packed.settlements:
            self._too_large(units[settlement.work.last_seq], settlement.letter)

    def _too_large(self, unit: _Unit, letter: DeadLetter | None) -> None:
        item, wire = unit.item, unit.wire
        reason = "too large" if letter is None else letter.reason
        self.too_large_count += 1
        if len(self.too_large) < _LISTED:
            self.too_large.append(TooLarge(item.id, item.session, reason))
        self._explain(unit, WireItem(id=wire.id, body=None, session=wire.session, skip=reason))

    def supplement(self, found: Supplement | str) -> None:
        """A supplement as the target may take it, or why it cannot."""
        if isinstance(found, str):
            self.left_out[found] += 1
            return
        exporter = self.exporter
        if isinstance(found, Annotation):
            found = found.model_copy(update={"message": found.message or found.target})
        wire = supplement_out(exporter.vendor, found, exporter.settings).wire
        self.units += 1
        if wire.body is None:
            self.left_out[wire.skip or "the vendor has no place for it"] += 1
            return
        told = explain(found, exporter.settings)
        entries = (replace(one, path=f"{found.kind}.{one.path}") for one in told.entries)
        self._ledger(Ledger.of(entries, told.notes))
        self.supplements += 1
        for packet in pack(exporter, [Parcel(_work(0), wire)], {}).packets:
            self.requests += 1
            self.bytes += packet.size

    def ledger(self) -> Ledger:
        """All of it."""
        return Ledger.merged(self.ledgers)

    def _date(self, at: dt.datetime | None) -> None:
        if at is None:
            self.undated += 1
            return
        self.first = at if self.first is None else min(self.first, at)
        self.last = at if self.last is None else max(self.last, at)

    def _explain(self, unit: _Unit, wire: WireItem) -> None:
        if not unit.explained:
            return
        vendor = self.exporter.vendor
        self._ledger(
            explain_rendering(
                unit.item,
                wire.body,
                vendor.parse,
                free_form=vendor.free_form,
                reasons=vendor.reasons,
                notes=wire.notes,
                skip=wire.skip,
            )
        )

    def _ledger(self, *ledgers: Ledger) -> None:
        self.ledgers += ledgers
        if len(self.ledgers) >= _MERGE:
            self.ledgers = [Ledger.merged(self.ledgers)]


def _work(number: int) -> Work:
    return Work(f"event:{number}", 0, number, number, 1, 0, None)


def keeps_properties(exporter: Exporter) -> bool:
    """Whether properties come back from what the target is sent."""
    call = ModelCall(id="a", session="a", model="a", properties={PROPERTY: "a"})
    entries = explain(call, exporter.settings).entries
    return any(PROPERTY in one.path and one.status in ("kept", "parked") for one in entries)


def supplements_of(
    staging: Staging, exporter: Exporter, after: int = 0
) -> Iterator[tuple[int, Supplement | str]]:
    """The staged supplements as the target may take them, or why it cannot; each with its number."""
    for number, one in staging.supplements(after):
        items = _about(staging, one)
        yield number, fitted_supplement(one, items, exporter.vendor.grain)


def _about(staging: Staging, supplement: Supplement) -> list[Item]:
    """The items of the session that a supplement is about."""
    if not isinstance(supplement, Annotation):
        return []
    if supplement.target_type == "session":
        return staging.session(supplement.target)
    found = [] if supplement.session is None else staging.session(supplement.session)
    return found or staging.home(supplement.target)


def make_plan(
    staging: Staging,
    exporter: Exporter,
    *,
    source: str,
    times: Times,
    since: dt.datetime | None,
    until: dt.datetime,
    samples: int,
    progress: Callable[[int], None],
) -> Plan:
    """Goes through all that is staged, a session at a time.

    Args:
        staging: all of it was read.
        exporter: the target.
        source: for people.
        times: as the user chose.
        since: from when on it was read.
        until: up to when it was read.
        samples: how many sessions are shown.
        progress: is told how many sessions are done.

    Raises:
        UsageError: ``times="properties"`` where the target has no place for them.
    """
    vendor, settings = exporter.vendor, exporter.settings
    can_keep = keeps_properties(exporter)
    if times == "properties" and not can_keep:
        raise UsageError(f"--times properties: {vendor.title} has no place for properties")
    count = _Count(exporter, times, every=-(-staging.sessions() // EXPLAINED) or 1)
    for place, items in staging.queued():
        count.session(place, items)
        progress(place)
    if count.group:
        count.close_group()
    for _, found in supplements_of(staging, exporter):
        count.supplement(found)
    first = vendor.prepare(settings, {})
    if count.requests and first is not None:
        count.requests += 1
        count.bytes += len(first.content)
    staging.keep(units=count.units)
    requests, concurrency = count.requests, exporter.concurrency
    at_the_rate = 0.0 if settings.rate is None else requests / settings.rate
    card = vendor.capabilities(settings)
    return Plan(
        source=source,
        target=vendor.title,
        url=settings.base_url,
        grain=vendor.grain,
        since=since,
        until=until,
        held=staging.held(),
        units=count.units,
        requests=requests,
        bytes=count.bytes,
        seconds=max(at_the_rate, requests * ANSWER_SECONDS / concurrency),
        rate=settings.rate,
        concurrency=concurrency,
        first=count.first,
        last=count.last,
        undated=count.undated,
        times=times,
        keeps_times=card.past_times,
        keeps_properties=can_keep,
        idempotent_by=card.idempotent_by,
        skipped=count.skipped,
        supplements=count.supplements,
        left_out=count.left_out,
        too_large=tuple(count.too_large),
        too_large_count=count.too_large_count,
        cut=count.cut,
        ledger=count.ledger(),
        explained=count.explained,
        samples=tuple(
            sample_of(staging.at(place), shape, exporter, times)
            for place, shape in count.shapes.distinct(samples)
        ),
        failures=tuple(staging.failures(_LISTED)),
        notes=tuple(staging.fact("notes") or ()),
    )
