"""Which function reads the records of a source: a format's, a vendor's, or whichever the record shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from llmtee import registry
from llmtee.errors import InputError, UnknownName
from llmtee.model import Item
from llmtee.spec import Traces

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Detection:
    """What ``auto`` chose for a record, and why."""

    format: str
    """Name of a format, or of a vendor whose payload it is."""
    reason: str
    """What in the record shows it, in a few words."""
    source: str | None = None
    """Of the record, as errors name it; ``None`` for a record that came from no file or stream."""
    line: int | None = None
    """Of the first record in the source that is of this format."""

    def __str__(self) -> str:
        place = "" if self.source is None else f"{self.source}: "
        return f"{place}read as {self.format}, because {self.reason}"


@dataclass(frozen=True, slots=True)
class Decoder:
    """Reads one record."""

    decode: Callable[[Any], list[Item]]
    single: bool
    """Whether a record is one event, as in formats; a vendor's may be a batch, or a page of an export."""
    traces: Traces | None = None
    """How parts of one trace in several records are joined."""


Choice: TypeAlias = Callable[[Any], tuple[Decoder, Detection | None]]
"""What reads a record, and why where nobody named it."""


def choice(name: str) -> Choice:
    """What reads the records of a source.

    Args:
        name: ``auto``, or the name of a format or a vendor.

    Raises:
        UnknownName: there is none.
    """
    if name == AUTO:
        return _by_content
    known = _decoder(name)
    return lambda _: (known, None)


def _by_content(raw: Any) -> tuple[Decoder, Detection | None]:
    found = detect(raw)
    return _decoder(found.format), found


def _decoder(name: str) -> Decoder:
    if name in registry.format_names():
        form = registry.format(name)
        return Decoder(form.decode, single=True, traces=form.traces)
    if name in registry.vendor_names():
        return Decoder(registry.vendor(name).parse, single=False)
    raise UnknownName("format", name, (AUTO, *registry.format_names(), *registry.vendor_names()))


def detect(record: Any) -> Detection:
    """The format of one record, told by its content.

    Args:
        record: a JSON value: an object, mostly.

    Returns:
        The one format, or vendor, that surely recognises it, and by what.

    Raises:
        InputError: none recognises it, or several do. Nothing is guessed: the error names them, and the way out.
    """
    formats, vendors = registry.format_names(), registry.vendor_names()
    tests = [(name, registry.format(name).detect) for name in formats]
    tests += [(name, registry.vendor(name).detect) for name in vendors]
    found = [Detection(name, reason) for name, test in tests if (reason := test(record))]
    if len(found) == 1:
        return found[0]
    way_out = "name the format with format= or --from"
    if found:
        claims = " and ".join(f"{one.format} ({one.reason})" for one in found)
        raise InputError(f"could be of several formats, {claims}; {way_out}")
    known = ", ".join((*formats, *vendors))
    raise InputError(f"is surely of no format; looked for {known}, saw {_seen(record)}; {way_out}")


def placed(found: Detection, source: str, line: int | None) -> Detection:
    """``found`` with the place of the record."""
    return replace(found, source=source, line=line)


def _seen(raw: Any) -> str:
    if not isinstance(raw, dict):
        return f"a {type(raw).__name__}"
    keys = ", ".join(list(raw)[:10]) or "no keys"
    return f"an object with {keys}" + (", …" if len(raw) > 10 else "")
