"""Puts the commands together. A command's module is imported when it runs: most of them import much."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperGroup

from llmtee._version import __version__
from llmtee.cli._run import command
from llmtee.errors import UnknownName

COMMANDS = {
    "demo": "Play conversations to four emulated vendors.",
    "convert": "Turn files of one shape into a file of another.",
    "migrate": "Move history to a vendor: plan, run, go on, verify.",
    "send": "Deliver what files hold to vendors.",
    "history": "Read a vendor's history, or an event log, into a file.",
    "deliver": "Deliver from an event log that other processes write.",
    "status": "Show where the events of an event log stand, and how delivery fares.",
    "dead": "Dead letters: list them, look at one, try again, drop, export.",
    "replay": "Make events of a time pending again at one vendor, or for the first time.",
    "locate": "Say where one event stands at each exporter, with the vendor's own id.",
    "vacuum": "Make the database of an event log as small as it can be.",
    "explain": "Show what a vendor, or a provider's format, keeps, parks and loses, and why.",
    "vendors": "Vendors: how they behave, and is the key right?",
    "formats": "List what --from and --to take.",
    "emulate": "Run vendors on this machine: strict, until Ctrl-C.",
    "schema": "Print JSON Schemas of our model and of vendors.",
}
"""What ``llmtee --help`` lists: each is a module of this package, which holds a function of the same name, or, where
there are several commands in one, an ``app``. The line is the first one of its own help (a test compares them): with it, nothing is imported for the list."""


class _Lazy(TyperGroup):
    """Knows its commands by name, and imports the one that runs."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            if ctx.resilient_parsing:  # the shell completes a word
                return None
            ctx.fail(str(UnknownName("command", cmd_name, COMMANDS)))
        module = import_module(f"llmtee.cli.{cmd_name}")
        made: typer.Typer | None = getattr(module, "app", None)
        if made is None:
            made = typer.Typer(add_completion=False, rich_markup_mode=None)
            made.command(cmd_name)(command(getattr(module, cmd_name)))
        return typer.main.get_command(made)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - likewise
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


app = typer.Typer(
    name="llmtee",
    cls=_Lazy,
    help="tee for LLM events: log once, and every analytics vendor gets it in its own shape.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"llmtee {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
