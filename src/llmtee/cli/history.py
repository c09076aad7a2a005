"""``llmtee history``: what a vendor has, or an event log, as a file."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from llmtee import bulk
from llmtee.cli import _console as console
from llmtee.cli._log import when
from llmtee.cli._options import JsonOption, log_of, settings_of, vendor_of
from llmtee.cli._run import complain
from llmtee.delivery.recorded import EventLog
from llmtee.errors import LlmteeError
from llmtee.spec import ExporterSettings, Page, Window


def history(
    source: Annotated[
        str, typer.Argument(help="A vendor, a section such as honeyhive.eu, or log:DIR.")
    ],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="File to write, JSON Lines.")
    ],
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only what began since then: 2026-01-31, or 90d ago."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only what began before; by default now.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an interrupted run ended.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Read a vendor's history, or an event log, into a file.

    OUT is in the format llmtee, which `llmtee convert`, `send` and `explain` read. It appears when it is complete. An
    event log is only looked at.

    Example: llmtee history honeyhive --since 2026-01-01 -o honeyhive.jsonl
    """
    window, found = _window(since, until), _source(source)
    notes: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    shown = Progress(*columns, TimeRemainingColumn(), console=console.err, transient=True)
    shown.disable = not console.err.is_terminal
    with shown as progress:
        task = progress.add_task(source, total=None)

        def tell(done: bulk.Exported, page: Page) -> None:
            progress.update(task, completed=done.items, total=done.total)
            for note in page.notes:
                notes.append(note)
                complain(f"{source}: {note}")

        try:
            done = bulk.export(found, output, window, resume=resume, on_page=tell)
        except (LlmteeError, KeyboardInterrupt):
            if output.with_name(output.name + bulk.STATE).exists():
                complain(f"{output} is not complete yet; the same command with --resume goes on")
            raise
    for kind, count in done.left_out.items():
        complain(f"{count:,} of the kind {kind} are no events, and are not in {output}")
    if as_json:
        told: dict[str, Any] = {"written": done.items, "output": str(output), "notes": notes}
        console.print_json({**told, "left_out": dict(done.left_out)})
    else:
        console.line(f"{console.plural(done.items, 'item')} written to {output}")


def _source(name: str) -> ExporterSettings | EventLog:
    log = log_of(name)
    return log or settings_of(vendor_of(name), name=name, need_key=True)


def _window(since: str | None, until: str | None) -> Window:
    now = time.time()
    begin, end = (
        None if text is None else dt.datetime.fromtimestamp(when(text, option, now), dt.UTC)
        for text, option in ((since, "--since"), (until, "--until"))
    )
    return bulk.window_of(begin, end)
