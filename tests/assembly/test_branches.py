"""What stands beside the transcript, and that it stays there."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtee.assembly import Session, assemble, following, split
from llmtee.errors import UsageError
from llmtee.model import (
    Agent,
    Choice,
    Conversation,
    Event,
    Message,
    ModelCall,
    Person,
    Step,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolRun,
    conversation_id,
)

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def say(role: str, text: str) -> Message:
    return Message(role=role, parts=(TextPart(text=text),))


def user(text: str) -> Message:
    return say("user", text)


def bot(text: str) -> Message:
    return say("assistant", text)


def call(
    name: str, minute: int | None, told: list[Message], *said: Message, **more: Any
) -> ModelCall:
    times = {} if minute is None else {"started_at": START + dt.timedelta(minutes=minute)}
    choices = tuple(Choice(message=one, finish_reason="stop") for one in said)
    fields = {"session": "s", **times, **more}
    return ModelCall(id=name, input=tuple(told), choices=choices, **fields)


def one(*events: Event) -> Conversation:
    [conversation] = assemble(events)
    return conversation


def beside(conversation: Conversation) -> list[tuple[str, list[str]]]:
    return [(branch.reason, [m.text for m in branch.messages]) for branch in conversation.branches]


def test_what_an_edit_supersedes_keeps_ids_and_generations() -> None:
    events = [
        call("1", 0, [user("a")], bot("A")),
        call("2", 1, [user("a"), bot("A"), user("b")], bot("B"), model="m"),
    ]
    before = one(*events)
    after = one(*events, call("3", 2, [user("a"), bot("A"), user("c")], bot("C")))
    [branch] = after.branches
    assert (branch.reason, branch.after) == ("edited", before.messages[1].id)
    assert branch.messages == before.messages[2:]
    assert branch.messages[1].generation is not None
    assert branch.messages[1].generation.model == "m"


def test_a_branch_of_a_branch_names_the_message_it_follows_there() -> None:
    conversation = one(
        call("1", 0, [user("a")], bot("A")),
        call("2", 1, [user("a"), bot("A"), user("b")], bot("B")),
        call("3", 2, [user("a"), bot("A"), user("b")], bot("B2")),
        call("4", 3, [user("a"), bot("A"), user("c")], bot("C")),
    )
    assert beside(conversation) == [("regenerated", ["B"]), ("edited", ["b", "B2"])]
    [b] = [m for branch in conversation.branches for m in branch.messages if m.text == "b"]
    assert conversation.branches[0].after == b.id


def test_an_answer_that_comes_back_leaves_its_branch_and_keeps_its_id() -> None:
    first = call("1", 0, [user("a")], bot("A"))
    second = call("2", 1, [user("a")], bot("A2"))
    back = call("3", 2, [user("a"), bot("A"), user("b")], bot("B"))
    [original] = [m.id for m in one(first).messages if m.text == "A"]
    assert one(first, second).branches[0].messages[0].id == original
    conversation = one(first, second, back)
    assert conversation.messages[1].id == original
    assert beside(conversation) == [("regenerated", ["A2"])]


def test_an_answer_in_other_words_keeps_its_id_and_its_own_words() -> None:
    first = call("1", 0, [user("a")], bot("<think>hm</think>A"), model="m")
    told = call("2", 1, [user("a"), bot("A"), user("b")], bot("B"))
    conversation = one(first, told)
    assert conversation.messages[1].id == one(first).messages[1].id
    assert conversation.messages[1].text == "A"
    assert beside(conversation) == [("reworded", ["<think>hm</think>A"])]


def test_side_calls_name_their_agent_and_what_they_are_a_step_of() -> None:
    asked = Message(role="assistant", parts=(ToolCallPart(id="c1", name="f"),))
    result = Message(role="tool", parts=(ToolResultPart(call_id="c1", result="x"),))
    inner = {"parent": "r", "agent": Agent(name="inner"), "person": Person(id="p")}
    conversation = one(
        call("1", 0, [user("a")], asked),
        ToolRun(id="r", session="s", call_id="c1", started_at=START),
        call("i1", 1, [user("task")], bot("T1"), **inner),
        call("i2", 2, [user("task"), bot("T1"), user("more")], bot("T2"), **inner),
        call("2", 3, [user("a"), asked, result], bot("A")),
    )
    [branch] = conversation.branches
    assert [m.text for m in branch.messages] == ["task", "T1", "more", "T2"]
    assert (branch.parent, branch.agent, branch.detached) == ("r", Agent(name="inner"), True)
    assert branch.after == conversation.messages[1].id
    # Who speaks to a sub-agent is another agent.
    assert [m.person for m in branch.messages] == [None] * 4


def test_an_agents_step_beneath_an_agents_step_is_a_sub_agent() -> None:
    steps = [
        Step(id="lead", session="s", step_type="agent"),
        Step(id="chain", session="s", parent="lead"),
        Step(id="sub", session="s", step_type="agent", parent="chain"),
    ]
    conversation = one(
        *steps,
        call("1", 0, [user("a")], bot("A"), parent="lead"),
        call("i", 1, [user("task")], bot("T"), parent="sub"),
        call("2", 2, [user("a"), bot("A"), user("b")], bot("B"), parent="chain"),
    )
    assert [m.text for m in conversation.messages] == ["a", "A", "b", "B"]
    assert beside(conversation) == [("side_call", ["task", "T"])]
    assert conversation.branches[0].parent == "sub"


def test_a_parent_that_comes_late_moves_the_call_beside_the_transcript() -> None:
    run = ToolRun(id="r", session="s", call_id="c1")
    session = Session("s")
    session.absorb(call("1", 0, [user("a")], bot("A")))
    session.absorb(call("i", 1, [user("task")], bot("T"), parent="r"))
    assert len(session.conversation().messages) == 4
    session.absorb(run)
    conversation = session.conversation()
    assert [m.text for m in conversation.messages] == ["a", "A"]
    assert beside(conversation) == [("side_call", ["task", "T"])]


def test_a_guard_before_the_first_turn_does_not_become_the_conversation() -> None:
    guard = call("g", 0, [say("system", "Is it safe?"), user("a")], bot("safe"))
    turns = [
        call("1", 1, [say("system", "Be kind."), user("a")], bot("A")),
        call("2", 2, [say("system", "Be kind."), user("a"), bot("A"), user("b")], bot("B")),
    ]
    conversation = one(guard, *turns)
    assert [m.text for m in conversation.messages] == ["Be kind.", "a", "A", "b", "B"]
    generation = conversation.messages[2].generation
    assert generation is not None
    assert generation.event == "1"


LINKS = ("run", "agent", "prompt")


@settings(max_examples=100)
@given(
    link=st.sampled_from(LINKS),
    beats=st.lists(st.integers(0, 2), max_size=12),
    texts=st.lists(st.sampled_from(("ok", "go on")), min_size=14, max_size=14),
)
def test_sub_agents_in_parallel_do_not_tear_the_transcript(
    link: str, beats: list[int], texts: list[str]
) -> None:
    """Three sub-agents work while the transcript waits for their tools, in any interleaving."""
    asked = Message(
        role="assistant", parts=tuple(ToolCallPart(id=f"c{i}", name="f") for i in range(3))
    )
    results = [
        Message(role="tool", parts=(ToolResultPart(call_id=f"c{i}", result="x"),)) for i in range(3)
    ]
    lead = {"agent": Agent(name="lead")}
    prompt = say("system", "Lead.")
    main: list[Event] = [
        call("1", 0, [prompt, user("a")], asked, **lead),
        *(ToolRun(id=f"r{i}", session="s", call_id=f"c{i}", started_at=START) for i in range(3)),
        call("2", 60, [prompt, user("a"), asked, *results], bot("A"), **lead),
        call("3", 61, [prompt, user("a"), asked, *results, bot("A"), user("b")], bot("B"), **lead),
    ]
    tasks: list[list[Message]] = [[user(f"task {i}")] for i in range(3)]
    inner: list[Event] = []
    for n, i in enumerate(beats):
        said: dict[str, Any] = {"parent": f"r{i}"} if link == "run" else {}
        said |= {"agent": Agent(name=f"sub {i}")} if link == "agent" else {}
        heading = [] if link == "agent" else [say("system", "You search.")]
        answer = bot(texts[n])
        inner.append(call(f"i{n}", n + 1, [*heading, *tasks[i]], answer, **said))
        tasks[i] += [answer, user(texts[n + 1])]
    alone, together = one(*main), one(*main, *inner)
    assert together.messages == alone.messages
    assert len(together.branches) == len(set(beats))
    found = {tuple(m.text for m in b.messages if m.role != "system") for b in together.branches}
    assert found == {tuple(m.text for m in tasks[i][:-1]) for i in set(beats)}
    assert assemble(split(together)) == [together]


@pytest.mark.parametrize("session", ["s", None])
@pytest.mark.parametrize(
    "event",
    [
        call("1", None, [], bot("A")),
        call("1", None, [user("old"), bot("OLD"), user("a")]),
        call("1", 3, [user("old"), bot("OLD"), user("a")], bot("A"), bot("A2")),
        Step(id="1", name="x"),
        Step(id="1", step_type="session", name="T", inputs={"a": 1}),
        ToolRun(id="1", name="f", result=[1]),
    ],
    ids=["no input", "no answer", "choices", "step", "session step", "tool run"],
)
def test_a_single_event_comes_back_with_or_without_a_session(
    event: Event, session: str | None
) -> None:
    conversation = one(event.model_copy(update={"session": session}))
    assert conversation.session == session
    assert assemble(split(conversation)) == [conversation]


def test_what_was_split_gives_way_to_what_comes_later() -> None:
    old = one(call("1", 3, [user("old"), bot("OLD"), user("a")], bot("A")))
    told = [user("old"), bot("OLD"), user("a"), bot("A"), user("b")]
    grown = one(*split(old), call("2", 4, told, bot("B")))
    assert [m.text for m in grown.messages] == ["old", "OLD", "a", "A", "b", "B"]
    assert [m.id for m in grown.messages[:4]] == [m.id for m in old.messages]
    assert grown.ended_at == START + dt.timedelta(minutes=4)


def test_segments_come_back_and_hold_only_new_branches() -> None:
    events = [
        call("1", 0, [user("a")], bot("A")),
        call("2", 1, [user("a")], bot("A2")),
        call("3", 2, [user("a"), bot("A2"), user("b")], bot("B"), bot("B2")),
    ]
    sent, now = one(*events[:2]), one(*events)
    segment = following(now, sent, 1)
    assert segment is not None
    assert [m.text for m in segment.messages] == ["b", "B"]
    assert beside(segment) == [("choice", ["B2"])]
    assert segment.id == conversation_id("s", 1)
    assert assemble(split(segment)) == [segment]
    # What was sent in the transcript and has given way since is nothing new.
    regenerated = one(*events, call("4", 3, [user("a")], bot("A4")))
    again = following(regenerated, now, 2)
    assert again is not None
    assert [m.text for m in again.messages] == ["A4"]
    assert again.branches == ()


def test_a_session_takes_its_own_events_only() -> None:
    session = Session("s")
    with pytest.raises(UsageError, match="no events yet"):
        session.conversation()
    with pytest.raises(UsageError, match="of session 't', not 's'"):
        session.absorb(Step(id="1", session="t"))
    alone = Session()
    alone.absorb(Step(id="1"))
    alone.absorb(Step(id="1", name="fuller"))
    with pytest.raises(UsageError, match="conversation of its own"):
        alone.absorb(Step(id="2"))
    assert len(alone) == 1


def test_a_stored_session_of_another_version_is_refused() -> None:
    with pytest.raises(UsageError, match="version 99"):
        Session.from_json({**Session("s").to_json(), "version": 99})


def test_of_two_records_under_one_id_the_fuller_counts_late_too() -> None:
    bare, full = call("1", 0, [user("a")]), call("1", 0, [user("a")], bot("A"))
    follow = call("2", 1, [user("a"), bot("A"), user("b")], bot("B"))
    for events in ([bare, follow, full], [full, follow, bare], [follow, bare, full]):
        session = Session("s")
        for event in events:
            session.absorb(event)
            session.conversation()
        assert [session.conversation()] == assemble([full, follow])
