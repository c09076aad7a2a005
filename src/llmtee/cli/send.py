"""``llmtee send``: files to vendors."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from llmtee.cli import _console as console
from llmtee.cli._deliver import deliver
from llmtee.cli._input import Input
from llmtee.cli._options import (
    CarryOption,
    FromOption,
    InArgument,
    JsonOption,
    MapOption,
    RedactOption,
    SampleOption,
    WhereOption,
    exporters_named,
    leaving_of,
)
from llmtee.cli._plan import plan
from llmtee.cli._run import SOME_FAILED


def send(
    sources: InArgument,
    *,
    to: Annotated[str, typer.Option("--to", metavar="VENDOR[,...]", help="Vendors to send to.")],
    source_format: FromOption = "auto",
    mapping: MapOption = None,
    where: WhereOption = None,
    sample: SampleOption = 1.0,
    redact: RedactOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be sent; nothing leaves.")
    ] = False,
    carry: CarryOption = False,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--dir", help="Event log, where what fails waits; a temporary one by default."
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for the vendors.")] = 600.0,
    as_json: JsonOption = False,
) -> int:
    """Deliver what files hold to vendors.

    Conversations are assembled for the vendors that take conversations.

    Example: llmtee send logs.jsonl --to honeyhive,roark --dry-run
    """
    leaving = leaving_of(where, sample, redact)
    exporters = exporters_named(to, need_key=not dry_run, carry=carry, leaving=leaving)
    given = Input(sources, source_format, mapping)
    if dry_run:
        planned = plan(given, exporters)
        if as_json:
            console.print_json({**planned.to_json(), **given.to_json()})
        else:
            planned.show()
        return given.failures.code
    with TemporaryDirectory(prefix="llmtee-") as temporary:
        # What is taken out is not kept in the event log either.
        own = leaving.get("redact")
        sent = deliver(given, exporters, directory or Path(temporary), timeout, redact=own)
    if as_json:
        console.print_json({**sent.to_json(), **given.to_json()})
    else:
        sent.show(kept_in=directory)
    return given.failures.code if sent.ok else SOME_FAILED
