"""``llmtee status``: where the events of an event log stand, and how delivery fares."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.live import Live

from llmtee.cli import _console as console
from llmtee.cli._log import event_log
from llmtee.cli._options import DirArgument, JsonOption
from llmtee.cli._prometheus import exposition
from llmtee.cli._status import view
from llmtee.delivery import Stats, look
from llmtee.errors import UsageError
from llmtee.eventlog import SqliteLog

_OF_A_TEE = {
    *("delivering", "recorded", "held", "refused", "redaction_failures", "duplicates", "bugs"),
    *("hook_failures", "hook_drops"),
}
"""What only the process itself knows that records: no word of it here is better than a zero."""


def status(
    directory: DirArgument = None,
    *,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Look again and again, until Ctrl-C.")
    ] = False,
    interval: Annotated[float, typer.Option(min=0.05, help="Seconds between two looks.")] = 1.0,
    prometheus: Annotated[
        bool, typer.Option("--prometheus", help="Answer in Prometheus's text format.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show where the events of an event log stand, and how delivery fares.

    Looks only: it works beside the process that delivers, whichever that is, and takes nothing from it.
    With --watch --json, each look is a line.

    Example: llmtee status /var/lib/myapp/llmtee --watch
    """
    if prometheus and (as_json or watch):
        raise UsageError("--prometheus goes with neither --json nor --watch")
    with event_log(directory) as log:
        if watch:
            _watch(log, interval, as_json)
            return
        stats = look(log, time.time())
    if prometheus:
        console.out.file.write(exposition(stats))
    elif as_json:
        console.print_json(_json(stats))
    else:
        console.out.print(view(stats))


def _watch(log: SqliteLog, interval: float, as_json: bool) -> None:
    try:
        if as_json:
            while True:
                console.print_json_line(_json(look(log, time.time())))
                time.sleep(interval)
        if not console.out.is_terminal:
            while True:
                console.out.print(view(look(log, time.time())))
                console.line()
                console.out.file.flush()
                time.sleep(interval)
        with Live(view(look(log, time.time())), console=console.out, auto_refresh=False) as live:
            while True:
                time.sleep(interval)
                live.update(view(look(log, time.time())), refresh=True)
    except KeyboardInterrupt:
        return


def _json(stats: Stats) -> dict[str, Any]:
    return {name: value for name, value in stats.to_json().items() if name not in _OF_A_TEE}
