"""The pure functions of llmtee as a notebook uses them: no network, no key, no state.

``vendor`` is a name, such as ``"inkeep"``, or the vendor's settings, such as ``Inkeep(visibility="private")``, where
they change what is written.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from llmtee import jsontext, registry
from llmtee.assembly import assemble, fit
from llmtee.errors import InputError, UnknownName, UsageError
from llmtee.fidelity import Ledger, explain_encoding, explain_fitting, explain_rendering
from llmtee.formats import records
from llmtee.model import (
    Annotation,
    Conversation,
    EventBase,
    Item,
    ModelCall,
    Step,
    Supplement,
    SupplementBase,
)
from llmtee.spec import (
    ExporterSettings,
    Format,
    Note,
    Request,
    Vendor,
    WireItem,
    outgoing,
    supplement_out,
)

__all__ = ["Rendered", "assemble", "explain", "parse", "render"]


@dataclass(frozen=True, eq=False)
class Rendered:
    """One item as a vendor gets it."""

    item: Item
    """What it was made from: an event or a conversation, of the vendor's own grain, redacted as the settings say."""
    vendor: Vendor[Any]
    settings: ExporterSettings
    wire: WireItem

    @property
    def skip(self) -> str | None:
        """Why the vendor has no place for the item, or it is filtered out; ``None`` when it is sent."""
        return self.wire.skip

    @property
    def notes(self) -> tuple[Note, ...]:
        """What rendering changed on purpose."""
        return self.wire.notes

    @cached_property
    def request(self) -> Request | None:
        """The request as it would be sent for this item alone, without authentication; ``None`` when skipped."""
        if self.wire.body is None:
            return None
        return self.vendor.pack([self.wire], self.settings, {})[0]

    @property
    def body(self) -> Any:
        """The request's JSON; `parse` reads it back. ``None`` when skipped."""
        return None if self.request is None else self.request.body

    @cached_property
    def ledger(self) -> Ledger:
        """What the vendor keeps of the item."""
        return explain_rendering(
            self.item,
            self.wire.body,
            self.vendor.parse,
            free_form=self.vendor.free_form,
            reasons=self.vendor.reasons,
            notes=self.wire.notes,
            skip=self.wire.skip,
        )

    def __repr__(self) -> str:
        state = f"skipped: {self.skip}" if self.skip else f"{self.wire.size} bytes"
        return f"<Rendered {self.item.kind} {self.item.id} for {self.vendor.title}, {state}>"


def render(
    items: Iterable[Item], vendor: str | ExporterSettings, *, carry: bool | None = None
) -> list[Rendered]:
    """Items as a vendor gets them, one `Rendered` for each event or conversation that it takes.

    Items of the other grain are fitted first: events are assembled by session for Inkeep and Roark, conversations
    are split into events for Voker and HoneyHive. One that exceeds what the vendor takes is cut to size as it would
    be before it is sent.

    Args:
        items: events, conversations, or both.
        vendor: a name, or settings.
        carry: whether the vendor's free-form field also carries what its own fields cannot say, so that `parse` gives
            back exactly what was rendered. As the settings say by default, which is no.

    Raises:
        UnknownName: no vendor has that name.
    """
    found, settings = _vendor(vendor, carry)
    leaving = (outgoing(found, item, settings) for item in fit(items, found.grain))
    return [
        Rendered(one.item, found, settings, _own(_as_sent(found, settings, one.wire)))
        for one in leaving
    ]


def _own(wire: WireItem) -> WireItem:
    """The item with a body of its own: what messages are rendered to is shared by all events that repeat them."""
    return replace(wire, body=copy.deepcopy(wire.body))


def _as_sent(vendor: Vendor[Any], settings: ExporterSettings, wire: WireItem) -> WireItem:
    """The item in the size that delivery would give it; as it is where it cannot be cut so far."""
    limit = settings.max_bytes or vendor.limits.bytes
    if wire.body is None or wire.size <= limit // 2:  # far from it, whatever the request adds
        return wire
    [request] = vendor.pack([wire], settings, {})
    around = len(request.content) - wire.size
    if wire.size + around <= limit:
        return wire
    return vendor.shrink(wire, limit - around, settings) or wire


def parse(payload: Any, name: str) -> list[Item]:
    """The events or conversations of a payload: the way back.

    A payload with a carry gives exactly what was rendered. Where its carry cannot be used, since it was cut or the
    payload was changed, the item comes as it reads without, and its ``flags`` say why.

    Args:
        payload: JSON as text or bytes, or the value that it stands for. For a vendor: a request body, one item of
            it, or what its read API answers. For a format: one record.
        name: of a vendor or a format.

    Raises:
        UnknownName: neither a vendor nor a format has that name.
        InputError: the payload cannot be read; the error names its JSON path.
    """
    vendors, formats = registry.vendor_names(), registry.format_names()
    if name not in vendors and name not in formats:
        raise UnknownName("vendor or format", name, {*vendors, *formats})
    if isinstance(payload, bytes | bytearray | str):
        try:
            payload = jsontext.loads(bytes(payload) if isinstance(payload, bytearray) else payload)
        except ValueError as error:
            raise InputError(f"not JSON: {error}") from error
    if name in vendors:
        return registry.vendor(name).parse(payload)
    return registry.format(name).decode(payload)


