"""How a migration's plan, report and comparison are shown."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table
from rich.text import Text

from llmtee import jsontext
from llmtee.cli import _console as console
from llmtee.cli._run import complain
from llmtee.fidelity import BY_WEIGHT, Ledger
from llmtee.migrate import Migration, Plan, Report, Sample, Verification

_SHOWN = 10
"""Reasons, ids and fields that are listed; all with ``--json``."""
_LINES = 40
"""Of a sample."""


def show_plan(plan: Plan, directory: Path) -> None:
    """Prints what a migration means."""
    console.heading(f"{plan.source} → {plan.target} at {plan.url}")
    console.facts(_facts(plan))
    for note in plan.notes:
        console.line(f"  note: {note}", "dim")
    for sample in plan.samples:
        _show_sample(sample, plan)
    console.heading("what the target keeps")
    if plan.explained < plan.held.sessions:
        console.line(f"of {plan.explained:,} of the {plan.held.sessions:,} sessions", "dim")
    console.line(plan.ledger.summary())
    _show_ledger(plan.ledger)
    if plan.problem is not None:
        console.heading("before anything is sent")
        console.line(f"{plan.problem}. (--times drop, --times properties)", "bold")
    console.line(f"what was read is kept in {directory}", "dim")


def _facts(plan: Plan) -> list[tuple[str, str]]:
    held = plan.held
    read = [
        console.plural(count, noun)
        for count, noun in (
            (held.events, "event"),
            (held.conversations, "conversation"),
            (held.supplements, "supplement"),
        )
        if count
    ]
    facts = [
        ("read", f"{console.plural(held.sessions, 'session')}: {', '.join(read) or 'nothing'}"),
        (
            "from",
            "no times"
            if plan.first is None
            else f"{plan.first:%Y-%m-%d %H:%M} to {plan.last:%Y-%m-%d %H:%M}",
        ),
        ("to send", f"{console.plural(plan.requests, 'request')}, {console.size(plan.bytes)}"),
        ("takes", _takes(plan)),
    ]
    if plan.supplements:
        facts.append(("with", f"{plan.supplements:,} of feedback and scores"))
    for reason, count in plan.skipped.most_common(_SHOWN):
        facts.append(("skipped", f"{count:,}: {reason}"))
    for reason, count in plan.left_out.most_common(_SHOWN):
        facts.append(("left out", f"{count:,} of feedback and scores: {reason}"))
    if plan.too_large_count:
        ids = ", ".join(one.id for one in plan.too_large[:_SHOWN])
        facts.append(("too large", f"{plan.too_large_count:,}, which will be dead letters: {ids}"))
    if plan.cut:
        facts.append(("cut", f"{plan.cut:,} to the size that {plan.target} takes"))
    if plan.undated:
        facts.append(("no time", f"{plan.undated:,}; {plan.target} may date them when they arrive"))
    if not plan.keeps_times:
        facts.append(("times", f"{plan.target} dates everything when it arrives"))
    if plan.idempotent_by is None:
        facts.append(
            (
                "twice",
                f"{plan.target} recognises no repetition: an unanswered request is held, not repeated",
            )
        )
    if held.failures:
        facts.append(("unreadable", f"{held.failures:,}, such as {plan.failures[0]}"))
    return facts


def _takes(plan: Plan) -> str:
    at = (
        f"at {plan.rate:g} requests a second"
        if plan.rate
        else (f"with {plan.concurrency} requests at a time, a quarter of a second each")
    )
    return f"about {duration(plan.seconds)} {at}"


def duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3.5 h``, ``2.1 days``."""
    for size, unit in ((2 * 86400, "days"), (2 * 3600, "h"), (120, "min")):
        if seconds >= size:
            whole = {"days": 86400, "h": 3600, "min": 60}[unit]
            return f"{seconds / whole:.3g} {unit}"
    return f"{max(1, round(seconds))} s"


def _show_ledger(ledger: Ledger) -> None:
    worst = sorted(
        (entry for entry in ledger.entries if entry.status != "kept"),
        key=lambda entry: (BY_WEIGHT.index(entry.status), -entry.count),
    )
    if not worst:
        return
    made = console.table("field", "", "count", "why", right=("count",))
    shown = worst[: 2 * _SHOWN]
    console.show(made, [(one.path, one.status, one.count, one.reason) for one in shown])
    if len(worst) > len(shown):
        console.line(f"… and {len(worst) - len(shown):,} more; all with --json", "dim")


def _show_sample(sample: Sample, plan: Plan) -> None:
    console.heading(f"session {sample.session}: {', '.join(sample.shape)}")
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(ratio=1, overflow="fold")
    grid.add_column(ratio=1, overflow="fold")
    grid.add_row(Text(plan.source, style="bold"), Text(plan.target, style="bold"))
    bodies = [jsontext.dumps_pretty(body) for body in sample.bodies]
    bodies += [f"nothing: {reason}" for reason in sample.skipped]
    grid.add_row(Text(_cut(sample.source)), Text(_cut("\n".join(bodies))))
    console.out.print(grid)


def _cut(text: str) -> str:
    lines = text.splitlines()
    more = [f"… {len(lines) - _LINES:,} lines more"] if len(lines) > _LINES else []
    return "\n".join([*lines[:_LINES], *more])


def show_report(report: Report, migration: Migration) -> None:
    """Prints what a run did, and what to do about what it did not."""
    sent = report.sent
    columns = ("delivered", "skipped", "pending", "dead", "unknown")
    counts = sent.counts
    console.show(
        console.table("sessions", *columns, right=("sessions", *columns)),
        [
            (
                report.held.sessions,
                counts.delivered,
                counts.skipped,
                counts.pending,
                counts.dead,
                counts.unknown,
            )
        ],
    )
    for own, reason in sent.letters[:_SHOWN]:
        complain(f"not taken: {own}: {reason}")
    if len(sent.letters) > _SHOWN:
        complain(f"… and {len(sent.letters) - _SHOWN:,} more")
    if sent.letters:
        complain(f"see llmtee dead list {report.directory / 'log'}")
    if sent.refused is not None:
        complain(sent.refused)
    if not sent.complete:
        complain(f"not everything was sent; the same command goes on with it ({report.directory})")
    if report.held.failures:
        records = console.plural(report.held.failures, "record")
        complain(f"{records} of the source could not be read; --plan names them")
    if report.verification is not None:
        show_verification(report.verification)
    elif not migration.can_verify:
        console.line("the target cannot be read, so it was not compared", "dim")


def show_verification(found: Verification) -> None:
    """Prints what the comparison found."""
    console.heading("verified" if found.ok else "what the target holds differs")
    for line in found.lines(_SHOWN):
        console.line(line)
