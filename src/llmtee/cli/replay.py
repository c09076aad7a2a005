"""``llmtee replay``: what was delivered, once more; or what was recorded before an exporter was added."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated, Any

import typer

from llmtee.cli import _console as console
from llmtee.cli._log import event_log, when
from llmtee.cli._options import DirArgument, JsonOption, settings_of, vendor_of
from llmtee.cli._run import complain
from llmtee.delivery import Exporter
from llmtee.errors import UsageError
from llmtee.eventlog import Period, Replayed
from llmtee.spec import Vendor


def replay(
    directory: DirArgument = None,
    *,
    start: Annotated[
        str,
        typer.Option(
            "--from", metavar="TIME", help="Recorded since: 2026-11-20T10:00Z, or 2h ago."
        ),
    ],
    to: Annotated[
        str, typer.Option("--to", metavar="NAME", help="Vendor, or section such as honeyhive.eu.")
    ],
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Recorded before; by default no end.")
    ] = None,
    session: Annotated[str | None, typer.Option(metavar="ID", help="Only this session.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Also where the vendor will hold them twice.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make events of a time pending again at one vendor, or for the first time.

    Whichever process delivers then sends them; a conversation goes whole. An exporter that is new to the event log
    is added. What is dead or unknown there is left alone: see `llmtee dead retry`.

    Example: llmtee replay /var/lib/myapp/llmtee --from 2h --to inkeep --dry-run
    """
    now = time.time()
    vendor = vendor_of(to)
    settings = settings_of(vendor, name=to, need_key=False)
    period = Period(
        start=when(start, "--from", now),
        end=None if until is None else when(until, "--until", now),
        session=session,
    )
    if period.end is not None and period.end <= period.start:
        raise UsageError("--until must be later than --from")
    twice = _twice(vendor, settings)
    subscription = Exporter(vendor=vendor, settings=settings).subscription
    with event_log(directory) as log:
        counted = log.replay(subscription, period, dry_run=True)
        if counted.again and twice and not dry_run and not yes:
            raise UsageError(
                f"{vendor.title} {twice}, so it would hold {_events(counted.again)} twice; --yes if you want that"
            )
        replayed = counted if dry_run else log.replay(subscription, period)
    if as_json:
        console.print_json(
            {**asdict(replayed), "exporter": to, "dry_run": dry_run, "stored_twice": bool(twice)}
        )
        return
    if replayed.again and twice:
        complain(f"{vendor.title} {twice}, so it holds {_events(replayed.again)} twice then")
    console.line(_told(replayed, to, dry_run))


def _twice(vendor: Vendor[Any], settings: Any) -> str | None:
    """Why a repetition is stored once more; ``None`` where it is not."""
    if vendor.semantics == "upsert" or vendor.capabilities(settings).idempotent_by is not None:
        return None
    return "does not recognise a repetition"


def _events(count: int) -> str:
    return console.plural(count, "event")


def _told(replayed: Replayed, to: str, dry_run: bool) -> str:
    verb = "would be" if dry_run else "is" if replayed.again + replayed.added == 1 else "are"
    whole = f", in {console.plural(replayed.conversations, 'conversation')}"
    return (
        f"{_events(replayed.again + replayed.added)} {verb} pending at {to}"
        + (whole if replayed.conversations else "")
        + f": {replayed.again:,} delivered before, {replayed.added:,} from before it was added"
    )
