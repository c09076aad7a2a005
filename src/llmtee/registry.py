"""Finds vendors and formats by name, through entry points, ours and third-party ones alike."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from llmtee.errors import UnknownName
from llmtee.spec import Format, Vendor, carrying

VENDOR_GROUP = "llmtee.vendors"
FORMAT_GROUP = "llmtee.formats"


@cache
def _points(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


def vendor_names() -> list[str]:
    """The names of all registered vendors, sorted. Imports none of them."""
    return sorted(_points(VENDOR_GROUP))


def format_names() -> list[str]:
    """The names of all registered formats, sorted. Imports none of them."""
    return sorted(_points(FORMAT_GROUP))


@cache
def vendor(name: str) -> Vendor[Any]:
    """The vendor of that name, with functions that know the carry (``spec.carrying``).

    Raises:
        UnknownName: nobody registered it.
    """
    value = _load(VENDOR_GROUP, "vendor", name)
    if not isinstance(value, Vendor):
        raise TypeError(f"entry point {name!r} in {VENDOR_GROUP} is not an llmtee.spec.Vendor")
    return carrying(value)


@cache
def format(name: str) -> Format:
    """The format of that name.

    Raises:
        UnknownName: nobody registered it.
    """
    value = _load(FORMAT_GROUP, "format", name)
    if not isinstance(value, Format):
        raise TypeError(f"entry point {name!r} in {FORMAT_GROUP} is not an llmtee.spec.Format")
    return value


def _load(group: str, kind: str, name: str) -> Any:
    points = _points(group)
    if name not in points:
        raise UnknownName(kind, name, points)
    return points[name].load()
