"""What holds for a conversation as a whole: who took part, when, what a session's step says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from llmtee import jsontext
from llmtee.assembly._exact import EXACT, restored
from llmtee.assembly._fold import Fold
from llmtee.assembly._runs import with_call_ids
from llmtee.model import (
    Agent,
    Conversation,
    Event,
    Message,
    Person,
    Step,
    ToolResultPart,
    ToolRun,
)

SESSION = "session"
"""The ``step_type`` of a step that says what holds for the whole session."""
FROM_MESSAGES = "from_messages"
"""Flag of a tool run that `split` made from a call and a result in the messages."""

OURS = "llmtee"
"""Key in ``extra`` for what a conversation has and a session's step has no field for, and the other way round."""

N = TypeVar("N", Agent, Person)


def conversation_of(
    events: Sequence[Event], own_id: str, fold: Fold, within: Callable[[ToolRun], bool]
) -> Conversation:
    """The conversation of a session's events, in order, whose calls are folded.

    ``within`` tells whether a run is of the transcript, and not of a sub-agent.
    """
    transcript = fold.transcript()
    runs = with_call_ids(
        (event for event in events if isinstance(event, ToolRun)), transcript, within
    )
    messages = _dated(transcript, runs)
    paired = {part.call_id for message in messages for part in _results(message)}
    times = [time for event in events for time in (event.started_at, event.ended_at) if time]
    happened = tuple(f"{name}: {count}" for name, count in fold.flags.items())
    fields: dict[str, Any] = {
        "id": own_id,
        "session": events[0].session,
        "messages": tuple(messages),
        "branches": tuple(fold.branches()),
        "tool_runs": tuple(
            run for run in runs if FROM_MESSAGES not in run.flags or run.call_id not in paired
        ),
        "agents": _distinct([event.agent for event in events if event.agent]),
        "people": _distinct([event.person for event in events if event.person]),
        "started_at": min(times, default=None),
        "ended_at": max(times, default=None),
        "updated_at": max(times, default=None),
        "trace_id": _common([event.trace_id for event in events]),
        "source": _common([event.source for event in events]),
        "tags": _union(event.tags for event in events),
        "flags": _union(
            (
                *(event.flags for event in events if not isinstance(event, ToolRun)),
                happened,
            )
        ),
    }
    exact: list[tuple[Step, Any]] = []
    for event in events:
        if isinstance(event, Step) and event.step_type == SESSION:
            exact += [(event, found) for found in _add_session(fields, event)]
    conversation = Conversation(**fields)
    for step, found in exact:
        others = [event.id for event in events if event is not step]
        conversation = restored(conversation, found, others)
    return conversation


def _dated(messages: Iterable[Message], runs: Iterable[ToolRun]) -> list[Message]:
    """Messages of which each tool result has the times of its run, where that was recorded."""
    times = {run.call_id: run for run in runs if run.call_id and (run.started_at or run.ended_at)}
    return [_dated_by(times, message) for message in messages] if times else list(messages)


def _dated_by(runs: Mapping[str, ToolRun], message: Message) -> Message:
    if message.role == "assistant":  # it holds results of server-side tools; its times are its own
        return message
    ids = (part.call_id for part in _results(message) if part.call_id is not None)
    run = next((runs[call_id] for call_id in ids if call_id in runs), None)
    if run is None:
        return message
    return message.model_copy(update={"started_at": run.started_at, "ended_at": run.ended_at})


def _results(message: Message) -> list[ToolResultPart]:
    return [part for part in message.parts if isinstance(part, ToolResultPart)]


def _add_session(fields: dict[str, Any], step: Step) -> list[Any]:
    """Adds what a session's step says; returns what it says that only holds for the events that it was split into."""
    fields["title"] = step.name or fields.get("title")
    for name in ("properties", "metrics", "feedback", "source_ids", "extra"):
        fields[name] = {**fields.get(name, {}), **getattr(step, name)}
    ours = fields["extra"].pop(OURS, None)
    exact = []
    if isinstance(ours, dict):
        fields["visibility"] = ours.get("visibility") or fields.get("visibility")
        fields["agents"] = _distinct([*fields["agents"], *_load(Agent, ours.get("agents"))])
        fields["people"] = _distinct([*fields["people"], *_load(Person, ours.get("people"))])
        exact = [ours[EXACT]] if EXACT in ours else []
    rest = {
        name: value
        for name, value in step.to_json().items()
        if name in ("inputs", "outputs", "config", "error")
    }
    if rest:
        fields["extra"] = {**fields["extra"], OURS: rest}
    return exact


def _load(kind: type[N], listed: Any) -> list[N]:
    try:
        return [kind.model_validate(item) for item in listed or ()]
    except (ValidationError, TypeError):  # somebody else's field of our name
        return []


def _distinct(listed: Sequence[N]) -> tuple[N, ...]:
    """Each agent and person once, in order of appearance, with all that was said of them."""
    found: dict[Any, N] = {}
    last: N | None = None
    for item in listed:
        if item is last:
            continue
        last = item
        names = (item.name, item.version) if isinstance(item, Agent) else (item.id,)
        key = names if any(names) else jsontext.dumps_sorted(item.to_json())
        found[key] = _merged(found[key], item) if key in found else item
    return tuple(found.values())


def _merged(old: N, new: N) -> N:
    if old == new:
        return old
    update: dict[str, Any] = {"ids": {**old.ids, **new.ids}, "extra": {**old.extra, **new.extra}}
    if isinstance(old, Person) and isinstance(new, Person):
        update["properties"] = {**old.properties, **new.properties}
    elif isinstance(old, Agent) and isinstance(new, Agent):
        update["description"] = new.description or old.description
    return old.model_copy(update=update)


def _common(values: Iterable[str | None]) -> str | None:
    """The one value there is; ``None`` where there are several or none."""
    distinct = {value for value in values if value is not None}
    return distinct.pop() if len(distinct) == 1 else None


def _union(lists: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for values in lists for value in values))
