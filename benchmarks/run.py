"""What llmtee costs on this machine, beside its peers and beside what it builds on. Run by ``make bench``.

Compare by ratio, within one run: another machine, and the same one an hour later, give other figures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import basics
import clients
import events
import measure
import profiled

from llmtee import __version__

NOT_INSTALLED = "not installed"


@dataclass
class Table:
    """Rows of figures with one unit."""

    title: str
    note: str = ""
    rows: dict[str, dict[str, float] | str] = field(default_factory=dict)
    """A text says why there are no figures."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints all tables, or one JSON object."""
    options = _options(arguments)
    if options.one:
        name, *values = json.loads(options.one)
        print(json.dumps(measure.MEASUREMENTS[name](*values[:-1], **values[-1])))
        # What is not sent yet is of no interest, and some clients would send it first.
        sys.stdout.flush()
        os._exit(0)
    if options.profile:
        profiled.show(options.profile, 500 if options.quick else 5000)
        return
    machine = _machine()
    tables: list[Table] = []
    if not options.json:
        print("  ".join(f"{name} {value}" for name, value in machine.items()), end="\n\n")
    for table in _tables(quick=options.quick, peers=options.peers):
        tables.append(table)
        if not options.json:
            _print(table)
    if options.json:
        print(json.dumps({"machine": machine, "tables": [asdict(one) for one in tables]}))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few calls, to try it")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="llmtee alone")
    parser.add_argument(
        "--profile",
        choices=["HoneyHive", "all four"],
        help="where the time of the delivery goes, instead",
    )
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _machine() -> dict[str, str]:
    return {
        "llmtee": __version__,
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
    }


def _tables(*, quick: bool, peers: bool) -> Iterator[Table]:
    yield from (Table(title, note, rows) for title, note, rows in basics.tables(quick=quick))
    others = list(clients.PEERS) if peers else []
    count = 200 if quick else 4000
    for size in events.SIZES:
        for busy in (False, True):
            beside = "beside a thread that computes" if busy else "alone"
            table = Table(f"one call, {size}, {beside}", "µs in the caller's thread")
            for client in ("record", "record_call", "record, no delivery", *others):
                table.rows[client] = _figures(client, "caller", size, busy=busy, calls=count)
            yield table
    yield _arrivals(others, quick=quick)
    waiting = 2000 if quick else 100_000
    table = Table(f"{waiting:,} events of 2 KB wait, and nobody answers", "MB more than before")
    table.rows["llmtee"] = _run("waiting", waiting)
    yield table


def _arrivals(peers: Sequence[str], *, quick: bool) -> Table:
    note = "from the first call to the arrival of the last; llmtee's log is on disk, peers keep nothing"
    table = Table("delivery of 2 KB events", note)
    transports = ["httpx", *(["aiohttp"] if find_spec("aiohttp") else [])]
    for client, many in (("HoneyHive", 10_000), ("all four", 3000)):
        for transport in transports:
            count = 200 if quick else many
            table.rows[f"{client}, {transport}"] = _run("arrival", client, transport, count=count)
    table.rows[f"HoneyHive, {transports[-1]}, mixed sessions"] = _run(
        "arrival", "HoneyHive", transports[-1], count=200 if quick else 10_000, sessions="mixed"
    )
    for peer in peers:
        count = 200 if quick else 2000 if peer == "Voker's SDK" else 10_000
        table.rows[peer] = _figures(peer, "arrival", "", count=count)
    return table


def _figures(client: str, name: str, *values: Any, **named: Any) -> dict[str, float] | str:
    if client in clients.PEERS and not clients.is_installed(client):
        return NOT_INSTALLED
    return _run(name, client, *values, **named)


def _run(name: str, *values: Any, **named: Any) -> dict[str, float] | str:
    """One measurement, in a new process in which nothing of another is left over."""
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            [sys.executable, __file__, "--one", json.dumps([name, *values, named])],
            env=clients.closed_environment(directory),
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        return f"failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}"
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _print(table: Table) -> None:
    print(f"{table.title}, {table.note}" if table.note else table.title)
    columns = next((list(row) for row in table.rows.values() if isinstance(row, dict)), [])
    print(f"  {'':36}" + "".join(f"{column:>18}" for column in columns))
    for name, row in table.rows.items():
        if isinstance(row, str):
            print(f"  {name:36}{row:>18}")
        else:
            print(f"  {name:36}" + "".join(f"{_number(row[column]):>18}" for column in columns))
    print(flush=True)


def _number(value: float) -> str:
    return (
        f"{value:,.0f}"
        if abs(value) >= 1000
        else f"{value:,.1f}"
        if abs(value) >= 1
        else f"{value:.3f}"
    )


if __name__ == "__main__":
    main()
