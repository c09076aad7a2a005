"""How an event log fares, for people: a table of exporters, and what to know beside it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from llmtee.cli import _console as console
from llmtee.cli._log import clock, span
from llmtee.delivery import ExporterStats, Stats

_ALWAYS = ("delivered", "pending", "dead", "unknown")
_SELDOM = ("open", "skipped", "dropped")
_RECENT_SECONDS = 24 * 3600.0


def view(stats: Stats) -> RenderableType:
    """The whole screen."""
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for label, text in _facts(stats):
        facts.add_row(label, text)
    if not stats.exporters:
        return Group(facts, Text("\nNo exporter has used it yet."))
    below = Table.grid(padding=(0, 2, 0, 0))
    below.add_column(no_wrap=True)
    below.add_column(overflow="fold")
    for name, one in stats.exporters.items():
        for number, text in enumerate(_beside(stats, one)):
            below.add_row("" if number else name, text)
    return Group(facts, Text(), _exporters(stats), Text(), below)


def _beside(stats: Stats, one: ExporterStats) -> Iterator[str]:
    """What the table has no room for."""
    counts = ((name, getattr(one.counts, name)) for name in _SELDOM)
    if seldom := ", ".join(f"{count:,} {name}" for name, count in counts if count):
        yield seldom
    if one.host is not None and one.host.breaker != "closed":
        again = f"again in {span(one.host.probe_in)}" if one.host.probe_in else "a probe goes now"
        yield f"{one.host.host} failed {one.host.failures} times on end; {again}"
    if one.last_error is not None and one.last_error_at is not None:
        ago = max(0.0, stats.at - one.last_error_at)
        said = span(ago) + " ago" if ago < _RECENT_SECONDS else clock(one.last_error_at)
        yield f"last error, {said}: {one.last_error}"


def _facts(stats: Stats) -> Iterator[tuple[str, str]]:
    yield "event log", str(stats.directory)
    yield "delivered by", _who(stats)
    waits = f", {console.plural(stats.journal, 'event')} not decoded yet" if stats.journal else ""
    yield "size", f"{console.size(stats.disk.bytes)}{waits}"
    if lost := ", ".join(f"{count:,} {cause}" for cause, count in stats.lost.items()):
        yield "lost", lost
    if stats.disk.set_aside:
        yield "set aside", f"damaged, and kept: {', '.join(stats.disk.set_aside)}"


def _who(stats: Stats) -> str:
    who = stats.leader
    if who is None or who.pid is None:
        return "nobody yet"
    if who.alive:
        return f"process {who.pid}"
    return f"nobody: process {who.pid} has ended, and no other has begun"


def _exporters(stats: Stats) -> Table:
    numbers = (*_ALWAYS, "lag", "rate")
    made = console.table("exporter", "state", *numbers, right=numbers)
    for column in made.columns[1:]:
        column.no_wrap = True  # a figure in two lines is no figure
    for name, one in stats.exporters.items():
        made.add_row(
            name,
            state(stats, one),
            *(f"{getattr(one.counts, number):,}" for number in _ALWAYS),
            span(one.lag_seconds) if one.lag else "",
            "" if one.rate is None else f"{one.rate:,.3g}/s",
        )
    return made


def state(stats: Stats, one: ExporterStats) -> Text:
    """How an exporter fares, in a word or two."""
    if stats.leader is None or not stats.leader.alive:
        return Text("stopped", style="yellow" if one.lag else "")
    if one.paused:
        return Text("refused", style="red")
    if one.host is not None and one.host.breaker != "closed":
        return Text("host fails", style="red")
    if one.pace is not None and one.pace.held:
        return Text(f"waits {span(one.pace.held)}", style="yellow")
    return Text("delivers" if one.lag else "ok", style="green")
