"""``llmtee convert``: files to files, no network."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from llmtee import bulk
from llmtee.cli import _console as console
from llmtee.cli._input import Detected, Failures
from llmtee.cli._options import (
    STDIN,
    CarryOption,
    FromOption,
    InArgument,
    JsonOption,
    MapOption,
    RedactOption,
    SampleOption,
    WhereOption,
    existing,
    leaving_of,
    mapping_of,
)
from llmtee.cli._progress import followed
from llmtee.cli._run import complain
from llmtee.errors import UsageError

_STDOUT = "-"


def convert(
    sources: InArgument,
    *,
    target: Annotated[
        str, typer.Option("--to", metavar="TARGET", help="A vendor, or a format that is written.")
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="OUT", help="File to write; - is stdout.")
    ] = _STDOUT,
    source_format: FromOption = "auto",
    mapping: MapOption = None,
    carry: CarryOption = False,
    where: WhereOption = None,
    sample: SampleOption = 1.0,
    redact: RedactOption = None,
    as_json: JsonOption = False,
) -> int:
    """Turn files of one shape into a file of another.

    OUT is JSON Lines. It appears when it is complete. Nothing is sent.

    Example: llmtee convert logs.jsonl --to inkeep -o inkeep.jsonl
    """
    if as_json and output == _STDOUT:
        raise UsageError("--json needs -o FILE: without it, stdout holds the records")
    leaving = leaving_of(where, sample, redact)
    columns = mapping_of(mapping)
    paths = existing(sources)
    _spare_inputs(paths, output)
    failures, detected = Failures(), Detected()
    try:
        with followed(paths) as opened:
            report = bulk.convert(
                opened,
                output,
                source=source_format,
                mapping=columns,
                target=target,
                **leaving,
                carry=carry,
                on_error=failures.add,
                on_detect=detected.add,
            )
    except KeyboardInterrupt:
        if output != _STDOUT:
            complain(f"{output} was not written")
        raise
    failures.end()
    if as_json:
        counts = asdict(report)
        del counts["errors"]
        console.print_json({**counts, "failed": failures.to_json(), "output": output})
    elif output != _STDOUT:
        read, written = (
            console.plural(report.read, "item"),
            console.plural(report.records, "record"),
        )
        console.line(f"{read} read, {written} written to {output}")
        for reason, count in report.skipped.items():
            console.line(f"skipped {count:,}: {reason}")
    return failures.code


def _spare_inputs(paths: list[str], output: str) -> None:
    if output == _STDOUT or not Path(output).exists():
        return
    for path in paths:
        if path != STDIN and Path(path).samefile(output):
            raise UsageError(f"-o {output} would overwrite an input; name another file")
