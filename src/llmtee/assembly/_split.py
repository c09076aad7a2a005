"""A conversation to events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtee.assembly._assemble import assemble
from llmtee.assembly._exact import EXACT, difference
from llmtee.assembly._splitter import Splitter
from llmtee.assembly._whole import OURS, SESSION
from llmtee.model import Conversation, Event, Step, conversation_id


def split(conversation: Conversation) -> list[Event]:
    """The events that a conversation may have come from, in order.

    First, when there is anything to say of the whole, a `Step` of type ``session``; then one `ModelCall` for each
    assistant message, with the transcript before it as input; one for each message that carries a failed call; one
    without an answer when messages follow the last answer; and one `ToolRun` for each tool run, and for each call
    and result in the messages that has none. Branches give calls in the same way: a further choice in the call of its
    sibling, the others calls of their own. Ids are those of the events where they are known, else derived. Events of
    a conversation without a session get its id as their session, which keeps them together.

    For a conversation that `assemble` or `following` made, whether or not it was stored in between,
    ``assemble(split(c)) == [c]``. What the events do not say by themselves, such as that an answer known only from a
    later history has no call, or that there was no session, stands in the session's step, and holds as long as the
    session has just these events.

    For any other conversation, such as one that a vendor gave, the messages come back, in order, with their parts; but
    ids, and what is missing beside an answer, are filled in as `assemble` does.
    """
    assembled = _is_assembled(conversation)
    splitter = Splitter(conversation, assembled=assembled)
    step = _session_step(splitter)
    events: list[Event] = [*([step] if step else []), *splitter.events()]
    if not assembled or assemble(events) == [conversation]:
        return events
    if step is None:
        step = _step(splitter, {})
        events.insert(0, step)
    [found] = assemble(events)
    said = difference(conversation, found, (event.id for event in events[1:]))
    if said is not None:
        ours = {**step.extra.get(OURS, {}), EXACT: said}
        events[0] = step.model_copy(update={"extra": {**step.extra, OURS: ours}})
    return events


def _is_assembled(conversation: Conversation) -> bool:
    """Whether `assemble` or `following` made it, as far as its ids tell."""
    session, segment = conversation.session, conversation.segment
    if session is not None and conversation.id != conversation_id(session, segment):
        return False
    messages = [*conversation.messages]
    messages += [message for branch in conversation.branches for message in branch.messages]
    ids = {message.id for message in messages}
    return None not in ids and len(ids) == len(messages)


def _session_step(splitter: Splitter) -> Step | None:
    """The step that says what holds for the whole; ``None`` when there is nothing to say."""
    conversation = splitter.conversation
    extra = dict(conversation.extra)
    own = extra.pop(OURS, None)
    said: dict[str, Any] = {
        "name": conversation.title,
        "agent": next(iter(conversation.agents), None),
        "person": next(iter(conversation.people), None),
        "properties": conversation.properties,
        "metrics": conversation.metrics,
        "feedback": conversation.feedback,
        "tags": conversation.tags,
        "source_ids": conversation.source_ids,
        "flags": conversation.flags,
        "extra": {**extra, **_beyond_a_step(conversation)},
        **_session_fields(own),
    }
    return _step(splitter, said) if any(said.values()) else None


def _step(splitter: Splitter, said: Mapping[str, Any]) -> Step:
    conversation = splitter.conversation
    return Step(
        id=splitter.unique(None, "session"),
        step_type=SESSION,
        **splitter.shared,
        started_at=conversation.started_at,
        ended_at=conversation.ended_at,
        **said,
    )


def _beyond_a_step(conversation: Conversation) -> dict[str, Any]:
    def listed(values: Sequence[Any]) -> list[Any]:
        return [value.to_json() for value in values[1:]]

    beyond = {
        "visibility": conversation.visibility,
        "agents": listed(conversation.agents),
        "people": listed(conversation.people),
    }
    beyond = {name: value for name, value in beyond.items() if value}
    return {OURS: beyond} if beyond else {}


def _session_fields(own: Any) -> dict[str, Any]:
    if not isinstance(own, dict):
        return {}
    return {k: own[k] for k in ("inputs", "outputs", "config", "error") if own.get(k)}
