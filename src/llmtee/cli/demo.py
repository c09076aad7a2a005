"""``llmtee demo``: recorded conversations through Tee to four emulated vendors, and what became of them."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Annotated, Any

import typer

from llmtee import jsontext, registry
from llmtee.cli import _console as console
from llmtee.cli._fixtures import recorded_conversations
from llmtee.cli._options import JsonOption
from llmtee.cli._outcome import Outcome, outcome_of
from llmtee.cli._play import Played, play
from llmtee.cli._run import DONE, SOME_FAILED
from llmtee.fidelity import Ledger
from llmtee.testing.emulators import Received

_FIELDS = 4
"""Lost fields that are named for each vendor."""

_TITLES = {
    "failed-call": "two failures of the provider, then an answer",
    "image": "photographs, by address and inline",
    "many-scripts": "Arabic, Hindi, Japanese, joined emoji",
    "order-agent": "an agent with four tools, several rounds",
    "plain-chat": "a support chat",
    "refusal": "the model refuses, then helps",
}


def demo(
    show: Annotated[
        str | None, typer.Option(metavar="VENDOR", help="Print only the requests that it got.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for the raw payloads; a new one by default."),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Play conversations to four emulated vendors.

    Shows what arrived where. Needs no network and no keys.

    Example: llmtee demo --show inkeep
    """
    if show is not None:
        registry.vendor(show)
    conversations = recorded_conversations()
    # The mishaps are told below; as warnings they would look like faults.
    logging.getLogger("llmtee").addHandler(logging.NullHandler())
    waiting = console.err.status("delivering to four vendors on 127.0.0.1 …")
    with waiting if console.err.is_terminal else nullcontext(), TemporaryDirectory() as log:
        played = play(conversations, Path(log))
    outcome = outcome_of(played)
    if show is not None:
        _show_requests(played.requests[show], as_json)
        return DONE if outcome.ok else SOME_FAILED
    folder = _write_payloads(played, output)
    if as_json:
        console.print_json({**outcome.to_json(), "payloads": str(folder)})
    else:
        _tell(played, outcome, folder)
    return DONE if outcome.ok else SOME_FAILED


def _show_requests(requests: tuple[Received, ...], as_json: bool) -> None:
    if as_json:
        console.print_json([_request_json(request) for request in requests])
        return
    for request in requests:
        console.heading(f"{request.method} {request.path}  {_answered(request)}")
        console.print_json(request.body)


def _answered(request: Received) -> str:
    return f"answered {request.status}" if request.status else f"not answered: {request.fault}"


def _request_json(request: Received) -> dict[str, Any]:
    return {
        "method": request.method,
        "path": request.path,
        "status": request.status,
        "fault": request.fault,
        "body": request.body,
    }


def _write_payloads(played: Played, output: Path | None) -> Path:
    folder = Path(mkdtemp(prefix="llmtee-demo-")) if output is None else output
    for vendor, requests in played.requests.items():
        (folder / vendor).mkdir(parents=True, exist_ok=True)
        for request in requests:
            name = f"{request.number:02}-{request.status or 'unanswered'}.json"
            text = jsontext.dumps_pretty(_request_json(request))
            (folder / vendor / name).write_text(text + "\n", "utf-8")
    return folder


def _tell(played: Played, outcome: Outcome, folder: Path) -> None:
    console.line("llmtee demo: log once, four vendors", "bold")
    console.line("Everything stays on this machine: the vendors are strict local emulators.", "dim")
    console.heading("What was logged")
    console.show(
        console.table(
            "conversation",
            "model calls",
            "tool runs",
            "what it shows",
            right=("model calls", "tool runs"),
        ),
        [
            (one.name, len(one.calls), len(one.tool_runs), _TITLES.get(one.name, ""))
            for one in played.conversations
        ],
    )
    console.heading("What went wrong on the way, on purpose")
    console.facts((mishap.title, mishap.text) for mishap in outcome.mishaps)
    console.heading("What arrived")
    console.show(
        console.table(
            *(
                "vendor",
                "logged",
                "sent",
                "skipped",
                "missing",
                "requests",
                "retries",
                "it now holds",
            ),
            right=("logged", "sent", "skipped", "missing", "requests", "retries"),
        ),
        [
            (
                arrival.title,
                arrival.counts.total,
                arrival.counts.delivered,
                arrival.counts.skipped,
                arrival.missing,
                arrival.requests,
                arrival.retries,
                console.plural(arrival.stored, arrival.grain),
            )
            for arrival in outcome.arrivals
        ],
    )
    console.facts(
        (f"{arrival.title} skipped {count}", reason)
        for arrival in outcome.arrivals
        for reason, count in arrival.skip_reasons.items()
    )
    _tell_ledgers(outcome)
    console.heading(
        f"Everything arrived, in {played.seconds:.1f} s."
        if outcome.ok
        else f"Not everything arrived: {outcome.problem}"
    )
    console.line(f"The raw payloads: {folder}")
    console.line("or, for one vendor: llmtee demo --show inkeep")


def _tell_ledgers(outcome: Outcome) -> None:
    console.heading(f"What each keeps of one event ({outcome.example})")
    made = console.table(
        *("vendor", "kept", "parked", "lost", "what is lost"),
        right=("kept", "parked", "lost"),
    )
    rows = [
        (registry.vendor(name).title, ledger.kept, ledger.parked, ledger.lost, _lost(ledger))
        for name, ledger in outcome.ledgers.items()
    ]
    console.show(made, rows)
    console.line(
        "  parked: in a free-form field. Each field, with reasons: llmtee explain IN --to VENDOR"
    )


def _lost(ledger: Ledger) -> str:
    """The fields that lose most, without what is inside them."""
    counts: Counter[str] = Counter()
    for entry in ledger.entries:
        if entry.status not in ("kept", "parked"):
            head, _, rest = entry.path.partition(".")
            counts[f"{head}.{rest.split('.')[0]}" if head == "messages[]" else head] += 1
    fields = [field for field, _ in counts.most_common(_FIELDS)]
    return ", ".join(fields) + (", …" if len(counts) > _FIELDS else "")
