"""Finds vendors, formats and captures through entry points, ours and third-party ones alike."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from llmtee.errors import UnknownName, UsageError
from llmtee.spec import Capture, ExporterSettings, Format, SourceSettings, Vendor, carrying

VENDOR_GROUP = "llmtee.vendors"
FORMAT_GROUP = "llmtee.formats"
CAPTURE_GROUP = "llmtee.captures"


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


def source(settings: ExporterSettings) -> Vendor[Any]:
    """What reads a history with these settings: a vendor, or what is only read.

    Raises:
        UnknownName: nobody registered the vendor.
    """
    if isinstance(settings, SourceSettings):
        return settings.source()
    return vendor(settings.vendor)


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


def capture(client: object) -> Capture:
    """The capture of the SDK that a client belongs to: the one whose package defines its class, or a base of it.

    Raises:
        UsageError: the client is of no SDK that a capture is registered for.
    """
    points = _points(CAPTURE_GROUP)
    for kind in type(client).__mro__:
        found = [name for name in points if f"{kind.__module__}.".startswith(f"{name}.")]
        if found:
            return _capture(max(found, key=len))
    raise UsageError(
        f"cannot capture {type(client).__module__}.{type(client).__qualname__}: "
        f"it is no client of {', '.join(sorted(points))}"
    )


@cache
def _capture(name: str) -> Capture:
    value = _load(CAPTURE_GROUP, "capture", name)
    if not isinstance(value, Capture):
        raise TypeError(f"entry point {name!r} in {CAPTURE_GROUP} is not an llmtee.spec.Capture")
    return value


def _load(group: str, kind: str, name: str) -> Any:
    points = _points(group)
    if name not in points:
        raise UnknownName(kind, name, points)
    return points[name].load()
