"""Laws of assembly, for sessions as applications make them."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmtee import jsontext
from llmtee.assembly import Session, assemble, split
from llmtee.model import Conversation, Event, ModelCall
from llmtee.testing.sessions import sessions

MANY = settings(deadline=None, max_examples=500, suppress_health_check=list(HealthCheck))
QUICK = settings(MANY, max_examples=150)


def absorbed(events: list[Event]) -> Session:
    session = Session("s")
    for event in events:
        session.absorb(event)
    return session


def resumed(session: Session) -> Session:
    return Session.from_json(jsontext.loads(jsontext.dumps(session.to_json())))


def bare(event: Event) -> Event:
    """A poorer record under the same id, as of an exporter that saw only the start."""
    fields: dict[str, Any] = {"parent": None, "agent": None, "ended_at": None, "properties": {}}
    if isinstance(event, ModelCall):
        fields |= {"choices": (), "model": None}
    return event.model_copy(update=fields)


def any_order_law(events: list[Event], data: Any) -> None:
    again = data.draw(st.lists(st.sampled_from([*events, *map(bare, events)]), max_size=3))
    shuffled = data.draw(st.permutations([*events, *again]))
    [once] = assemble(events)
    assert assemble(shuffled) == [once]
    session = Session("s")
    for event in shuffled:
        session.absorb(event)
        if data.draw(st.booleans()):
            session.conversation()
    assert session.conversation() == once
    assert session.to_json() == absorbed(events).to_json()


def resume_law(events: list[Event], data: Any) -> None:
    session = Session("s")
    cuts = data.draw(st.sets(st.integers(0, len(events))))
    for i, event in enumerate(events):
        if i in cuts:
            session = resumed(session)
        session.absorb(event)
        if data.draw(st.booleans()):
            session.conversation()
    assert [session.conversation()] == assemble(events)
    copied = pickle.loads(pickle.dumps(session))
    assert copied.conversation() == session.conversation()


def split_law(events: list[Event]) -> None:
    [conversation] = assemble(events)
    parts = split(conversation)
    assert len({event.id for event in parts}) == len(parts)
    assert assemble(parts) == [conversation]
    assert assemble(parts[::-1]) == [conversation]
    stored = Conversation.model_validate(jsontext.loads(jsontext.dumps(conversation.to_json())))
    assert assemble(split(stored)) == [conversation]


def whole_law(events: list[Event]) -> None:
    """Each message stands once, and nothing that was answered is lost."""
    [conversation] = assemble(events)
    beside = [message for branch in conversation.branches for message in branch.messages]
    messages = [*conversation.messages, *beside]
    ids = [message.id for message in messages]
    assert len(set(ids)) == len(ids)
    assert all(branch.messages for branch in conversation.branches)
    known = {None, *ids}
    assert all(branch.after in known for branch in conversation.branches)
    texts = {message.text.strip() for message in messages}
    for event in events:
        for choice in event.choices if event.kind == "model_call" else ():
            assert choice.message.text.strip() in texts


def growing_law(events: list[Event]) -> None:
    """In order, no id changes: what stood before stands, or has given way, under the id that it had."""
    session = Session("s")
    before: dict[str | None, str] = {}
    # What has no time is older than all that has one, so only sessions with all times come in order.
    in_order = all(event.started_at for event in events)
    for event in events if in_order else []:
        session.absorb(event)
        conversation = session.conversation()
        beside = [message for branch in conversation.branches for message in branch.messages]
        now = {message.id: message.role for message in (*conversation.messages, *beside)}
        assert before.items() <= now.items()
        before = {message.id: message.role for message in conversation.messages}


LAWS = [any_order_law, resume_law]
PLAIN_LAWS = [split_law, whole_law, growing_law]


@pytest.mark.parametrize("law", LAWS)
@QUICK
@given(events=sessions(), data=st.data())
def test_laws_of_order(law: Any, events: list[Event], data: Any) -> None:
    law(events, data)


@pytest.mark.parametrize("law", PLAIN_LAWS)
@QUICK
@given(events=sessions())
def test_laws(law: Any, events: list[Event]) -> None:
    law(events)


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
@MANY
@given(events=sessions(), data=st.data())
def test_laws_of_order_many(law: Any, events: list[Event], data: Any) -> None:
    law(events, data)


@pytest.mark.slow
@pytest.mark.parametrize("law", PLAIN_LAWS)
@MANY
@given(events=sessions())
def test_laws_many(law: Any, events: list[Event]) -> None:
    law(events)
