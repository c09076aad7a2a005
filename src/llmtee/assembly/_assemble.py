"""Events to conversations."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from llmtee import jsontext
from llmtee.assembly._identity import identity
from llmtee.assembly._transcript import Transcript
from llmtee.model import (
    Agent,
    Conversation,
    Event,
    Message,
    ModelCall,
    Person,
    Step,
    ToolResultPart,
    ToolRun,
    conversation_id,
)
from llmtee.model.ids import derive_id

SESSION = "session"
"""The ``step_type`` of a step that says what holds for the whole session."""
FROM_MESSAGES = "from_messages"
"""Flag of a tool run that `split` made from a call and a result in the messages."""

OURS = "llmtee"
"""Key in ``extra`` for what a conversation has and a session's step has no field for, and the other way round."""

_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)

N = TypeVar("N", Agent, Person)


def assemble(events: Iterable[Event]) -> list[Conversation]:
    """The conversations that events belong to, one for each session, oldest first.

    The result depends on which events there are, not on their order nor on how often each is given. An event
    without a session makes a conversation of its own. In a session:

    - messages stand once each, with ids that stay the same while the session grows; a new system prompt replaces
      the old one; an edited or regenerated turn replaces what it supersedes; of several choices the first counts.
    - an answer has the call's properties, with its metrics and feedback under these names.
    - a failed call stands as ``generation``, with its error, on the message that it left unanswered.
    - `ToolRun` events stand in ``tool_runs``, and give their times to the results in the messages.
    - a `Step` of type ``session`` gives title (its ``name``), properties, metrics, feedback, visibility. Other
      steps only add to agents, people, tags and times.

    What was decided on the way is in ``flags``, such as ``superseded_messages: 2``.
    """
    unique: dict[str, Event] = {}
    for event in events:
        other = unique.get(event.id)
        # Two records under one id: the fuller one, whichever came first.
        if other is None or (other != event and _weight(event) > _weight(other)):
            unique[event.id] = event
    sessions: dict[tuple[str, str], list[Event]] = {}
    for event in unique.values():
        key = ("session", event.session) if event.session is not None else ("event", event.id)
        sessions.setdefault(key, []).append(event)
    found = [_conversation(sorted(group, key=_order)) for group in sessions.values()]
    return sorted(found, key=lambda c: (c.started_at or _NEVER, c.session or "", c.id))


def _weight(event: Event) -> tuple[int, bytes]:
    text = jsontext.dumps_sorted(event.to_json())
    return len(text), text


def _order(event: Event) -> tuple[dt.datetime, dt.datetime, int, str]:
    """By time. What has none comes first, shorter histories before longer ones, and so can supersede nothing."""
    first = event.started_at or event.ended_at or _NEVER
    last = event.ended_at or event.started_at or _NEVER
    return first, last, len(event.input) if isinstance(event, ModelCall) else 0, event.id


def _conversation(events: Sequence[Event]) -> Conversation:
    session = events[0].session
    own_id = (
        conversation_id(session)
        if session is not None
        else derive_id("conversation", "event", events[0].id)
    )
    runs = [event for event in events if isinstance(event, ToolRun)]
    transcript = _fold([event for event in events if isinstance(event, ModelCall)], runs)
    messages = _dated(_identified(transcript.all(), session or own_id), runs)
    paired = {part.call_id for message in messages for part in _results(message)}
    times = [time for event in events for time in (event.started_at, event.ended_at) if time]
    happened = tuple(f"{name}: {count}" for name, count in transcript.flags.items())
    fields: dict[str, Any] = {
        "id": own_id,
        "session": session,
        "messages": tuple(messages),
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
    for event in events:
        if isinstance(event, Step) and event.step_type == SESSION:
            _add_session(fields, event)
    return Conversation(**fields)


def _fold(calls: Sequence[ModelCall], runs: Sequence[ToolRun]) -> Transcript:
    """The main calls, folded. What a tool asked of a model while it ran is no turn of the conversation."""
    tools = {run.id for run in runs}
    main = [call for call in calls if call.parent not in tools] or list(calls)
    chosen = {call.id for call in main}
    transcript = Transcript()
    for call in calls:
        if call.id in chosen:
            transcript.add(call)
        else:
            transcript.note_side_call(call)
    return transcript


def _identified(messages: Iterable[Message], scope: str) -> list[Message]:
    """Messages with ids: their own, else one that follows from the session, the message and its number there."""
    seen: dict[str, int] = {}
    taken: set[str] = set()
    found = []
    for message in messages:
        key = identity(message)
        number = seen[key] = seen.get(key, 0) + 1
        own = message.id
        if own is None or own in taken:
            own = derive_id("message", scope, key, str(number))
        taken.add(own)
        found.append(message if message.id == own else message.model_copy(update={"id": own}))
    return found


def _dated(messages: Iterable[Message], runs: Iterable[ToolRun]) -> list[Message]:
    """Messages of which each tool result has the times of its run, where that was recorded."""
    times = {run.call_id: run for run in runs if run.call_id and (run.started_at or run.ended_at)}
    return [_dated_by(times, message) for message in messages]


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


def _add_session(fields: dict[str, Any], step: Step) -> None:
    fields["title"] = step.name or fields.get("title")
    for name in ("properties", "metrics", "feedback", "source_ids", "extra"):
        fields[name] = {**fields.get(name, {}), **getattr(step, name)}
    ours = fields["extra"].pop(OURS, None)
    if isinstance(ours, dict):
        fields["visibility"] = ours.get("visibility") or fields.get("visibility")
        fields["agents"] = _distinct([*fields["agents"], *_load(Agent, ours.get("agents"))])
        fields["people"] = _distinct([*fields["people"], *_load(Person, ours.get("people"))])
    rest = {
        name: value
        for name, value in step.to_json().items()
        if name in ("inputs", "outputs", "config", "error")
    }
    if rest:
        fields["extra"] = {**fields["extra"], OURS: rest}


def _load(kind: type[N], listed: Any) -> list[N]:
    try:
        return [kind.model_validate(item) for item in listed or ()]
    except (ValidationError, TypeError):  # somebody else's field of our name
        return []


def _distinct(listed: Sequence[N]) -> tuple[N, ...]:
    """Each agent and person once, in order of appearance, with all that was said of them."""
    found: dict[Any, N] = {}
    for item in listed:
        names = (item.name, item.version) if isinstance(item, Agent) else (item.id,)
        key = names if any(names) else jsontext.dumps_sorted(item.to_json())
        found[key] = _merged(found[key], item) if key in found else item
    return tuple(found.values())


def _merged(old: N, new: N) -> N:
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
