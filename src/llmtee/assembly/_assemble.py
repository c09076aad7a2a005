"""Events to conversations."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from llmtee.assembly._calls import weight_of
from llmtee.assembly._session import Session
from llmtee.model import Conversation, Event

_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)


def assemble(events: Iterable[Event]) -> list[Conversation]:
    """The conversations that events belong to, one for each session, oldest first.

    The result depends on which events there are, not on their order nor on how often each is given. An event
    without a session makes a conversation of its own. In a session:

    - messages stand once each, with ids that stay the same while the session grows; a new system prompt replaces
      the old one; an edited or regenerated turn replaces what it supersedes; of several choices the first counts.
    - what gave way, further choices, and the calls of sub-agents and tools are kept in ``branches``.
    - an answer has the call's properties, with its metrics and feedback under these names.
    - a failed call stands as ``generation``, with its error, on the message that it left unanswered.
    - `ToolRun` events stand in ``tool_runs``, and give their times to the results in the messages.
    - a `Step` of type ``session`` gives title (its ``name``), properties, metrics, feedback, visibility. Other
      steps only add to agents, people, tags and times.

    What was decided on the way is in ``flags``, such as ``superseded_messages: 2``. The cost is that of reading the
    events. For a session that grows, keep a `Session` and absorb one event after another.
    """
    unique: dict[str, Event] = {}
    for event in events:
        other = unique.get(event.id)
        # Two records under one id: the fuller one, whichever came first.
        if other is None or (other != event and weight_of(event) > weight_of(other)):
            unique[event.id] = event
    sessions: dict[tuple[str, str], Session] = {}
    for event in unique.values():
        key = ("session", event.session) if event.session is not None else ("event", event.id)
        if key not in sessions:
            sessions[key] = Session(event.session)
        sessions[key].absorb(event)
    found = [session.conversation() for session in sessions.values()]
    return sorted(found, key=lambda c: (c.started_at or _NEVER, c.session or "", c.id))
