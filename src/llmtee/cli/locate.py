"""``llmtee locate``: where one event stands."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated

import typer

from llmtee.cli import _console as console
from llmtee.cli._log import clock, event_log, span
from llmtee.cli._options import DirArgument, JsonOption
from llmtee.cli._run import DONE, SOME_FAILED, complain
from llmtee.eventlog import Location


def locate(
    event_id: Annotated[str, typer.Argument(metavar="EVENT_ID", help="As `record` gave it back.")],
    directory: DirArgument = None,
    as_json: JsonOption = False,
) -> int:
    """Say where one event stands at each exporter, with the vendor's own id.

    Example: llmtee locate 01936f3e-7a1c-7b55-9d3c-0c8f6f1b2a3d
    """
    with event_log(directory) as log:
        found = log.locate(event_id)
        place = log.place
    if found is None:
        complain(f"no event {event_id} in {place}: it was never recorded there, or has expired")
        return SOME_FAILED
    if as_json:
        console.print_json(found.to_json())
        return DONE
    console.facts(
        [
            ("event", found.id),
            (
                "session",
                "in the journal, not decoded yet" if found.session is None else found.session,
            ),
            *([] if found.recorded_at is None else [("recorded", clock(found.recorded_at))]),
        ]
    )
    console.out.print()
    console.show(
        console.table("exporter", "stands", "vendor's id", "why"),
        [
            (name, one.outcome or "not its own", one.vendor_id, "; ".join(_why(one)))
            for name, one in found.exporters.items()
        ],
    )
    return DONE


def _why(one: Location) -> Iterator[str]:
    if one.outcome is None:
        yield "recorded before the exporter was added; see `llmtee replay`"
    if one.reason:
        yield one.reason
    if one.attempts:
        yield f"{console.plural(one.attempts, 'try')} so far"
    if one.outcome == "pending" and one.due_at and (left := one.due_at - time.time()) > 0:
        yield f"again in {span(left)}"
