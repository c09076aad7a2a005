"""What reading a target should give back of what was sent to it: the vendor's own ``render``, ``parse`` and limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from llmtee.assembly import fit
from llmtee.errors import InputError, RenderError
from llmtee.fidelity import Entry as LedgerEntry
from llmtee.fidelity import Ledger, Status, emptied, explain_missing, explain_rendering
from llmtee.functions import explain, render
from llmtee.migrate.spill import Entry, Spill, key_of
from llmtee.model import Annotation, Item, Supplement, SupplementBase
from llmtee.spec import ExporterSettings, Vendor, supplement_out

_REASONS = 8
"""Reasons that one field may have in a ledger; those of further values name each value, and are left out."""
OF_ITS_OWN = "each for a reason of its own"


class _Totals:
    """Ledgers added up, in as much memory as there are fields."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, Status, str | None], LedgerEntry] = {}
        self._reasons: Counter[tuple[str, Status]] = Counter()

    def add(self, ledger: Ledger) -> None:
        for entry in ledger.entries:
            field = (entry.path, entry.status)
            key = (*field, entry.reason)
            if key not in self._entries:
                if self._reasons[field] >= _REASONS:
                    key = (*field, OF_ITS_OWN)
                else:
                    self._reasons[field] += 1
            known = self._entries.get(key)
            count = entry.count + (known.count if known else 0)
            example = known.example if known else entry.example
            self._entries[key] = LedgerEntry(*field, count, key[2], example)

    def ledger(self) -> Ledger:
        return Ledger.of(self._entries.values())


class Prediction:
    """What should be there, and what that loses.

    Args:
        vendor: the target.
        settings: with which it is sent.
        explained: whether somebody has explained already what rendering loses.
    """

    def __init__(self, vendor: Vendor[Any], settings: ExporterSettings, *, explained: bool) -> None:
        self._vendor, self._settings, self._explained = vendor, settings, explained
        self._totals = _Totals()
        self._apart = 0

    def items(self, spill: Spill, sent: Iterable[Entry]) -> Iterator[Entry]:
        """What reading should give of what was sent, in any order."""
        for item in sent:
            spill.add("sent", _home(item), item)
        for sides in spill.groups("sent"):
            yield from self._session(sides["sent"])

    def ledger(self) -> Ledger:
        """What is lost by field, as far as nobody else has explained it."""
        return self._totals.ledger()

    def notes(self) -> tuple[str, ...]:
        """What cannot be compared."""
        if not self._apart:
            return ()
        what = "1 supplement" if self._apart == 1 else f"{self._apart:,} supplements"
        return (f"not compared: {what} on what was not sent beside it",)

    # ── a session ───────────────────────────────────────────────────────────────────────────────────────────────

    def _session(self, sent: Sequence[Entry]) -> Iterator[Entry]:
        items = [one for one in sent if not isinstance(one, SupplementBase)]
        supplements = [one for one in sent if isinstance(one, SupplementBase)]
        bodies = [body for item in fit(items, self._vendor.grain) for body in self._bodies(item)]
        said = [one for supplement in supplements for one in self._said(supplement, bodies)]
        for body in bodies:
            yield from self._read(body)
        for one in said:
            yield from self._told(one, self._vendor.readable(one, self._settings))

    def _bodies(self, item: Item) -> Iterator[Any]:
        """What is sent of one item."""
        try:
            found = render([item], self._settings)
        except RenderError as error:
            if not self._explained:
                nothing = explain_rendering(item, None, self._vendor.parse, skip=str(error))
                self._totals.add(nothing)
            return
        for one in found:
            if not self._explained:
                self._totals.add(one.ledger)
            if one.wire.body is not None:
                yield one.wire.body

    def _said(self, supplement: Supplement, bodies: list[Any]) -> Iterator[Supplement]:
        """What a supplement is by itself, where it is not merged into one of the bodies."""
        if not self._explained:
            self._totals.add(explain(supplement, self._settings))
        body = supplement_out(self._vendor, supplement, self._settings).wire.body
        if body is None:
            return
        if self._vendor.amend is None:
            if self._vendor.read_supplement is not None:
                yield _placed(self._vendor.read_supplement(body), supplement)
            return
        for i, whole in enumerate(bodies):
            amended = self._vendor.amend(whole, body)
            if amended is not None:
                bodies[i] = amended
                return
        self._apart += 1

    def _read(self, body: Any) -> Iterator[Entry]:
        """What the reader gives of a body; what it does not give was foretold."""
        items = self._parsed(body)
        found = [self._vendor.readable(item, self._settings) for item in items]
        if self._settings.carry and self._vendor.carry and any(map(_is_less, items, found)):
            # A carry is the difference to all that was written; to less than that it cannot be added.
            items = self._parsed(emptied(body, [self._vendor.carry.path]))
            found = [self._vendor.readable(item, self._settings) for item in items]
        for item, left in zip(items, found, strict=True):
            yield from self._told(item, left)

    def _parsed(self, body: Any) -> list[Item]:
        try:
            return self._vendor.parse(body)
        except InputError:
            return []  # the ledger says so of each value

    def _told(self, item: Entry, left: Entry | None) -> Iterator[Entry]:
        if _is_less(item, left):
            reason = f"{self._vendor.title} keeps it, but its API does not give it back"
            self._totals.add(explain_missing(item, left, reason))
        if left is not None:
            yield left


def _home(item: Entry) -> str:
    """The session of what is sent, so that what is said of an item comes beside it."""
    if not isinstance(item, Annotation):
        return key_of(item)
    if item.session is not None:
        return f"session:{item.session}"
    return f"session:{item.target}" if item.target_type == "session" else f"item:{item.target}"


def _placed(back: Supplement, sent: Supplement) -> Supplement:
    """What is read back of a supplement, with the session that only its sender knows."""
    if isinstance(back, Annotation) and isinstance(sent, Annotation) and back.session is None:
        return back.model_copy(update={"session": sent.session})
    return back


def _is_less(item: Entry, left: Entry | None) -> bool:
    return left is not item
