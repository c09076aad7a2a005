"""What a conversion writes: a format's records, or the bodies that would be posted to a vendor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, TypeAlias

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
    session: str | None
    """Of the item."""


Part: TypeAlias = WireItem | Written
"""What a record is made of, or one that holds an item by itself."""
Prepared: TypeAlias = Part | Skipped | Failed
"""What becomes of an item, or of a part of it."""


class Target(Protocol):
    """What turns items into records, in two steps: an item is looked at while all of it is at hand, and then let go."""

    def prepare(self, item: Item) -> list[Prepared]:
        """What becomes of an item."""

    def pack(self, parts: Iterable[Part]) -> Iterator[Written]:
        """The records of what was prepared."""


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
        return _Canonical()
    if name not in registry.format_names():
        known = (*registry.vendor_names(), *registry.format_names())
        raise UnknownName("vendor or format", name, known)
    form = registry.format(name)
    if form.encode is None:
        raise UsageError(f"the format {name} can only be read, not written")
    return _FormatTarget(form)


class _Alone:
    """A target whose records hold one item each."""

    def pack(self, parts: Iterable[Part]) -> Iterator[Written]:
        """What was prepared."""
        return (part for part in parts if isinstance(part, Written))


class _Canonical(_Alone):
    """Canonical JSON."""

    def prepare(self, item: Item) -> list[Prepared]:
        """The item itself."""
        return [Written(item.to_json())]


@dataclass(frozen=True, slots=True)
class _FormatTarget(_Alone):
    """Records of a provider's format, with what holds beside request and response."""

    form: Format

    def prepare(self, item: Item) -> list[Prepared]:
        """A record of each call."""
        return [self._record(event) for event in fit([item], "event")]

    def _record(self, event: Item) -> Prepared:
        if isinstance(event, ModelCall) and self.form.encode is not None:
            return Written({**records.envelope(event), **self.form.encode(event)})
        return Skipped(f"{self.form.name} has no place for a {event.kind}")


@dataclass(frozen=True, slots=True)
class _Leaving(_Alone):
    """A format's records, of the items that may leave and as they may leave."""

    target: Target
    where: Predicate | None
    sample: float
    redact: Redaction | None

    def prepare(self, item: Item) -> list[Prepared]:
        """The records of an item."""
        reason = declined(item, self.where, self.sample)
        if reason is not None:
            return [Skipped(reason)]
        return self.target.prepare(item if self.redact is None else self.redact.item(item)[0])


@dataclass(frozen=True, slots=True)
class _VendorTarget:
    """The bodies of a vendor's requests."""

    vendor: Vendor[Any]
    settings: ExporterSettings

    def prepare(self, item: Item) -> list[Prepared]:
        """An item as the vendor has it, with its text: it is read here anyway."""
        return [self._one(fitted) for fitted in fit([item], self.vendor.grain)]

    def pack(self, parts: Iterable[Part]) -> Iterator[Written]:
        """The bodies, of so many items at a time that a long file need not fit into memory."""
        wires = (part for part in parts if isinstance(part, WireItem))
        while batch := list(islice(wires, _BATCH)):
            for request in self.vendor.pack(batch, self.settings, {}):
                yield Written(request.body, len(request.items), request)

    def _one(self, item: Item) -> Prepared:
        try:
            wire = outgoing(self.vendor, item, self.settings).wire
        except RenderError as error:
            return Failed(error, item.session)
        if wire.body is None:
            return Skipped(wire.skip or "no reason given")
        wire.content  # noqa: B018 - kept for the request, and cheaper while the body is at hand
        return wire
