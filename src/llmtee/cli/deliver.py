"""``llmtee deliver``: delivery as a process of its own, beside applications that only record."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer

from llmtee import config, registry
from llmtee.cli import _console as console
from llmtee.cli._deliver import show_report
from llmtee.cli._options import DirArgument, JsonOption, exporters_named
from llmtee.cli._run import SOME_FAILED, complain
from llmtee.delivery import FlushReport
from llmtee.errors import UsageError
from llmtee.spec import ExporterSettings
from llmtee.tee import Tee


def deliver(
    directory: DirArgument = None,
    *,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="NAME[,...]",
            help="Vendors, and sections of the settings file such as honeyhive.eu; by default all that have a key.",
        ),
    ] = None,
    grace: Annotated[
        float,
        typer.Option(
            min=0,
            help="Seconds that what is pending gets after SIGTERM or Ctrl-C. A second one ends at once.",
        ),
    ] = 10.0,
    once: Annotated[
        bool,
        typer.Option("--once", help="Deliver what is there, within the grace time, and end."),
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Deliver from an event log that other processes write.

    They open it with Tee(..., deliver=False). What is not delivered when this ends waits in the log.

    Example: llmtee deliver /var/lib/myapp/llmtee --to honeyhive,inkeep
    """
    exporters = _exporters(to)
    with Tee(exporters, dir=directory) as tee:
        if tee.stats().directory is None:
            complain("an event log in memory is of no use here")
            return SOME_FAILED
        # The handlers first: who sees the line below may end this process.
        with _until_told_to_end() as end:
            tee.start()
            names = ", ".join(settings.exporter for settings in exporters)
            if not as_json:
                console.line(f"delivering from {config.event_log_dir(directory)} to {names}")
                console.out.file.flush()
            if not once:
                end.wait()
                if not as_json:
                    console.line(f"ending within {grace:g} s, or at once when told again")
                    console.out.file.flush()
            report = tee.close(timeout=grace)
    _show(report, as_json)
    return SOME_FAILED if once and not report else 0


def _exporters(to: str | None) -> list[ExporterSettings]:
    if to is not None:
        return exporters_named(to, need_key=True)
    vendors = [registry.vendor(name) for name in registry.vendor_names()]
    names = [[one.name, *config.exporter_names(one.settings)] for one in vendors]
    found = exporters_named(",".join(name for own in names for name in own), need_key=False)
    with_key = [settings for settings in found if settings.api_key is not None]
    if not with_key:
        raise UsageError(
            "no vendor has a key: set a variable such as VOKER_API_KEY, write api_key into the settings file, "
            "or name vendors with --to"
        )
    return with_key


@contextmanager
def _until_told_to_end() -> Iterator[threading.Event]:
    end = threading.Event()

    def told(number: int, frame: FrameType | None) -> None:
        if end.is_set():
            raise SystemExit(128 + number)
        end.set()

    before = {number: signal.signal(number, told) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield end
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _show(report: FlushReport, as_json: bool) -> None:
    if as_json:
        console.print_json(report.to_json())
        return
    show_report(report)
    if not report:
        complain("what is pending waits in the event log")
