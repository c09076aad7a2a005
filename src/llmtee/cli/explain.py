"""``llmtee explain``: what a vendor keeps, parks and loses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from llmtee import registry
from llmtee.cli import _console as console
from llmtee.cli._input import Input
from llmtee.cli._options import (
    CarryOption,
    FromOption,
    InArgument,
    JsonOption,
    MapOption,
    listed,
    settings_of,
)
from llmtee.errors import UnknownName
from llmtee.fidelity import BY_WEIGHT, Ledger
from llmtee.functions import explain as explain_items
from llmtee.functions import render, written_formats
from llmtee.model import Item
from llmtee.spec import Vendor

_OPEN = {
    *("arguments", "config", "details", "extra", "feedback", "inputs", "metrics", "native"),
    *("outputs", "parameters", "properties", "result", "usage", "variables"),
}
"""Fields that are shown as one, with the number of values inside; ``--json`` tells each."""


def explain(
    sources: InArgument,
    to: Annotated[str, typer.Option("--to", metavar="TARGET[,...]", help="Vendors or formats.")],
    source_format: FromOption = "auto",
    mapping: MapOption = None,
    carry: CarryOption = False,
    as_json: JsonOption = False,
) -> int:
    """Show what a vendor, or a provider's format, keeps, parks and loses, and why.

    Parked is what it keeps in free-form fields only, which with --carry is all that it would lose.

    Example: llmtee explain logs.jsonl --to honeyhive,anthropic-messages
    """
    wanted, known = listed(to), registry.vendor_names()
    formats = [name for name in wanted if name in written_formats()]
    if unknown := [name for name in wanted if name not in known and name not in formats]:
        raise UnknownName("vendor or format", unknown[0], (*known, *written_formats()))
    vendors = [registry.vendor(name) for name in wanted if name not in formats]
    given = Input(sources, source_format, mapping)
    items = list(given)
    ledgers = {name: explain_items(items, name) for name in formats}
    reports = [_Report(vendor, items, carry) for vendor in vendors]
    if as_json:
        answer: dict[str, Any] = {
            "items": len(items),
            **given.to_json(),
            "vendors": {report.vendor.name: report.to_json() for report in reports},
        }
        if formats:
            answer["formats"] = {name: one.to_json() for name, one in ledgers.items()}
        console.print_json(answer)
    else:
        for report in reports:
            report.show()
        for name, ledger in ledgers.items():
            console.heading(f"{name} · {ledger.summary()}")
            console.facts(_rows(ledger))
    return given.failures.code


class _Report:
    """What one vendor makes of all items."""

    def __init__(self, vendor: Vendor[Any], items: list[Item], carry: bool) -> None:
        self.vendor = vendor
        rendered = render(items, settings_of(vendor, need_key=False, carry=carry))
        self.taken = [one for one in rendered if one.skip is None]
        self.skipped = Counter(one.skip for one in rendered if one.skip is not None)
        self.ledger = Ledger.merged(one.ledger for one in self.taken)

    def to_json(self) -> dict[str, Any]:
        return {
            "taken": len(self.taken),
            "skipped": dict(self.skipped),
            "ledger": self.ledger.to_json(),
        }

    def show(self) -> None:
        taken = console.plural(len(self.taken), self.vendor.grain)
        console.heading(f"{self.vendor.title} · {taken} · {self.ledger.summary()}")
        for reason, count in self.skipped.items():
            console.line(f"skipped {count}: {reason}")
        console.facts(_rows(self.ledger))


def _rows(ledger: Ledger) -> Iterator[tuple[str, str]]:
    """What is lost first, then what is parked, then what is kept; fields with the same reason together."""
    for status in BY_WEIGHT:
        by_reason: dict[str, Counter[str]] = {}
        for entry in ledger.entries:
            if entry.status == status:
                fields = by_reason.setdefault(entry.reason or "", Counter())
                fields[_outer(entry.path)] += entry.count
        for reason, fields in by_reason.items():
            named = ", ".join(_times(path, count) for path, count in fields.items())
            yield status, named + (f"\n→ {reason}" if reason else "")
    for note in ledger.notes:
        yield note.action, f"{_times(note.path, note.count)}\n→ {note.reason}"


def _outer(path: str) -> str:
    """The field, without what is inside one that holds any JSON."""
    steps = path.split(".")
    for number, step in enumerate(steps):
        if step.removesuffix("[]") in _OPEN:
            return ".".join([*steps[:number], step.removesuffix("[]")])
    return path


def _times(path: str, count: int) -> str:
    # Without a space, so that a count stays on the line of its field.
    return path if count == 1 else f"{path}×{count:,}"
