"""What one write is made from: items of a vendor's grain, and the segments of a long session."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from llmtee.assembly._assemble import assemble
from llmtee.assembly._split import split
from llmtee.model import Conversation, Event, Item, conversation_id


def fit(items: Iterable[Item], grain: Literal["event", "conversation"]) -> list[Item]:
    """Items as a vendor of that grain takes them.

    For ``event``: events as they are, conversations split, all in the order given. For ``conversation``:
    conversations as they are, then the events assembled by session.
    """
    if grain == "event":
        fitted: list[Item] = []
        for item in items:
            fitted.extend(split(item) if isinstance(item, Conversation) else [item])
        return fitted
    conversations: list[Item] = []
    events: list[Event] = []
    for item in items:
        if isinstance(item, Conversation):
            conversations.append(item)
        else:
            events.append(item)
    return [*conversations, *assemble(events)]


def following(conversation: Conversation, sent: Conversation, segment: int) -> Conversation | None:
    """The next segment of a session, for a vendor that takes a conversation only once.

    Args:
        conversation: the whole session, as it is assembled now.
        sent: the whole session as it was assembled when the last segment was sent.
        segment: the number of the new segment, from 1.

    Returns:
        The conversation with only those messages and tool runs that ``sent`` had not, by id; ``None`` when there
        are none. It starts and ends when they did, where that is known.
    """
    old_messages = {message.id for message in sent.messages}
    old_runs = {run.id for run in sent.tool_runs}
    messages = tuple(message for message in conversation.messages if message.id not in old_messages)
    runs = tuple(run for run in conversation.tool_runs if run.id not in old_runs)
    if not messages and not runs:
        return None
    spans = [(item.started_at, item.ended_at) for item in messages]
    spans += [(run.started_at, run.ended_at) for run in runs]
    times = [time for span in spans for time in span if time]
    return conversation.model_copy(
        update={
            "id": conversation_id(conversation.session or conversation.id, segment),
            "segment": segment,
            "messages": messages,
            "tool_runs": runs,
            "started_at": min(times, default=conversation.started_at),
            "ended_at": max(times, default=conversation.ended_at),
        }
    )
