"""What ``llmtee send`` would send, without sending it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from llmtee import registry
from llmtee.cli import _console as console
from llmtee.fidelity import Ledger
from llmtee.functions import render
from llmtee.model import Item
from llmtee.spec import ExporterSettings, Request

_SHOWN = 10
"""Requests that are listed for each vendor; all of them with ``--json``."""


@dataclass(frozen=True)
class VendorPlan:
    """The requests to one vendor."""

    settings: ExporterSettings
    requests: list[Request]
    skipped: Counter[str]
    ledger: Ledger

    def to_json(self) -> dict[str, Any]:
        """The plan as a JSON object."""
        return {
            "url": self.settings.base_url,
            "requests": [
                {
                    "method": request.method,
                    "path": request.path,
                    "items": len(request.items),
                    "bytes": len(request.content),
                }
                for request in self.requests
            ],
            "bytes": self.bytes,
            "skipped": dict(self.skipped),
            "ledger": {
                "kept": self.ledger.kept,
                "parked": self.ledger.parked,
                "lost": self.ledger.lost,
            },
        }

    @property
    def bytes(self) -> int:
        """Of all requests' bodies."""
        return sum(len(request.content) for request in self.requests)

    def show(self) -> None:
        """Prints it."""
        vendor = registry.vendor(self.settings.vendor)
        requests = console.plural(len(self.requests), "request")
        console.heading(
            f"{vendor.title} at {self.settings.base_url} · {requests} · {console.size(self.bytes)}"
        )
        made = console.table("method", "path", f"{vendor.grain}s", "bytes", right=("bytes",))
        console.show(
            made,
            [
                (request.method, request.path, str(len(request.items)), len(request.content))
                for request in self.requests[:_SHOWN]
            ],
        )
        if len(self.requests) > _SHOWN:
            console.line(f"… and {len(self.requests) - _SHOWN:,} more", "dim")
        for reason, count in self.skipped.items():
            console.line(f"skipped {count:,}: {reason}")
        console.line(self.ledger.summary())


@dataclass(frozen=True)
class Plan:
    """The requests to all vendors."""

    items: int
    vendors: list[VendorPlan]

    def to_json(self) -> dict[str, Any]:
        """The plan as a JSON object."""
        return {
            "dry_run": True,
            "items": self.items,
            "exporters": {plan.settings.exporter: plan.to_json() for plan in self.vendors},
        }

    def show(self) -> None:
        """Prints it."""
        console.line(f"dry run: {console.plural(self.items, 'item')} read, nothing sent", "bold")
        for plan in self.vendors:
            plan.show()


def plan(items: Iterable[Item], exporters: Sequence[ExporterSettings]) -> Plan:
    """What sending the items would mean."""
    all_items = list(items)
    return Plan(len(all_items), [_plan(all_items, settings) for settings in exporters])


def _plan(items: list[Item], settings: ExporterSettings) -> VendorPlan:
    rendered = render(items, settings)
    taken = [one for one in rendered if one.skip is None]
    vendor = registry.vendor(settings.vendor)
    return VendorPlan(
        settings=settings,
        requests=vendor.pack([one.wire for one in taken], settings, {}),
        skipped=Counter(one.skip for one in rendered if one.skip is not None),
        ledger=Ledger.merged(one.ledger for one in taken),
    )