def explain(
    item: Item | Supplement | Iterable[Item],
    vendor: str | ExporterSettings,
    *,
    carry: bool | None = None,
) -> Ledger:
    """Which values of an item, or of several, a vendor keeps, parks or loses, and why.

    ``vendor`` may be a provider's format as well, such as ``"openai-chat"``: then the ledger tells what a record of that
    format keeps of a model call, beside request and response what the record says of the event.

    Items of the other grain are fitted first, as in `render`; where several items are rendered, their ledgers are
    added up, so that history which each call repeats counts each time. What fitting itself loses, such as the
    tools offered in a call that becomes part of a conversation, is lost under the item's own field names, with a carry
    too: a carry holds what was rendered, and that is the conversation.

    Args:
        item: an event, a conversation, or several of them; or a supplement, such as an ``Annotation``.
        vendor: a name, or settings.
        carry: as in `render`. What only the carry gives back is parked.

    Raises:
        UnknownName: no vendor and no format has that name.
        UsageError: the format can only be read.
    """
    if isinstance(item, SupplementBase):
        return _explain_supplement(item, *_vendor(vendor, carry))
    # pydantic's models are iterable, over their fields.
    items = [item] if isinstance(item, EventBase | Conversation) else list(item)
    if isinstance(vendor, str) and vendor in written_formats():
        return _explain_format(items, registry.format(vendor))
    rendered = render(items, vendor, carry=carry)
    ledgers = [one.ledger for one in rendered]
    grain = _vendor(vendor, carry)[0].grain
    ledgers += fitting_ledgers(items, [one.item for one in rendered], grain)
    return Ledger.merged(ledgers)


def fitting_ledgers(
    items: Iterable[Item], fitted: Iterable[Item], grain: Literal["event", "conversation"]
) -> list[Ledger]:
    """What items lose when they are fitted to a grain, beside what rendering loses then.

    Args:
        items: as they were.
        fitted: what became of them.
        grain: to which they were fitted.
    """
    if grain == "event":
        return [_lost_in_splitting(one) for one in items if isinstance(one, Conversation)]
    events = [one for one in items if not isinstance(one, Conversation)]
    if not events:
        return []
    back = {_place(event): event for event in fit(fitted, "event")}
    return [explain_fitting(one, back.get(_place(one)), "conversation") for one in events]


def _explain_supplement(
    item: Supplement, vendor: Vendor[Any], settings: ExporterSettings
) -> Ledger:
    sent = item
    if isinstance(item, Annotation) and item.message is None and item.target_type != "message":
        # Which message its target made is known when it is delivered; here any will do.
        sent = item.model_copy(update={"message": "the target's message"})
    wire = supplement_out(vendor, sent, settings).wire
    return explain_rendering(
        item,
        wire.body,
        lambda body: [] if vendor.read_supplement is None else [vendor.read_supplement(body)],
        free_form=vendor.free_form,
        reasons=vendor.reasons,
        notes=wire.notes,
        skip=wire.skip,
    )


def written_formats() -> list[str]:
    """The names of the formats that a model call can be explained for, sorted: those of no vendor."""
    return [name for name in registry.format_names() if name not in registry.vendor_names()]


def _explain_format(items: list[Item], form: Format) -> Ledger:
    encode = form.encode
    if encode is None:
        raise UsageError(f"the format {form.name} can only be read, not written")
    ledgers = [_lost_in_splitting(one) for one in items if isinstance(one, Conversation)]
    for event in fit(items, "event"):
        if isinstance(event, ModelCall):
            [back] = form.decode({**records.envelope(event), **encode(event)})
            if isinstance(back, ModelCall):
                ledgers.append(explain_encoding(event, back, form.cannot))
        else:
            skip = f"{form.title} has no place for a {event.kind}"
            ledgers.append(explain_rendering(event, None, form.decode, skip=skip))
    return Ledger.merged(ledgers)


def _place(event: Item) -> tuple[str, str | None]:
    """What finds an event again after assembly: its id; of a step for the whole session, there is one."""
    if isinstance(event, Step) and event.step_type == "session":
        return "session", event.session
    return "event", event.id


def _lost_in_splitting(conversation: Conversation) -> Ledger:
    back = fit(fit([conversation], "event"), "conversation")
    return explain_fitting(conversation, next(iter(back), None), "event")


def _vendor(
    vendor: str | ExporterSettings, carry: bool | None
) -> tuple[Vendor[Any], ExporterSettings]:
    if isinstance(vendor, str):
        vendor = registry.vendor(vendor).settings()
    if isinstance(vendor, ExporterSettings):
        settings = vendor if carry is None else vendor.model_copy(update={"carry": carry})
        return registry.vendor(vendor.vendor), settings
    raise UsageError(
        f"vendor must be a name such as 'inkeep' or settings such as Inkeep(), not {vendor!r:.60}"
    )
