"""Writes what follows from the code: ``schemas/canonical/*.json``, ``schemas/arrow/*.json``, ``docs/vendors.md``, and the tables in other pages.

``python tools/generate.py`` writes them; with ``--check`` it writes nothing, and exits 1 naming those that are stale.
"""

# ruff: noqa: INP001 - a script, not part of a package

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import formats_page
from pydantic import SecretStr, TypeAdapter
from pydantic.fields import FieldInfo

from llmtee import jsontext, registry
from llmtee.frames import COLUMNS, KEY, VERSION, SchemaName
from llmtee.model import Conversation, Event, Supplement
from llmtee.spec import Env, Vendor

ROOT = Path(__file__).resolve().parents[1]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_GENERATED = "<!-- Written by tools/generate.py from the code; change the code. -->"


def generated() -> dict[str, str]:
    """The text of every generated file, by its path from the root of the repository."""
    return {
        "schemas/canonical/event.json": _schema("llmtee event", Event),
        "schemas/canonical/conversation.json": _schema("llmtee conversation", Conversation),
        "schemas/canonical/supplement.json": _schema("llmtee supplement", Supplement),
        **{f"schemas/arrow/{name}.json": _arrow(name) for name in COLUMNS},
        "docs/vendors.md": "\n".join([*_vendors_page(), ""]),
        **{
            name: formats_page.filled((ROOT / name).read_text(encoding="utf-8"))
            for name in ("docs/formats.md", "docs/model.md", "docs/arrow.md")
        },
    }


def _schema(title: str, kind: Any) -> str:
    schema = TypeAdapter(kind).json_schema(mode="validation")
    for model in (schema, *schema["$defs"].values()):
        tags = [tag for tag in ("kind", "type") if "const" in _property(model, tag)]
        if tags:  # always written, and what tells the members of a union apart
            model["required"] = sorted({*tags, *model.get("required", ())})
    return jsontext.dumps_pretty({"$schema": _DIALECT, **schema, "title": title}) + "\n"


def _arrow(name: SchemaName) -> str:
    columns = [
        {"name": column.name, "type": column.type, "nullable": True, "description": column.doc}
        for column in COLUMNS[name]
    ]
    metadata = {KEY.decode(): f"{name}/{VERSION}"}
    return jsontext.dumps_pretty({"metadata": metadata, "columns": columns}) + "\n"


def _property(model: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = model.get("properties", {}).get(name, {})
    return found


def _vendors_page() -> Iterator[str]:
    vendors = [registry.vendor(name) for name in registry.vendor_names()]
    yield from ("# Vendors", "", _GENERATED, "")
    yield "What each vendor takes and what its API lets one do. What it *keeps* of an item: `llmtee explain`."
    yield ""
    yield "| | grain | written | recognises a repetition by | dates in the past | reads back |"
    yield "|---|---|---|---|---|---|"
    for vendor in vendors:
        card = vendor.capabilities(vendor.settings())
        yield _row(
            f"[{vendor.title}](#{vendor.name})",
            vendor.grain,
            _when(vendor),
            card.idempotent_by or "nothing: sent twice is stored twice",
            _yes(card.past_times),
            _yes(card.reads_back),
        )
    for vendor in vendors:
        yield from _vendor_section(vendor)


def _vendor_section(vendor: Vendor[Any]) -> Iterator[str]:
    card = vendor.capabilities(vendor.settings())
    yield from (
        "",
        f"## {vendor.title}",
        "",
        f"`llmtee.{vendor.settings.__name__}`, in commands `{vendor.name}`.",
    )
    if vendor.docs:
        yield from ("", f"The vendor's own page: <{vendor.docs}>")
    if card.notes:
        yield ""
        yield from (f"- {note}" for note in card.notes)
    retry = vendor.retry
    tries = f"after {retry.attempts} tries" if retry.attempts else "never by count"
    yield from (
        "",
        "| limit or policy | value |",
        "|---|---|",
        _row("items in a request", str(vendor.limits.items)),
        _row("bytes of a request", f"{vendor.limits.bytes:,}"),
        _row("requests at a time", str(vendor.limits.concurrency)),
        _row("one answer can accept some items and refuse others", _yes(card.partial_answers)),
        _row(
            "waits between tries",
            f"{retry.initial:g} s, times {retry.multiplier:g} each, at most {retry.maximum:g} s,"
            f" plus up to {retry.jitter:g} s at random",
        ),
        _row("gives up", f"{tries}, and after {retry.give_up_after / 3600:g} h"),
        _row(
            "free-form fields, where values are parked", _codes(_heads(vendor.free_form)) or "none"
        ),
        _row("carry (see fidelity.md)", f"`{vendor.carry.path}`" if vendor.carry else "no place"),
        "",
        "| setting | variable | default | |",
        "|---|---|---|---|",
    )
    for name, setting in vendor.settings.model_fields.items():
        yield _row(
            f"`{name}`", _variables(setting), _default(vendor, name, setting), _described(setting)
        )


def _heads(paths: tuple[str, ...]) -> list[str]:
    """The paths; of several in one field, the field."""
    heads = [path.partition(".")[0] for path in paths]
    found = (h if heads.count(h) > 1 else p for p, h in zip(paths, heads, strict=True))
    return list(dict.fromkeys(found))


def _when(vendor: Vendor[Any]) -> str:
    if vendor.grain == "event":
        return "each event once"
    if vendor.send_when == "ended":
        return f"once, when it ended: told, or after {vendor.quiet:g} s of quiet"
    patience = f", at most {vendor.patience:g} s behind" if vendor.patience is not None else ""
    return f"whenever it changed, after {vendor.quiet:g} s of quiet{patience}"


def _variables(setting: FieldInfo) -> str:
    return _codes(
        name for marker in setting.metadata if isinstance(marker, Env) for name in marker.names
    )


def _default(vendor: Vendor[Any], name: str, setting: FieldInfo) -> str:
    limits = {"concurrency": "concurrency", "max_items": "items", "max_bytes": "bytes"}
    if name in limits:
        return f"`{getattr(vendor.limits, limits[name])}`"
    if name in ("quiet", "patience"):
        seconds = getattr(vendor, name) if vendor.grain == "conversation" else None
        return "none" if seconds is None else f"`{seconds:g}`"
    if name == "name":
        return f"`{vendor.name!r}`"
    if SecretStr in getattr(setting.annotation, "__args__", ()):
        return "none; needed to send"
    return f"`{setting.default!r}`"


def _described(setting: FieldInfo) -> str:
    text = " ".join((setting.description or "").split())
    return text.replace("``", "`")


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _codes(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def main(arguments: list[str]) -> int:
    """Writes or checks; the exit code."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python tools/generate.py [--check]\n")
        return 2
    stale = []
    for name, text in generated().items():
        path = ROOT / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for name in stale:
        sys.stdout.write(f"{'stale' if arguments else 'wrote'}: {name}\n")
    return 1 if arguments and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
