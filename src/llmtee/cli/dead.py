"""``llmtee dead``: what a vendor will never take, and what perhaps arrived: list, show, retry, drop, export."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from typing import Annotated, TypeAlias

import typer

from llmtee.bulk import open_sink
from llmtee.cli import _console as console
from llmtee.cli._letters import brief, write_letters
from llmtee.cli._log import check_exporter, clock, event_log, span, when
from llmtee.cli._options import DirArgument, DirOption, JsonOption
from llmtee.cli._run import DONE, SOME_FAILED, command, complain
from llmtee.errors import UsageError
from llmtee.eventlog import DeadLetter, Mended, Selection, SqliteLog

app = typer.Typer(
    add_completion=False,
    help="Dead letters: list them, look at one, try again, drop, export.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_REASON_CHARACTERS = 200

ExporterOption: TypeAlias = Annotated[
    str | None, typer.Option("--exporter", "--to", metavar="NAME", help="Only of this exporter.")
]
ReasonOption: TypeAlias = Annotated[
    str | None, typer.Option("--reason", metavar="TEXT", help="Only with this in the reason.")
]
SinceOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="TIME", help="Only since: 2026-11-20T10:00Z, or 2h for so long ago."
    ),
]
UnknownOption: TypeAlias = Annotated[
    bool, typer.Option("--unknown", help="Instead: what perhaps arrived, its answer was lost.")
]
IdsArgument: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", help="Of the event, or the name of the session."),
]
AllOption: TypeAlias = Annotated[bool, typer.Option("--all", help="All that the options select.")]


def listing(
    directory: DirArgument = None,
    *,
    also: DirOption = None,
    exporter: ExporterOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    unknown: UnknownOption = False,
    as_json: JsonOption = False,
) -> None:
    """List dead letters: what, since when, and why.

    Example: llmtee dead list --exporter honeyhive --reason 422 --since 2h
    """
    with event_log(directory or also) as log:
        letters = log.letters(_selection(log, None, exporter, reason, since, unknown), whole=False)
    if as_json:
        console.print_json([brief(letter) for letter in letters])
        return
    now, made = time.time(), console.table("exporter", "id", "age", "reason")
    made.columns[1].no_wrap = made.columns[2].no_wrap = True  # to be copied
    console.show(
        made,
        [
            (one.exporter, _name(one), span(max(0.0, now - one.at)), _short(one.reason))
            for one in letters
        ],
    )
    if letters:
        console.line("\nllmtee dead show ID tells more", "dim")


def show(
    event_id: Annotated[str, typer.Argument(metavar="ID", help="As `llmtee dead list` has it.")],
    directory: DirOption = None,
    exporter: ExporterOption = None,
    unknown: UnknownOption = False,
    as_json: JsonOption = False,
) -> int:
    """Show a dead letter: the reason, the request and the answer.

    Example: llmtee dead show 01936f3e-7a1c-7b55-9d3c-0c8f6f1b2a3d
    """
    with event_log(directory) as log:
        letters = log.letters(_selection(log, [event_id], exporter, None, None, unknown))
    if not letters:
        complain(_nothing(unknown))
        return SOME_FAILED
    if as_json:
        console.print_json([letter.to_json() for letter in letters])
        return DONE
    for letter in letters:
        console.heading(f"{letter.exporter}  {_name(letter)}")
        console.facts(
            [("since", clock(letter.at)), ("state", letter.state), ("reason", letter.reason)]
        )
        if letter.request is not None:
            console.heading(f"{letter.request.get('method')} {letter.request.get('path')}")
            console.print_json(letter.request.get("body"))
        if letter.answer is not None:
            said = letter.answer.get("status") or letter.answer.get("failure")
            console.heading(f"answer: {said}")
            console.line(str(letter.answer.get("text") or ""))
    return DONE


def retry(
    ids: IdsArgument = None,
    *,
    every: AllOption = False,
    directory: DirOption = None,
    exporter: ExporterOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    unknown: UnknownOption = False,
    as_json: JsonOption = False,
) -> int:
    """Try again: makes dead letters pending, as if they had never been tried.

    Whichever process delivers sends them. With --unknown, a vendor that does not recognise a repetition may then hold
    an event twice.

    Example: llmtee dead retry --all --exporter honeyhive --reason 'project not found'
    """
    with event_log(directory) as log:
        selection = _selection(log, _chosen(ids, every), exporter, reason, since, unknown)
        mended = log.retry(selection)
    if as_json:
        console.print_json(asdict(mended))
    else:
        console.line(f"{console.plural(mended.changed, 'item')} pending again")
    for names, why in (
        (mended.unreadable, "cannot be read, and trying again does not change that"),
        (mended.gone, "not in the log any more, only the letter is"),
    ):
        if names:
            named = list(dict.fromkeys(names))  # one for each exporter
            first = ", ".join(named[:3]) + (", …" if len(named) > 3 else "")
            complain(
                f"{console.plural(len(names), 'item')} {why} ({first}); see `llmtee dead export`"
            )
    return _code(mended, every, unknown)


def drop(
    ids: IdsArgument = None,
    *,
    every: AllOption = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    directory: DirOption = None,
    exporter: ExporterOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    unknown: UnknownOption = False,
    as_json: JsonOption = False,
) -> int:
    """Give dead letters up for good; they are counted as dropped.

    Example: llmtee dead drop 01936f3e-7a1c-7b55-9d3c-0c8f6f1b2a3d --yes
    """
    with event_log(directory) as log:
        selection = _selection(log, _chosen(ids, every), exporter, reason, since, unknown)
        count = len(log.letters(selection, whole=False))
        if count and not yes:
            if as_json or not sys.stdin.isatty():
                raise UsageError(
                    f"{console.plural(count, 'item')} would be dropped; --yes if you want that"
                )
            if not typer.confirm(f"Drop {console.plural(count, 'item')} for good?", err=True):
                complain("nothing was dropped")
                return SOME_FAILED
        mended = log.drop(selection)
    if as_json:
        console.print_json(asdict(mended))
    else:
        console.line(f"{console.plural(mended.changed, 'item')} dropped")
    return _code(mended, every, unknown)


def export(
    directory: DirArgument = None,
    *,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="OUT", help="File to write; - is stdout.")
    ] = "-",
    ids: Annotated[
        list[str] | None, typer.Option("--id", metavar="ID", help="Only this one; may be repeated.")
    ] = None,
    also: DirOption = None,
    exporter: ExporterOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    unknown: UnknownOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write dead letters as JSON Lines: each event, or record that cannot be read, with its letter beside it.

    Edit the file and `llmtee send` it: that reads the events and leaves the letters aside. Then drop the letters.

    Example: llmtee dead export -o dead.jsonl
    """
    if as_json and output == "-":
        raise UsageError("--json needs -o FILE: without it, stdout holds the events")
    with event_log(directory or also) as log:
        selection = _selection(log, ids, exporter, reason, since, unknown)
        letters = log.letters(selection, whole=False)
        with open_sink(output, None) as write:
            lines = write_letters(log, letters, write)
    if as_json:
        console.print_json({"letters": len(letters), "lines": lines, "output": output})
    elif output != "-":
        console.line(
            f"{console.plural(len(letters), 'letter')}, {console.plural(lines, 'line')} written to {output}"
        )


