"""Which function reads the records of a source: a format's, a vendor's, or whichever the record shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llmtee import registry
from llmtee.errors import InputError, UnknownName
from llmtee.model import Item
from llmtee.spec import Format

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Decoder:
    """Reads one record."""

    decode: Callable[[Any], list[Item]]
    single: bool
    """Whether a record is one event, as in formats; a vendor's may be a batch, or a page of an export."""


def decoder(name: str) -> Decoder:
    """What reads the format of that name: ``auto``, a format's, or a vendor's.

    Raises:
        UnknownName: there is none.
    """
    if name == AUTO:
        return Decoder(_decode_by_shape, single=True)
    if name in registry.format_names():
        return Decoder(registry.format(name).decode, single=True)
    if name in registry.vendor_names():
        return Decoder(registry.vendor(name).parse, single=False)
    raise UnknownName("format", name, (AUTO, *registry.format_names(), *registry.vendor_names()))


def _decode_by_shape(raw: Any) -> list[Item]:
    return told_by_shape(raw).decode(raw)


def told_by_shape(raw: Any) -> Format:
    """The one format that recognises a record.

    Raises:
        InputError: none does, or several do; nothing is guessed.
    """
    formats = [registry.format(name) for name in registry.format_names()]
    found = [(form, reason) for form in formats if (reason := form.detect(raw))]
    if len(found) == 1:
        return found[0][0]
    vendors = ", ".join(registry.vendor_names())
    way_out = f"name it with format= or --from (the vendors {vendors} have to be named, too)"
    if found:
        claims = " and ".join(f"{form.name} ({reason})" for form, reason in found)
        raise InputError(f"could be of several formats, {claims}; {way_out}")
    known = ", ".join(form.name for form in formats)
    raise InputError(
        f"is of no format that I know: looked for {known}, saw {_seen(raw)}; {way_out}"
    )


def _seen(raw: Any) -> str:
    if not isinstance(raw, dict):
        return f"a {type(raw).__name__}"
    keys = ", ".join(list(raw)[:10]) or "no keys"
    return f"an object with {keys}" + (", …" if len(raw) > 10 else "")
