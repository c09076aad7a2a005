"""What a conversion writes: a format's records, or the bodies that would be posted to a vendor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from llmtee import config, jsontext, registry
from llmtee.assembly import fit
from llmtee.errors import RenderError, UnknownName, UsageError
from llmtee.formats import canonical, records
from llmtee.model import Item, ModelCall
from llmtee.privacy import Predicate, Redaction, declined
from llmtee.spec import ExporterSettings, Format, Request, Vendor, WireItem, outgoing

_BATCH = 1000
"""Items that are packed at a time, so that a long file need not fit into memory."""


@dataclass(frozen=True, slots=True)
class Written:
    """A record to write, and how many items it holds."""

    value: Any
    items: int = 1
    request: Request | None = None
    """Whose body it is: its text is put together of what was written of each item already."""

    @property
    def text(self) -> bytes:
        """The value as JSON text."""
        return jsontext.dumps(self.value) if self.request is None else self.request.content


@dataclass(frozen=True, slots=True)
class Skipped:
    """An item that the target has no place for."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """An item without a valid shape at the target."""

    error: RenderError
    position: int
    """Of the item among those that were given."""


Outcome: TypeAlias = Written | Skipped | Failed
Target: TypeAlias = Callable[[Iterable[Item]], Iterator[Outcome]]


def target_of(
    name: str | ExporterSettings,
    *,
    where: Predicate | None = None,
    sample: float = 1.0,
    redact: Redaction | None = None,
    carry: bool = False,
) -> Target:
    """What turns items into the records of a target. A vendor that takes conversations is given conversations.

    Args:
        name: a vendor's name or settings, ``llmtee``, or a format that can be written.
        where: as in ``ExporterSettings``; a vendor is asked about items of its own grain, a format as they are read.
        sample: as there.
        redact: as there.
        carry: as there; only for a vendor.

    Raises:
        UnknownName: there is no such target.
        UsageError: the format can only be read or has no carry, or both settings and what they would say are given.
    """
    leaving = {"where": where, "sample": sample, "redact": redact, "carry": carry}
    if isinstance(name, ExporterSettings):
        if leaving != {"where": None, "sample": 1.0, "redact": None, "carry": False}:
            raise UsageError("say where, sample, redact and carry in the vendor's settings")
        return _VendorTarget(registry.vendor(name.vendor), config.resolve(name, need_key=False))
    if name in registry.vendor_names():
        return target_of(registry.vendor(name).settings.model_validate(leaving))
    if carry:
        raise UsageError(f"a carry is for vendors; {name} keeps what it has fields for")
    return _Leaving(_format_target(name), where, sample, redact)


def takes_conversations(name: str | ExporterSettings) -> bool:
    """Whether a target is a vendor of the conversation grain, for which events are assembled."""
    vendor = name.vendor if isinstance(name, ExporterSettings) else name
    known = vendor in registry.vendor_names()
    return known and registry.vendor(vendor).grain == "conversation"


def _format_target(name: str) -> Target:
    if name == canonical.NAME:
        return _canonical
    if name not in registry.format_names():
        known = (*registry.vendor_names(), *registry.format_names())
        raise UnknownName("vendor or format", name, known)
    form = registry.format(name)
    if form.encode is None:
        raise UsageError(f"the format {name} can only be read, not written")
    return _FormatTarget(form)


def _canonical(items: Iterable[Item]) -> Iterator[Outcome]:
    return (Written(item.to_json()) for item in items)


@dataclass(frozen=True, slots=True)
class _FormatTarget:
    """Records of a provider's format, with what holds beside request and response."""

    form: Format

    def __call__(self, items: Iterable[Item]) -> Iterator[Outcome]:
        for item in items:
            for event in fit([item], "event"):
                if isinstance(event, ModelCall) and self.form.encode is not None:
                    yield Written({**records.envelope(event), **self.form.encode(event)})
                else:
                    yield Skipped(f"{self.form.name} has no place for a {event.kind}")


@dataclass(frozen=True, slots=True)
class _Leaving:
    """A format's records, of the items that may leave and as they may leave."""

    target: Target
    where: Predicate | None
    sample: float
    redact: Redaction | None

    def __call__(self, items: Iterable[Item]) -> Iterator[Outcome]:
        for item in items:
            reason = declined(item, self.where, self.sample)
            if reason is not None:
                yield Skipped(reason)
            else:
                yield from self.target([item if self.redact is None else self.redact.item(item)[0]])


@dataclass(frozen=True, slots=True)
class _VendorTarget:
    """The bodies of a vendor's requests."""

    vendor: Vendor[Any]
    settings: ExporterSettings

    def __call__(self, items: Iterable[Item]) -> Iterator[Outcome]:
        source = enumerate(items)
        while batch := list(islice(source, _BATCH)):
            yield from self._batch(batch)

    def _batch(self, items: list[tuple[int, Item]]) -> Iterator[Outcome]:
        wires: list[WireItem] = []
        for position, item in items:
            for fitted in fit([item], self.vendor.grain):
                try:
                    wire = outgoing(self.vendor, fitted, self.settings).wire
                except RenderError as error:
                    yield Failed(error, position)
                    continue
                if wire.body is None:
                    yield Skipped(wire.skip or "no reason given")
                else:
                    wires.append(wire)
        for request in self.vendor.pack(wires, self.settings, {}):
            yield Written(request.body, len(request.items), request)