app.command("list")(command(listing))
app.command("show")(command(show))
app.command("retry")(command(retry))
app.command("drop")(command(drop))
app.command("export")(command(export))


def _selection(
    log: SqliteLog,
    ids: list[str] | None,
    exporter: str | None,
    reason: str | None,
    since: str | None,
    unknown: bool,
) -> Selection:
    check_exporter(log, exporter)
    return Selection(
        state="unknown" if unknown else "dead",
        exporter=exporter,
        ids=None if ids is None else frozenset(ids),
        reason=reason,
        since=None if since is None else when(since, "--since", time.time()),
    )


def _chosen(ids: list[str] | None, every: bool) -> list[str] | None:
    if bool(ids) == every:
        raise UsageError("name the items by ID, or say --all (with --exporter, --reason, --since)")
    return None if every else ids


def _code(mended: Mended, every: bool, unknown: bool) -> int:
    if mended.unreadable or mended.gone:
        return SOME_FAILED
    if not mended.changed and not every:  # all of nothing is done
        complain(_nothing(unknown))
        return SOME_FAILED
    return DONE


def _nothing(unknown: bool) -> str:
    return f"there is no such item; see `llmtee dead list{' --unknown' if unknown else ''}`"


def _name(letter: DeadLetter) -> str:
    return letter.id if letter.segment == 0 else f"{letter.id} (part {letter.segment + 1})"


def _short(reason: str) -> str:
    first = reason.partition("\n")[0]
    return first if len(first) <= _REASON_CHARACTERS else first[:_REASON_CHARACTERS] + "…"
