"""Compares what a target holds with what was sent to it. Pure, but for a file in which both wait for one another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llmtee.fidelity import Ledger, printable
from llmtee.migrate.comparing import Compared, Mismatch, compare_session
from llmtee.migrate.predicting import Prediction
from llmtee.migrate.spill import Spill, key_of
from llmtee.model import Conversation, Item, Supplement, SupplementBase
from llmtee.spec import ExporterSettings, Vendor


@dataclass(frozen=True, slots=True)
class Counted:
    """How much there is on one side."""

    sessions: int = 0
    """Sessions, and items that belong to none."""
    items: int = 0
    messages: int = 0
    """In conversations."""
    supplements: int = 0

    def to_json(self) -> dict[str, int]:
        """As a JSON object."""
        return {name: getattr(self, name) for name in type(self).__slots__}


@dataclass(frozen=True)
class Verification:
    """What the comparison found."""

    target: str
    """The vendor, as people write it."""
    expected: Counted
    found: Counted
    matched: int
    """Items that are there."""
    predicted: Ledger
    """What was foretold: values that rendering loses, by field, and those that the target keeps but does not give back."""
    beside: Mapping[str, int]
    """Values that the target added to items, by field: no difference, since nothing of what was sent is touched."""
    counts: Mapping[str, int]
    """All differences, by kind: ``missing``, ``surplus``, ``duplicate``, ``changed``, ``moved``."""
    differences: tuple[Mismatch, ...]
    """What nobody foretold: the first thousand."""
    others: int = 0
    """Sessions that the target has beside those that were sent, where that is allowed."""
    notes: tuple[str, ...] = ()
    """What was not compared, a sentence each."""

    @property
    def ok(self) -> bool:
        """Whether nothing differs but what was foretold."""
        return not self.counts

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "ok": self.ok,
            "target": self.target,
            "expected": self.expected.to_json(),
            "found": self.found.to_json(),
            "matched": self.matched,
            "counts": dict(self.counts),
            "differences": [one.to_json() for one in self.differences],
            "predicted": self.predicted.to_json(),
            "beside": dict(self.beside),
            "others": self.others,
            "notes": list(self.notes),
        }

    def lines(self, most: int = 20) -> list[str]:
        """As lines for a terminal.

        Args:
            most: of the differences, and of the fields that were foretold to be lost.
        """
        return [printable(line) for line in _lines(self, most)]

    def __str__(self) -> str:
        return "\n".join(self.lines())


def verify(
    expected: Iterable[Item | Supplement],
    found: Iterable[Item | Supplement],
    vendor: Vendor[Any],
    settings: ExporterSettings,
    *,
    predicted: Ledger | None = None,
    exclusive: bool = True,
) -> Verification:
    """Compares, session by session, what a target should hold with what its reader gives.

    Each expected item goes through the target's own ``render`` and ``parse`` first, and through ``Vendor.readable``: what
    is lost there was foretold. Everything else that differs is a difference. Times may differ by less than a
    millisecond. Events have the order of their times, so only these count; messages and their parts have an order of
    their own. Memory holds a session at a time: both sides wait in a temporary file.

    Args:
        expected: what was sent, in any order: events, conversations (fitted to the vendor's grain as `render` does; what
            that loses is not told here), and supplements.
        found: what reading the target gave, in any order.
        vendor: the target.
        settings: with which it was sent.
        predicted: the ledger of what was sent, where it is known already, such as that of a plan; else it is computed.
        exclusive: whether the target should hold nothing else; else sessions that were not sent are only counted.
    """
    prediction = Prediction(vendor, settings, explained=predicted is not None)
    totals = {"expected": _Total(), "found": _Total()}
    compared, others = Compared(), 0
    with Spill() as spill:
        for item in prediction.items(spill, expected):
            totals["expected"].add(item)
            spill.add("expected", key_of(item), item)
        for item in found:
            totals["found"].add(item)
            spill.add("found", key_of(item), item)
        for sides in spill.groups("expected", "found"):
            for side, total in totals.items():
                total.sessions += any(not isinstance(one, SupplementBase) for one in sides[side])
            if sides["expected"] or exclusive:
                compare_session(sides["expected"], sides["found"], compared)
            else:
                others += any(not isinstance(one, SupplementBase) for one in sides["found"])
    return Verification(
        target=vendor.title,
        expected=totals["expected"].counted(),
        found=totals["found"].counted(),
        matched=compared.matched,
        predicted=Ledger.merged([predicted or Ledger(), prediction.ledger()]),
        beside=dict(sorted(compared.beside.items())),
        counts=dict(compared.counts),
        differences=tuple(compared.mismatches),
        others=others,
        notes=prediction.notes(),
    )


@dataclass
class _Total:
    """Counts one side."""

    sessions: int = 0
    items: int = 0
    messages: int = 0
    supplements: int = 0

    def add(self, item: Item | Supplement) -> None:
        if isinstance(item, SupplementBase):
            self.supplements += 1
            return
        self.items += 1
        self.messages += len(item.messages) if isinstance(item, Conversation) else 0

    def counted(self) -> Counted:
        return Counted(self.sessions, self.items, self.messages, self.supplements)


# ── for people ──────────────────────────────────────────────────────────────────────────────────────────────────


def _lines(of: Verification, most: int) -> Iterator[str]:
    yield f"{of.target} holds {_amount(of.found)}; expected {_amount(of.expected)}; {of.matched:,} matched"
    if of.others:
        yield f"not compared: {_some(of.others, 'session')} that were not sent by this"
    yield from of.notes
    rows = (row for row in of.predicted.rows() if not row.noted)
    lost = [row for row in rows if row.status in ("lost", "changed", "trimmed")]
    if lost:
        yield f"foretold, and so: {_some(of.predicted.lost, 'value')} that do not come back"
        yield from (f"  {row.status} {row.field}: {row.reason}" for row in lost[:most])
        yield from _more(len(lost), most, "fields")
    if of.ok:
        yield "nothing else differs"
        return
    told = ", ".join(f"{count:,} {what}" for what, count in sorted(of.counts.items()))
    yield f"{_some(sum(of.counts.values()), 'difference')} that nobody foretold: {told}"
    yield from (f"  {one}" for one in of.differences[:most])
    yield from _more(sum(of.counts.values()), most, "differences")


def _amount(of: Counted) -> str:
    counts = {
        "session": of.sessions,
        "item": of.items,
        "message": of.messages,
        "supplement": of.supplements,
    }
    return ", ".join(_some(n, name) for name, n in counts.items() if n) or "nothing"


def _some(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _more(count: int, most: int, what: str) -> Iterator[str]:
    if count > most:
        yield f"  … and {count - most:,} more {what}"
