"""What one write is made from: items of a vendor's grain, and the segments of a long session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from llmtee.assembly._assemble import assemble
from llmtee.assembly._split import split
from llmtee.model import Branch, Conversation, Event, Item, conversation_id


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
        The conversation with only those messages and tool runs that ``sent`` had not, by id, and with the branches
        that hold messages it had not, neither in the transcript nor beside it; ``None`` when neither messages nor
        tool runs are new. It starts and ends when they did, where that is known.
    """
    old_messages = {message.id for message in sent.messages}
    old_beside = {message.id for branch in sent.branches for message in branch.messages}
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
            "branches": tuple(_new_in(conversation.branches, old_messages | old_beside)),
            "tool_runs": runs,
            "started_at": min(times, default=conversation.started_at),
            "ended_at": max(times, default=conversation.ended_at),
        }
    )


def _new_in(branches: Iterable[Branch], old: set[str | None]) -> Iterator[Branch]:
    """The branches with only the messages that are not ``old``, after the message that they follow then."""
    for branch in branches:
        after, new = branch.after, []
        for message in branch.messages:
            if message.id not in old:
                new.append(message)
            elif not new:
                after = message.id
        if new:
            yield branch.model_copy(update={"after": after, "messages": tuple(new)})
