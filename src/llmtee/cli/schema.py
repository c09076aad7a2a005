"""``llmtee schema``: JSON Schemas of the canonical model and of what vendors take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmtee import jsontext
from llmtee._data_files import data_dir
from llmtee.cli import _console as console
from llmtee.cli._options import JsonOption
from llmtee.errors import UnknownName


def schema(
    name: Annotated[
        str | None, typer.Argument(help="Such as event or inkeep/conversation; all by default.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print JSON Schemas of our model and of vendors.

    Example: llmtee schema inkeep/conversation
    """
    found = _schemas()
    if name is not None:
        if name not in found:
            raise UnknownName("schema", name, found)
        console.print_json(jsontext.loads(found[name].read_bytes()))
        return
    described = {name: jsontext.loads(path.read_bytes()) for name, path in found.items()}
    if as_json:
        console.print_json(
            [
                {"name": name, "title": text.get("title"), "file": str(found[name])}
                for name, text in described.items()
            ]
        )
        return
    console.show(
        console.table("schema", "what it is"),
        [(name, text.get("title")) for name, text in described.items()],
    )
    console.line("\nllmtee schema NAME prints one", "dim")


def _schemas() -> dict[str, Path]:
    """``event`` and ``conversation``, and ``<vendor>/<file>``."""
    folder = data_dir("schemas")
    canonical = {path.stem: path for path in sorted((folder / "canonical").glob("*.json"))}
    vendors = {
        f"{path.parent.name}/{path.stem}": path
        for path in sorted((folder / "vendors").glob("*/*.json"))
    }
    return canonical | vendors
