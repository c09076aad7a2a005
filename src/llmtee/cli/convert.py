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
from llmtee.cli._progress import rated
from llmtee.cli._run import complain
from llmtee.errors import ConversionStopped, UsageError

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
    assemble: Annotated[
        bool,
        typer.Option(
            "--assemble", help="One conversation for each session; Inkeep and Roark have it anyway."
        ),
    ] = False,
    mapping: MapOption = None,
    carry: CarryOption = False,
    where: WhereOption = None,
    sample: SampleOption = 1.0,
    redact: RedactOption = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Processes; the output is the same.")
    ] = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an interrupted run ended.")
    ] = False,
    errors: Annotated[
        str | None,
        typer.Option(
            "--errors",
            metavar="FILE",
            help="Bad records, with reason and original; OUT.errors.jsonl by default.",
        ),
    ] = None,
    max_errors: Annotated[
        int | None, typer.Option("--max-errors", min=1, metavar="N", help="Stop at N errors.")
    ] = None,
    session_limit: Annotated[
        int, typer.Option("--session-limit", min=1, metavar="MB", help="Of a session's events.")
    ] = bulk.SESSION_LIMIT // 1_000_000,
    as_json: JsonOption = False,
) -> int:
    """Turn files of one shape into a file of another.

    OUT is JSON Lines, packed where it ends in .gz or .zst. It appears when it is complete. Nothing is sent.

    Example: llmtee convert logs.jsonl --to inkeep -o inkeep.jsonl
    """
    if as_json and output == _STDOUT:
        raise UsageError("--json needs -o FILE: without it, stdout holds the records")
    leaving = leaving_of(where, sample, redact)
    columns = mapping_of(mapping)
    paths = existing(sources)
    _spare_inputs(paths, output)
    if not resume:
        _mention(output)
    side = errors or _side_file(output)
    failures, detected = Failures(), Detected()
    stopped: ConversionStopped | None = None
    try:
        with rated() as progress:
            report = bulk.convert(
                paths,
                output,
                source=source_format,
                mapping=columns,
                target=target,
                **leaving,
                carry=carry,
                assemble=assemble,
                workers=workers,
                resume=resume,
                errors=side,
                max_errors=max_errors,
                session_limit=session_limit * 1_000_000,
                on_error=failures.add,
                on_detect=detected.add,
                on_progress=progress,
            )
    except KeyboardInterrupt:
        failures.end()
        complain(_left(output))
        raise
    except ConversionStopped as error:
        if error.report is None:
            complain(_left(output))
            raise
        stopped, report = error, error.report
    failures.end()
    _conclude(report, failures, output=output, side=side, stopped=stopped, as_json=as_json)
    return failures.code


def _conclude(
    report: bulk.Report,
    failures: Failures,
    *,
    output: str,
    side: str | None,
    stopped: ConversionStopped | None,
    as_json: bool,
) -> None:
    side = side if report.failed else None
    if as_json:
        counts = asdict(report)
        del counts["errors"]
        told = {"failed": failures.to_json(), "output": output, "errors_file": side}
        console.print_json({**counts, **told, "stopped": None if stopped is None else str(stopped)})
    elif output != _STDOUT:
        read, written = (
            console.plural(report.read, "item"),
            console.plural(report.records, "record"),
        )
        console.line(
            f"{read} read, {written} written to {output if stopped is None else 'its partial file'}"
        )
        for reason, count in report.skipped.items():
            console.line(f"skipped {count:,}: {reason}")
        if report.failed:
            console.line(
                f"{console.plural(report.failed, 'error')}" + (f", each in {side}" if side else "")
            )
            for reason, count in report.reasons.items():
                console.line(f"  {count:,}: {reason}")
    if stopped is not None:
        complain(f"{stopped}; {_left(output)}; a larger --max-errors goes further")


def _left(output: str) -> str:
    """What an interrupted run has left, and what to do with it."""
    if output == _STDOUT:
        return "stdout has what was done until then"
    left = bulk.unfinished(output)
    if left is None:
        return f"{output} was not written"
    return (
        f"{output} was not written; {left.partial} holds what was done of it "
        f"({console.plural(left.read, 'item')} read): the same command with --resume goes on"
    )


def _mention(output: str) -> None:
    left = None if output == _STDOUT else bulk.unfinished(output)
    if left is not None and left.resumable:
        complain(
            f"{left.partial} is of a run that was interrupted after {console.plural(left.read, 'item')}; "
            "this one starts over (--resume would go on with it)"
        )


def _side_file(output: str) -> str | None:
    special = output == _STDOUT or (Path(output).exists() and not Path(output).is_file())
    return None if special else f"{output}.errors.jsonl"


def _spare_inputs(paths: list[str], output: str) -> None:
    if output == _STDOUT or not Path(output).exists():
        return
    for path in paths:
        if path != STDIN and Path(path).samefile(output):
            raise UsageError(f"-o {output} would overwrite an input; name another file")
