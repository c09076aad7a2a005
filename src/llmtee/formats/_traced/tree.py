"""What events of one trace know from one another: whose session it is, and whose usage counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from llmtee.model import Item, ModelCall, Step, ToolRun

Event: TypeAlias = ModelCall | ToolRun | Step

REPEATED = "usage: repeats that of the calls below it, and is kept in extra"
"""Flag of a call whose counts are those of its children, rolled up."""
DIFFERS = "usage: is not the sum of the calls below it, so one of the two may count twice"
"""Flag of a call with usage above others with usage: both are kept."""

_OF_TRACE = ("session", "person")
"""What a whole trace has in common: known of one event, it is known of all, unless they disagree."""


def related(items: Sequence[Item], inherited: Sequence[str]) -> list[Item]:
    """The events, completed by what stands on their relatives.

    - A field of ``inherited`` that an event lacks is that of its nearest ancestor; session and person are else the
      only ones in its trace. Tracers write both on the root alone, and export it last.
    - A call whose counts are the sum of those of the calls below it repeats them: only leaves count, so its usage and
      cost move to ``extra["repeated"]``, and a flag says so. Where they are not the sum, both stay, and a flag says so.
    """
    by_id = {item.id: item for item in items if isinstance(item, Event)}
    known = _of_traces(by_id.values())
    rolled_up = _rolled_up(by_id)
    return [
        _completed(item, by_id, known, inherited, rolled_up.get(item.id))
        if isinstance(item, Event)
        else item
        for item in items
    ]


def _completed(
    event: Event,
    by_id: Mapping[str, Event],
    known: Mapping[tuple[str, str], list[Any]],
    inherited: Sequence[str],
    rolled_up: str | None,
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
    if rolled_up == DIFFERS:
        found["flags"] = (*event.flags, DIFFERS)
    elif rolled_up == REPEATED and isinstance(event, ModelCall):
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


def _rolled_up(by_id: Mapping[str, Event]) -> dict[str, str]:
    """The calls with usage that have others right below them, each with the flag that says what that means."""
    below: dict[str, tuple[int, int]] = {}
    for event in by_id.values():
        if (told := _totals(event)) and (above := _call_above(event, by_id)):
            asked, said = below.get(above, (0, 0))
            below[above] = asked + told[0], said + told[1]
    return {
        own: REPEATED if _totals(by_id[own]) == summed else DIFFERS for own, summed in below.items()
    }


def _call_above(event: Event, by_id: Mapping[str, Event]) -> str | None:
    """The nearest call with usage that an event is a part of. What a tool's run does is no part of the call for it."""
    for above in _ancestors(event, by_id):
        if isinstance(above, ToolRun):
            return None
        if _totals(above):
            return above.id
    return None


def _totals(event: Event) -> tuple[int, int] | None:
    if not isinstance(event, ModelCall) or event.usage is None:
        return None
    return event.usage.input_tokens or 0, event.usage.output_tokens or 0
