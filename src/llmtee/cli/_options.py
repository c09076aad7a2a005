"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from llmtee import config, registry
from llmtee.errors import UsageError
from llmtee.spec import Env, ExporterSettings, Vendor

JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
FromOption: TypeAlias = Annotated[
    str, typer.Option("--from", help="Format of the input; see `llmtee formats`.", metavar="FORMAT")
]
CarryOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--carry", help="Park what the vendor's fields cannot say, so that it reads back."
    ),
]
InArgument: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="IN...", help="Files of JSON Lines; - is stdin.")
]

STDIN = "-"


def existing(paths: list[str]) -> list[str]:
    """The paths, once each of them was seen to be there.

    Raises:
        UsageError: one is no file.
    """
    for path in paths:
        if path == STDIN:
            continue
        if not Path(path).exists():
            raise UsageError(f"{path}: no such file")
        if Path(path).is_dir():
            raise UsageError(f"{path}: is a folder; name the files in it, such as {path}/*.jsonl")
    return paths


def vendors_named(names: str) -> list[Vendor[Any]]:
    """The vendors of a list such as ``inkeep,roark``, each once.

    Raises:
        UnknownName: one of them is not registered.
        UsageError: the list is empty.
    """
    wanted = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    if not wanted:
        raise UsageError("--to names no vendor; see `llmtee vendors list`")
    return [registry.vendor(name) for name in wanted]


def settings_of(vendor: Vendor[Any], *, need_key: bool, carry: bool = False) -> ExporterSettings:
    """The vendor's settings as the environment and the settings file have them, and ``carry`` where it is asked for.

    Raises:
        ConfigError: the key is missing though it is needed, or a value is invalid.
    """
    resolved: ExporterSettings = config.resolve(
        vendor.settings(carry=True) if carry else vendor.settings(), need_key=need_key
    )
    return resolved


def variables(settings: type[ExporterSettings], field: str) -> tuple[str, ...]:
    """The environment variables that a setting is read from."""
    markers = settings.model_fields[field].metadata
    return tuple(name for marker in markers if isinstance(marker, Env) for name in marker.names)
