"""`preview`: one item in the shape of each vendor, side by side, and what becomes of each of its fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from llmtee import jsontext, views
from llmtee.errors import UsageError
from llmtee.fidelity import BY_WEIGHT, Entry, Ledger
from llmtee.functions import Rendered, explain, render
from llmtee.model import Conversation, EventBase, Item
from llmtee.spec import ExporterSettings

_FOUR: Final = ("voker", "honeyhive", "inkeep", "roark")
_MARKS: Final = {"kept": "●", "parked": "◐", "changed": "≠", "trimmed": "◔", "lost": "○"}
_MEANING: Final = {
    "kept": "in a field made for it",
    "parked": "in a free-form field",
    "changed": "something else comes back",
    "trimmed": "a part comes back",
    "lost": "nothing comes back",
}
_PAYLOADS: Final = 3
"""Payloads of one vendor that are shown."""
_LINES: Final = 400
_LETTERS: Final = 240


@dataclass(frozen=True)
class Preview:
    """One item as several vendors get it; made by ``llmtee.preview``, and shows itself in a notebook."""

    item: Item
    rendered: Mapping[str, tuple[Rendered, ...]]
    """By vendor: what it gets."""
    ledgers: Mapping[str, Ledger]
    """By vendor: what it keeps."""

    def __repr__(self) -> str:
        told = (
            f"{name} keeps {one.kept}, parks {one.parked}, loses {one.lost}"
            for name, one in self.ledgers.items()
        )
        return f"<Preview of {self.item.kind} {self.item.id!r}: {'; '.join(told)}>"

    def _repr_html_(self) -> str:
        """The shapes side by side, and below them a table of fields and vendors."""
        legend = (
            (
                ("", views.element("span", f"{_MARKS[status]} {status}", class_=f"lt-{status}")),
                _MEANING[status],
            )
            for status in reversed(BY_WEIGHT)
        )
        told = views.element(
            "div",
            (views.element("span", mark, " ", views.dim(meaning)) for (_, mark), meaning in legend),
            class_="lt-facts",
        )
        name = getattr(self.item, "name", None) or getattr(self.item, "title", None) or self.item.id
        top = views.head(f"preview · {self.item.kind.replace('_', ' ')}", name)
        fields = views.fold("field by field", self._fields())
        columns = [self._column(vendor) for vendor in self.rendered]
        return views.page(top, told, views.element("div", *columns, class_="lt-columns"), fields)

    def _fields(self) -> views.Html:
        at: dict[str, dict[str, list[Entry]]] = {}
        for vendor, ledger in self.ledgers.items():
            for entry in ledger.entries:
                at.setdefault(entry.path, {}).setdefault(vendor, []).append(entry)
        titles = ["field", *(self._title(vendor) for vendor in self.ledgers)]
        rows = (
            [views.path(path), *(_cell(vendors.get(vendor, [])) for vendor in self.ledgers)]
            for path, vendors in sorted(at.items())
        )
        return views.table(titles, rows)

    def _title(self, vendor: str) -> str:
        found = self.rendered[vendor]
        return found[0].vendor.title if found else vendor

    def _column(self, vendor: str) -> views.Html:
        ledger, found = self.ledgers[vendor], self.rendered[vendor]
        parts = [
            views.element("h4", self._title(vendor)),
            views.dim(f"{ledger.kept} kept, {ledger.parked} parked, {ledger.lost} lost"),
        ]
        for place, one in enumerate(found[:_PAYLOADS]):
            shown = _payload(one)
            parts.append(views.fold(_request(one), shown, opened=place == 0))
        if len(found) > _PAYLOADS:
            parts.append(views.dim(f"and {len(found) - _PAYLOADS} more"))
        if not found:
            parts.append(views.element("p", "nothing is sent"))
        lost = [entry for entry in ledger.entries if entry.status not in ("kept", "parked")]
        if lost:
            rows = ((views.path(one.path), one.status, one.reason or "") for one in lost)
            table = views.table(("field", "", "why"), rows)
            parts.append(views.fold(f"what {self._title(vendor)} does not keep", table))
        return views.element("div", *parts)


def _cell(entries: Sequence[Entry]) -> list[views.Html]:
    """What becomes of a field: marks, words, and counts where not all its values fare the same."""
    ordered = sorted(entries, key=lambda entry: -BY_WEIGHT.index(entry.status))
    totals: dict[str, tuple[int, list[str]]] = {}
    for entry in ordered:
        count, reasons = totals.get(entry.status, (0, []))
        totals[entry.status] = (
            count + entry.count,
            [*reasons, *([entry.reason] if entry.reason else [])],
        )
    return [
        views.element(
            "div",
            f"{_MARKS[status]} {status}" + (f" ×{count}" if len(totals) > 1 else ""),
            class_=f"lt-{status}",
            title="; ".join(reasons) or None,
        )
        for status, (count, reasons) in totals.items()
    ]


def _request(one: Rendered) -> str:
    if one.request is None:
        return f"not sent: {one.skip}"
    return f"{one.request.method} {one.request.path}"


def _payload(one: Rendered) -> views.Html:
    lines = list(_lines(one.wire.body, (), one.vendor.free_form))
    shown = [
        views.element("span", text, class_=f"lt-line lt-{status}" if status else "lt-line")
        for text, status in lines[:_LINES]
    ]
    if len(lines) > _LINES:
        shown.append(
            views.element("span", f"… {len(lines) - _LINES:,} lines more", class_="lt-line")
        )
    return views.element("pre", *shown, class_="lt-json", dir="ltr")


def _lines(
    value: Any, path: tuple[str, ...], free: Sequence[str], key: str = "", end: str = ""
) -> Iterator[tuple[str, str | None]]:
    """Lines of indented JSON, each value with a mark in front: whether its field is made for it or free-form."""
    indent = " " * len(path)
    if not isinstance(value, dict | list) or not value:
        status = "parked" if _is_free(path, free) else "kept"
        text = jsontext.dumps(value).decode("utf-8", "replace")
        text = text if len(text) <= _LETTERS else f"{text[:_LETTERS]}… ({len(text):,} characters)"
        yield f"{_MARKS[status]} {indent}{key}{text}{end}", status
        return
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    yield f"  {indent}{key}{opening}", None
    inner: list[tuple[str, str, Any]] = (
        [
            (name, f"{jsontext.dumps(name).decode('utf-8', 'replace')}: ", held)
            for name, held in value.items()
        ]
        if isinstance(value, dict)
        else [("[]", "", held) for held in value]
    )
    for place, (step, said, held) in enumerate(inner):
        yield from _lines(held, (*path, step), free, said, "," if place < len(inner) - 1 else "")
    yield f"  {indent}{closing}{end}", None


def _is_free(path: tuple[str, ...], free: Iterable[str]) -> bool:
    """Whether a value stands in a free-form field, such as ``messages[].properties``."""
    return any(path[: len(steps)] == steps for steps in map(_steps, free))


def _steps(path: str) -> tuple[str, ...]:
    return tuple(step for step in path.replace("[]", ".[]").split(".") if step)


def preview(
    item: Item, vendors: Iterable[str | ExporterSettings] = _FOUR, *, carry: bool | None = None
) -> Preview:
    """One event or conversation as each vendor would get it, with what it keeps, parks and loses. Sends nothing.

    Args:
        item: an event or a conversation. Where a vendor takes the other, it is fitted, as in ``llmtee.render``.
        vendors: names, or settings such as ``HoneyHive(project="p")``.
        carry: as in ``llmtee.render``.

    Raises:
        UnknownName: no vendor has that name.
        UsageError: ``item`` is neither an event nor a conversation.
    """
    if not isinstance(item, EventBase | Conversation):
        raise UsageError(f"a preview is of one event or conversation, not of {item!r:.60}")
    chosen = {one if isinstance(one, str) else one.vendor: one for one in vendors}
    rendered = {name: tuple(render([item], one, carry=carry)) for name, one in chosen.items()}
    return Preview(
        item, rendered, {name: explain(item, one, carry=carry) for name, one in chosen.items()}
    )
