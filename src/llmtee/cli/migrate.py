"""``llmtee migrate``: history from one vendor, file or event log to a vendor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from llmtee import registry
from llmtee.cli import _console as console
from llmtee.cli._migration import show_plan, show_report, show_verification
from llmtee.cli._options import (
    CarryOption,
    JsonOption,
    RedactOption,
    SampleOption,
    WhereOption,
    leaving_of,
    settings_of,
    vendor_of,
)
from llmtee.cli._progress import migrating
from llmtee.cli._run import DONE, SOME_FAILED, complain
from llmtee.errors import UsageError
from llmtee.migrate import Migration, Plan


def migrate(
    *,
    source: Annotated[
        list[str],
        typer.Option(
            "--from", metavar="SOURCE", help="A vendor, log:DIR for what llmtee recorded, or files."
        ),
    ],
    to: Annotated[str, typer.Option("--to", metavar="VENDOR", help="The vendor to write to.")],
    only_plan: Annotated[
        bool, typer.Option("--plan", help="Read the source and show what it means; send nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Send without asking.")] = False,
    only_verify: Annotated[
        bool, typer.Option("--verify", help="Only compare what the vendor holds; send nothing.")
    ] = False,
    unverified: Annotated[
        bool, typer.Option("--no-verify", help="Do not read the vendor afterwards.")
    ] = False,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--dir", help="Of the migration; ./llmtee-migration-SOURCE-TARGET by default."
        ),
    ] = None,
    source_format: Annotated[
        str, typer.Option("--format", help="Format of files; see `llmtee formats`.")
    ] = "auto",
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only what began since then: 2026-01-31.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="And before that; by default before now.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many sessions.")] = None,
    times: Annotated[
        Literal["stop", "drop", "properties"],
        typer.Option(
            metavar="stop|drop|properties", help="Where the vendor cannot keep past times."
        ),
    ] = "stop",
    where: WhereOption = None,
    sample: SampleOption = 1.0,
    redact: RedactOption = None,
    rate: Annotated[
        float | None, typer.Option(min=0.001, help="Requests a second at most.")
    ] = None,
    carry: CarryOption = False,
    samples: Annotated[int, typer.Option(min=0, help="Sessions shown in the plan.")] = 3,
    as_json: JsonOption = False,
) -> int:
    """Move history to a vendor: plan, run, go on, verify.

    Shows the plan first, and asks. Stopped at any moment, the same command goes on; run again, it sends nothing twice.

    Example: llmtee migrate --from honeyhive --to inkeep --plan
    """
    leaving = leaving_of(where, sample, redact) | ({} if rate is None else {"rate": rate})
    target = settings_of(vendor_of(to), name=to, need_key=True, carry=carry, leaving=leaving)
    with Migration(
        _source(source),
        target,
        dir=directory,
        format=source_format,
        since=since,
        until=until,
        limit=limit,
        times=times,
    ) as migration:
        if only_verify:
            return _verify(migration, as_json=as_json)
        told: dict[str, Any] = {}
        planned: Plan | None = None
        if only_plan or not (yes and migration.begun):
            planned = _plan(migration, samples)
            told["plan"] = planned.to_json()
            if not as_json:
                show_plan(planned, migration.directory)
        if only_plan or not _agreed(migration, planned, yes=yes):
            if as_json:
                console.print_json(told)
            return DONE
        return _run(migration, planned, told, verify=not unverified, as_json=as_json)


def _plan(migration: Migration, samples: int) -> Plan:
    with migrating() as shown:
        return migration.plan(samples=samples, reading=shown.reading, progress=shown.planning)


def _agreed(migration: Migration, plan: Plan | None, *, yes: bool) -> bool:
    """Whether it is to be run.

    Raises:
        UsageError: it cannot be, as it is.
    """
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if not yes and not terminal:
        complain("nothing was sent; --yes sends it")
        return False
    if plan is not None and plan.problem is not None:
        raise UsageError(
            f"nothing was sent: {plan.target} has no field for times; choose with --times, see the plan"
        )
    if yes:
        return True
    if typer.confirm("Send it?", default=False):
        return True
    complain(f"nothing was sent; what was read is kept in {migration.directory}")
    return False


def _run(
    migration: Migration, plan: Plan | None, told: dict[str, Any], *, verify: bool, as_json: bool
) -> int:
    try:
        with migrating() as shown:
            report = migration.run(plan, verify=verify, progress=shown.sending)
    except KeyboardInterrupt:
        complain(f"stopped; the same command goes on with it (--dir {migration.directory})")
        raise
    if as_json:
        console.print_json({**told, "report": report.to_json()})
    else:
        show_report(report, migration)
    return DONE if report.ok else SOME_FAILED


def _verify(migration: Migration, *, as_json: bool) -> int:
    found = migration.verify()
    if as_json:
        console.print_json({"verification": found.to_json()})
    else:
        show_verification(found)
    return DONE if found.ok else SOME_FAILED


def _source(names: list[str]) -> Any:
    """The settings of a vendor, or paths, or a log, as `Migration` takes them."""
    if len(names) > 1:
        return names
    [name] = names
    owner = name.partition(".")[0]
    if name in registry.vendor_names() or (
        owner in registry.vendor_names() and not Path(name).exists()
    ):
        vendor = vendor_of(name)
        # Why it cannot be read is said before a key is asked for.
        return settings_of(vendor, name=name, need_key=vendor.read is not None)
    return name
