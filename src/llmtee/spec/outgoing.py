"""The last step before a vendor sees anything: filter, sample, redaction, rendering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llmtee.model import Item
from llmtee.privacy import declined
from llmtee.spec.settings import ExporterSettings
from llmtee.spec.vendor import Vendor
from llmtee.spec.wire import WireItem


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An item as it leaves."""

    item: Item
    """Redacted."""
    wire: WireItem
    """In the vendor's shape; without a body where the vendor has no place for it or the settings filter it out."""
    failures: tuple[str, ...] = ()
    """What failed in redaction; the texts concerned are gone."""


def outgoing(vendor: Vendor[Any], item: Item, settings: ExporterSettings) -> Outgoing:
    """An item as an exporter's settings let it leave: filtered, sampled, redacted, and only then rendered.

    Raises:
        RenderError: it has no valid shape at the vendor.
    """
    reason = declined(item, settings.where, settings.sample)
    if reason is not None:
        return Outgoing(item, WireItem(id=item.id, body=None, session=item.session, skip=reason))
    if settings.redact is None:
        return Outgoing(item, vendor.render(item, settings))
    redacted, done = settings.redact.item(item)
    return Outgoing(redacted, vendor.render(redacted, settings), done.failures)
