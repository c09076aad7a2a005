"""Puts the commands together."""

from __future__ import annotations

from typing import Annotated

import typer

from llmtee._version import __version__
from llmtee.cli import convert, deliver, demo, emulate, explain, formats, schema, send, vendors
from llmtee.cli._run import command

app = typer.Typer(
    name="llmtee",
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


app.command("demo")(command(demo.demo))
app.command("convert")(command(convert.convert))
app.command("send")(command(send.send))
app.command("deliver")(command(deliver.deliver))
app.command("explain")(command(explain.explain))
app.add_typer(vendors.app, name="vendors")
app.command("formats")(command(formats.formats))
app.command("emulate")(command(emulate.emulate))
app.command("schema")(command(schema.schema))
