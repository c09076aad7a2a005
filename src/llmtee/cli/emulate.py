"""``llmtee emulate``: strict local stand-ins for the vendors."""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack
from queue import SimpleQueue
from typing import Annotated

import typer

from llmtee import jsontext, registry
from llmtee.cli import _console as console
from llmtee.cli._options import JsonOption, variables
from llmtee.testing.emulators import Emulator, Received, emulator_class, emulator_names


def emulate(
    vendors: Annotated[
        list[str], typer.Argument(metavar="VENDOR...", help="Vendors to emulate, or: all")
    ],
    port: Annotated[
        int, typer.Option(help="Port of the first one, the next ones follow; 0 takes free ones.")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Run vendors on this machine: strict, until Ctrl-C.

    Prints the address and key of each, and then what arrives.

    Example: llmtee emulate honeyhive inkeep --port 8001
    """
    names = emulator_names() if vendors == ["all"] else list(dict.fromkeys(vendors))
    arrivals: SimpleQueue[tuple[Emulator, Received]] = SimpleQueue()
    with ExitStack() as stack:
        emulators = []
        for number, name in enumerate(names):
            emulator = emulator_class(name)(port=port + number if port else 0)
            emulator.on_request = lambda received, emulator=emulator: arrivals.put(
                (emulator, received)
            )
            emulators.append(stack.enter_context(emulator))
        _introduce(emulators, as_json)
        try:
            while True:
                _report(*arrivals.get(), as_json)
        except KeyboardInterrupt:
            if not as_json:
                _farewell(emulators)
            raise


def _introduce(emulators: list[Emulator], as_json: bool) -> None:
    for emulator in emulators:
        exports = _exports(emulator)
        if as_json:
            console.print_json_line(
                {
                    "vendor": emulator.vendor,
                    "url": emulator.url,
                    "key": emulator.key,
                    "environment": exports,
                }
            )
            continue
        console.heading(f"{registry.vendor(emulator.vendor).title} at {emulator.url}")
        for variable, value in exports.items():
            console.line(f"export {variable}={value}")
    if not as_json:
        console.line("\nCtrl-C ends it. What arrives:\n", "dim")


def _exports(emulator: Emulator) -> dict[str, str]:
    settings = registry.vendor(emulator.vendor).settings
    values = {"api_key": emulator.key, "base_url": emulator.url}
    return {
        names[0]: value for field, value in values.items() if (names := variables(settings, field))
    }


def _report(emulator: Emulator, received: Received, as_json: bool) -> None:
    if as_json:
        console.print_json_line(
            {
                "vendor": emulator.vendor,
                "number": received.number,
                "method": received.method,
                "path": received.path,
                "query": dict(received.query),
                "status": received.status,
                "body": received.body,
            }
        )
        return
    now = dt.datetime.now().astimezone().strftime("%H:%M:%S")
    bytes_ = 0 if received.body is None else len(jsontext.dumps(received.body))
    console.line(
        f"{now}  {emulator.vendor:<10} {received.status}  {received.method:<5} {received.path}  "
        f"{console.size(bytes_)}"
    )


def _farewell(emulators: list[Emulator]) -> None:
    counts = ", ".join(
        f"{emulator.vendor} {console.plural(len(emulator.requests), 'request')}"
        for emulator in emulators
    )
    console.line(f"\nreceived: {counts}")
