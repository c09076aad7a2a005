"""The last step before a vendor sees anything: filter, sample, redaction, rendering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from llmtee.model import Item, Supplement, VendorRequest, load_supplement
from llmtee.privacy import declined
from llmtee.spec.settings import ExporterSettings
from llmtee.spec.vendor import Vendor
from llmtee.spec.wire import WireItem

T = TypeVar("T", bound=Item | Supplement)


@dataclass(frozen=True)
class Outgoing(Generic[T]):
    """An item, or a supplement, as it leaves."""

    item: T
    """Redacted."""
    wire: WireItem
    """In the vendor's shape; without a body where the vendor has no place for it or the settings filter it out."""
    failures: tuple[str, ...] = ()
    """What failed in redaction; the texts concerned are gone."""


def outgoing(vendor: Vendor[Any], item: Item, settings: ExporterSettings) -> Outgoing[Item]:
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


def supplement_out(
    vendor: Vendor[Any], supplement: Supplement, settings: ExporterSettings
) -> Outgoing[Supplement]:
    """A supplement as an exporter's settings let it leave: redacted, and only then rendered.

    Filter and sample are questions about events and conversations, so they do not apply.
    """
    if isinstance(supplement, VendorRequest) and supplement.vendor != vendor.name:
        return _skipped(supplement, f"a request to the API of another vendor, {supplement.vendor}")
    if vendor.supplement is None:
        return _skipped(supplement, f"{vendor.title} has no place for {_CALLED[supplement.kind]}")
    if settings.redact is None:
        return Outgoing(supplement, vendor.supplement(supplement, settings))
    done = settings.redact.supplement(supplement.to_json())
    redacted = load_supplement(done.value)
    return Outgoing(redacted, vendor.supplement(redacted, settings), done.failures)


_CALLED = {"annotation": "feedback and metrics", "vendor_request": "requests to its API"}


def _skipped(supplement: Supplement, reason: str) -> Outgoing[Supplement]:
    return Outgoing(supplement, WireItem(supplement.id, None, skip=reason))
