"""What became of the conversations that the demo played, checked at the sender and at the receivers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from llmtee import registry
from llmtee.cli._fixtures import Recorded
from llmtee.cli._play import Played
from llmtee.errors import InputError
from llmtee.eventlog import Counts
from llmtee.fidelity import Ledger
from llmtee.functions import explain, render
from llmtee.model import Item, load_event
from llmtee.testing.emulators import Received

_EXAMPLE = "order-agent"


@dataclass(frozen=True)
class Arrival:
    """What one vendor got."""

    vendor: str
    title: str
    grain: str
    counts: Counts
    """Of recorded events, as the sender has them."""
    requests: int
    retries: int
    """Requests that repeat an earlier one."""
    stored: int
    """Events or conversations that the vendor holds."""
    expected: int
    """How many it should hold."""
    skip_reasons: Mapping[str, int]

    @property
    def missing(self) -> int:
        """Recorded events that neither arrived nor were skipped for a reason."""
        return self.counts.total - self.counts.delivered - self.counts.skipped


@dataclass(frozen=True)
class Mishap:
    """A scripted fault, and what came of it."""

    title: str
    text: str


@dataclass(frozen=True)
class Outcome:
    """All of it."""

    arrivals: list[Arrival]
    mishaps: list[Mishap]
    example: str
    """Which event the ledgers are of."""
    ledgers: Mapping[str, Ledger]
    recorded: int
    """How many events were logged."""

    @property
    def problem(self) -> str | None:
        """Why not everything arrived; ``None`` when it did."""
        for arrival in self.arrivals:
            if arrival.missing or arrival.counts.total != self.recorded:
                return f"{arrival.title} lacks {arrival.missing} of {self.recorded} events"
            if arrival.stored != arrival.expected:
                return f"{arrival.title} holds {arrival.stored} {arrival.grain}s instead of {arrival.expected}"
        return None

    @property
    def ok(self) -> bool:
        """Whether everything arrived, once."""
        return self.problem is None

    def to_json(self) -> dict[str, Any]:
        """All of it as a JSON object."""
        return {
            "ok": self.ok,
            "problem": self.problem,
            "recorded": self.recorded,
            "vendors": {
                arrival.vendor: {
                    "grain": arrival.grain,
                    "events": asdict(arrival.counts),
                    "requests": arrival.requests,
                    "retries": arrival.retries,
                    "stored": arrival.stored,
                    "skipped": dict(arrival.skip_reasons),
                }
                for arrival in self.arrivals
            },
            "mishaps": [asdict(mishap) for mishap in self.mishaps],
            "ledgers": {name: ledger.to_json() for name, ledger in self.ledgers.items()},
        }


def outcome_of(played: Played) -> Outcome:
    """Compares what was logged with what the sender reports and what the receivers hold."""
    events = [event for one in played.conversations for event in _events(one)]
    example = next(one for one in played.conversations if one.name == _EXAMPLE)
    event = _events(example)[-1]
    return Outcome(
        arrivals=[_arrival(name, played, events) for name in played.requests],
        mishaps=[
            mishap
            for name, requests in played.requests.items()
            for mishap in _mishaps(name, requests)
        ],
        example=f"the last model call of {_EXAMPLE}",
        ledgers={name: explain(event, name) for name in played.requests},
        recorded=len(events),
    )


def _events(recorded: Recorded) -> list[Item]:
    decode = registry.format("openai-chat").decode
    return [
        item
        for line in recorded.lines
        for item in ([load_event(line)] if "kind" in line else decode(line))
    ]


def _arrival(name: str, played: Played, events: list[Item]) -> Arrival:
    vendor = registry.vendor(name)
    rendered = render(events, name)
    requests = played.requests[name]
    return Arrival(
        vendor=name,
        title=vendor.title,
        grain=vendor.grain,
        counts=played.report[name],
        requests=len(requests),
        retries=sum(_answer_of_retry(name, request, requests) is not None for request in requests),
        stored=played.stored[name],
        expected=sum(1 for one in rendered if one.skip is None),
        skip_reasons=Counter(one.skip for one in rendered if one.skip is not None),
    )


def _mishaps(name: str, requests: tuple[Received, ...]) -> list[Mishap]:
    title = registry.vendor(name).title
    told = []
    for request in requests:
        if request.fault is None:
            continue
        again = _answer_of_retry(name, request, requests)
        came = f"sent again: {again.status}" if again else "not sent again"
        if again and again.status == 409:
            came += ", it knew it already"
        told.append(Mishap(title, f"{_told(request)}; {came}"))
    return told


def _told(request: Received) -> str:
    if request.status == 429:
        return "answered 429 with Retry-After: 1"
    return "stored it, then reset the connection"


def _answer_of_retry(
    name: str, request: Received, requests: tuple[Received, ...]
) -> Received | None:
    """The next request after one that failed with something of what that held: a batch may have grown meanwhile."""
    if request.fault is None:
        return None
    held = _ids(name, request)
    later = requests[request.number :]
    return next((one for one in later if held & _ids(name, one)), None)


def _ids(name: str, request: Received) -> set[str]:
    """What a request carries; nothing where it carries no items, as Voker's fingerprint."""
    try:
        return {item.id for item in registry.vendor(name).parse(request.body)}
    except InputError:
        return set()
