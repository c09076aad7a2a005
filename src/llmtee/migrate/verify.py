"""Compares what a target holds with what was sent to it. (seam: replaced by the comparison itself)"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from llmtee.model import Item
from llmtee.spec import ExporterSettings, Vendor


@dataclass(frozen=True)
class Verification:
    """What the comparison found."""

    differences: tuple[Any, ...] = ()
    predicted: tuple[Any, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing differs but what was predicted."""
        return not self.differences

    def to_json(self) -> dict[str, Any]:
        """It as a JSON object."""
        return {"ok": self.ok}


def verify(
    expected: Iterable[Item], found: Iterable[Item], vendor: Vendor[Any], settings: ExporterSettings
) -> Verification:
    """Which of the expected ids are not there."""
    there = {item.id for item in found}
    return Verification(tuple(item.id for item in expected if item.id not in there))
