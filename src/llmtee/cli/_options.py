"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
from pydantic import ValidationError

from llmtee import config, registry
from llmtee.delivery.recorded import EventLog
from llmtee.errors import UnknownName, UsageError
from llmtee.privacy import Redaction, Where
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

WhereOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="FILTER",
        help="Only these, such as 'agent=support tag=eu errors'; also session=, person=, kind=.",
    ),
]
SampleOption: TypeAlias = Annotated[
    float, typer.Option("--sample", min=0, max=1, help="Share of sessions; what failed is kept.")
]
RedactOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--redact",
        metavar="NAME[,...]",
        help="Take these out: api_key, bearer, card, email, ip, password, phone; secrets, personal, all; "
        "or fields such as properties.notes.",
    ),
]

DirArgument: TypeAlias = Annotated[
    Path | None,
    typer.Argument(
        metavar="DIR", help="Event log; else LLMTEE_DIR, else the settings file, else ./.llmtee."
    ),
]
DirOption: TypeAlias = Annotated[
    Path | None, typer.Option("--dir", help="Event log; by default as for `llmtee status`.")
]

STDIN = "-"
LOG = "log:"
"""Begins what names an event log among sources."""


def log_of(source: str) -> EventLog | None:
    """The event log that ``log:DIR`` names; ``log:`` alone is the one of the settings. ``None``: it names none."""
    return EventLog(source.removeprefix(LOG) or None) if source.startswith(LOG) else None


def existing(paths: list[str]) -> list[str]:
    """The paths, once each of them was seen to be there.

    Raises:
        UsageError: one is no file.
    """
    for path in paths:
        if path == STDIN:
            continue
        if path.startswith(LOG):
            raise UsageError(f"{path}: write it to a file first: llmtee history {path} -o FILE")
        if not Path(path).exists():
            raise UsageError(f"{path}: no such file")
        if Path(path).is_dir():
            raise UsageError(f"{path}: is a folder; name the files in it, such as {path}/*.jsonl")
    return paths


def listed(names: str) -> list[str]:
    """The names of a list such as ``inkeep,roark``, each once.

    Raises:
        UsageError: the list is empty.
    """
    wanted = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    if not wanted:
        raise UsageError("--to names no vendor; see `llmtee vendors list`")
    return wanted


def exporters_named(
    names: str, *, need_key: bool, carry: bool = False, leaving: Mapping[str, Any] | None = None
) -> list[ExporterSettings]:
    """The exporters of a list: vendors, and sections of the settings file such as ``honeyhive.eu``.

    Raises:
        UnknownName: there is no such vendor or section.
        UsageError: the list is empty.
        ConfigError: as `settings_of`.
    """
    return [
        settings_of(vendor_of(name), name=name, need_key=need_key, carry=carry, leaving=leaving)
        for name in listed(names)
    ]


def vendor_of(name: str) -> Vendor[Any]:
    """The vendor of an exporter's name.

    Raises:
        UnknownName: there is no such vendor, or no such section in the settings file.
    """
    vendors = registry.vendor_names()
    owner = name if name in vendors else name.partition(".")[0]
    if owner not in vendors:
        return registry.vendor(name)  # says which there are
    vendor = registry.vendor(owner)
    known = [owner, *config.exporter_names(vendor.settings)]
    if name not in known:
        raise UnknownName("exporter", name, known)
    return vendor


def settings_of(
    vendor: Vendor[Any],
    *,
    name: str | None = None,
    need_key: bool,
    carry: bool = False,
    leaving: Mapping[str, Any] | None = None,
) -> ExporterSettings:
    """The vendor's settings as the environment and the settings file have them, with what the command line gave.

    Args:
        vendor: whose.
        name: of the exporter, where it is a section of the settings file.
        need_key: whether a missing key is an error.
        carry: whether it was asked for; else the settings decide.
        leaving: settings that the command line gave, as `leaving_of` has them.

    Raises:
        ConfigError: the key is missing though it is needed, or a value is invalid.
    """
    given = dict(leaving or {})
    if name not in (None, vendor.name):
        given["name"] = name
    if carry:
        given["carry"] = True
    resolved: ExporterSettings = config.resolve(
        vendor.settings.model_validate(given), need_key=need_key
    )
    return resolved


def leaving_of(where: str | None, sample: float, redact: str | None) -> dict[str, Any]:
    """What may leave, from the command line: settings ``where``, ``sample`` and ``redact``, those that were given.

    Raises:
        UsageError: one cannot be read.
    """
    found: dict[str, Any] = {} if sample == 1 else {"sample": sample}
    for option, kind, text in (("where", Where, where), ("redact", Redaction, redact)):
        if text is None:
            continue
        try:
            found[option] = kind.model_validate(text)
        except ValidationError as error:
            raise UsageError(f"--{option}: {error.errors()[0]['msg']}") from None
    return found


def variables(settings: type[ExporterSettings], field: str) -> tuple[str, ...]:
    """The environment variables that a setting is read from."""
    markers = settings.model_fields[field].metadata
    return tuple(name for marker in markers if isinstance(marker, Env) for name in marker.names)
