"""What events of one trace know from one another: whose session it is, and whose usage counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from llmtee.model import Item, ModelCall, Step, ToolRun

Event: TypeAlias = ModelCall | ToolRun | Step

REPEATED = "usage: repeats that of the calls below it, and is kept in extra"
"""Flag of a call whose counts are those of its children, rolled up."""

_OF_TRACE = ("session", "person")
"""What a whole trace has in common: known of one event, it is known of all, unless they disagree."""


def related(items: Sequence[Item], inherited: Sequence[str]) -> list[Item]:
    """The events, completed by what stands on their relatives.

    - A field of ``inherited`` that an event lacks is that of its nearest ancestor; session and person are else the
      only ones in its trace. Tracers write both on the root alone, and export it last.
    - A call that has calls with usage below it repeats their counts: only leaves count, so its usage and cost move to
      ``extra["repeated"]``, and a flag says so.
    """
    by_id = {item.id: item for item in items if isinstance(item, Event)}
    known = _of_traces(by_id.values())
    rolled_up = _above_usage(by_id)
    return [
        _completed(item, by_id, known, inherited, item.id in rolled_up)
        if isinstance(item, Event)
        else item
        for item in items
    ]


def _completed(
    event: Event,
    by_id: Mapping[str, Event],
    known: Mapping[tuple[str, str], list[Any]],
    inherited: Sequence[str],
    rolled_up: bool,
) -> Event:
    missing = [name for name in inherited if not getattr(event, name)]
    found: dict[str, Any] = {}
    for name in missing:
        above = (getattr(one, name) for one in _ancestors(event, by_id))
        if value := next((value for value in above if value), None):
            found[name] = value
        elif name in _OF_TRACE and event.trace_id is not None:
            told = known.get((name, event.trace_id), [])
            if len(told) == 1:
                found[name] = told[0]
    if rolled_up and isinstance(event, ModelCall):
        repeated = event.model_copy(update={"extra": {}}).to_json()
        kept = {name: repeated[name] for name in ("usage", "cost") if name in repeated}
        found |= {
            "usage": None,
            "cost": None,
            "flags": (*(flag for flag in event.flags if not flag.startswith("usage:")), REPEATED),
            "extra": {**event.extra, "repeated": kept},
        }
    return event.model_copy(update=found) if found else event


def _ancestors(event: Event, by_id: Mapping[str, Event]) -> Iterator[Event]:
    """From the parent up; a circle, which no tracer means, ends where it closes."""
    seen = {event.id}
    above = by_id.get(event.parent or "")
    while above is not None and above.id not in seen:
        yield above
        seen.add(above.id)
        above = by_id.get(above.parent or "")


def _of_traces(events: Any) -> dict[tuple[str, str], list[Any]]:
    """The different values of each common field in each trace."""
    found: dict[tuple[str, str], list[Any]] = {}
    for event in events:
        for name in _OF_TRACE:
            value = getattr(event, name)
            if value and event.trace_id is not None:
                told = found.setdefault((name, event.trace_id), [])
                if value not in told:
                    told.append(value)
    return found


def _above_usage(by_id: Mapping[str, Event]) -> set[str]:
    """The calls with usage that have another such call below them."""
    found: set[str] = set()
    for event in by_id.values():
        if isinstance(event, ModelCall) and event.usage is not None:
            for above in _ancestors(event, by_id):
                if isinstance(above, ModelCall) and above.usage is not None:
                    found.add(above.id)
    return found
