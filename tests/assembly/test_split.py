from __future__ import annotations

import datetime as dt

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmtee.assembly import assemble, fit, following, split
from llmtee.model import (
    Agent,
    Choice,
    Conversation,
    ErrorInfo,
    Event,
    Generation,
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
from llmtee.testing import strategies

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def say(role: str, text: str, **more: object) -> Message:
    return Message.model_validate({"role": role, "parts": [TextPart(text=text)], **more})


def test_one_call_for_each_answer_with_the_transcript_before_it() -> None:
    messages = (
        say("system", "be kind"),
        say("user", "a"),
        say("assistant", "A"),
        say("user", "b"),
        say("assistant", "B", generation=Generation(event="e2", model="m")),
    )
    first, second = split(Conversation(id="c", session="s", messages=messages))
    assert isinstance(first, ModelCall)
    assert isinstance(second, ModelCall)
    assert [m.text for m in first.input] == ["be kind", "a"]
    assert first.output is not None
    assert first.output.text == "A"
    assert [m.text for m in second.input] == ["be kind", "a", "A", "b"]
    assert (second.id, second.model, second.session) == ("e2", "m", "s")


def test_what_holds_for_the_whole_comes_first() -> None:
    conversation = Conversation(
        id="c",
        session="s",
        title="T",
        properties={"plan": "pro"},
        visibility="private",
        agents=(Agent(name="a"),),
        people=(Person(id="p"), Person(id="q")),
        messages=(say("user", "a"), say("assistant", "A")),
    )
    step, call = split(conversation)
    assert isinstance(step, Step)
    assert (step.step_type, step.name, step.properties) == ("session", "T", {"plan": "pro"})
    assert isinstance(call, ModelCall)
    assert call.agent == Agent(name="a")
    [back] = assemble([step, call])
    assert (back.title, back.visibility, back.people) == ("T", "private", conversation.people)


def test_each_paired_call_and_result_is_a_run_once() -> None:
    asked = Message(role="assistant", parts=(ToolCallPart(id="c1", name="f", arguments={"x": 1}),))
    told = Message(
        role="tool",
        parts=(ToolResultPart(call_id="c1", result="bad", is_error=True),),
        started_at=NOON,
    )
    bare = Conversation(id="c", session="s", messages=(say("user", "a"), asked, told))
    run = next(event for event in split(bare) if isinstance(event, ToolRun))
    assert (run.name, run.call_id, run.arguments, run.result) == ("f", "c1", {"x": 1}, "bad")
    assert run.error == ErrorInfo(message="bad")
    assert run.started_at == NOON
    [back] = assemble(split(bare))
    assert back.tool_runs == ()

    recorded = ToolRun(id="r", session="s", call_id="c1", name="f")
    runs = [
        event
        for event in split(bare.model_copy(update={"tool_runs": (recorded,)}))
        if isinstance(event, ToolRun)
    ]
    assert runs == [recorded]


def test_a_run_that_no_message_tells_of_stands_where_it_happened() -> None:
    run = ToolRun(id="r", session="s", name="f", started_at=NOON)
    later = NOON + dt.timedelta(seconds=1)
    messages = (say("user", "a"), say("assistant", "A", started_at=later))
    late = ToolRun(id="r2", session="s", name="f")
    conversation = Conversation(id="c", session="s", messages=messages, tool_runs=(run, late))
    assert [event.kind for event in split(conversation)] == ["tool_run", "model_call", "tool_run"]


def test_messages_after_the_last_answer_are_not_lost() -> None:
    conversation = Conversation(id="c", session="s", messages=(say("user", "anyone?"),))
    [call] = split(conversation)
    assert isinstance(call, ModelCall)
    assert (call.choices, call.flags) == ((), ("unanswered",))


def test_a_failed_call_comes_back_as_one() -> None:
    error = ErrorInfo(message="overloaded")
    failed = ModelCall(id="e", session="s", input=(say("user", "a"),), error=error)
    events = split(assemble([failed])[0])
    call = next(event for event in events if isinstance(event, ModelCall))
    assert (call.id, call.error, call.choices) == ("e", error, ())


def test_a_conversation_without_a_session_stays_together() -> None:
    messages = (say("user", "a"), say("assistant", "A"), say("user", "b"), say("assistant", "B"))
    [back] = assemble(split(Conversation(id="c", messages=messages)))
    assert [message.text for message in back.messages] == ["a", "A", "b", "B"]


def _calls() -> st.SearchStrategy[list[Event]]:
    words = st.sampled_from(("a", "b", "c"))
    message = st.builds(say, st.sampled_from(("user", "assistant", "system", "tool")), words)
    choice = st.builds(Choice, message=st.builds(say, st.just("assistant"), words))
    call = st.builds(
        ModelCall,
        id=st.uuids().map(str),
        session=st.just("s"),
        started_at=st.none() | st.integers(0, 5).map(lambda n: NOON + dt.timedelta(minutes=n)),
        input=st.lists(message, max_size=5).map(tuple),
        choices=st.lists(choice, max_size=1).map(tuple),
        error=st.none() | st.just(ErrorInfo(message="no")),
    )
    return st.lists(call | strategies.events(), min_size=1, max_size=5)


@settings(suppress_health_check=list(HealthCheck))
@given(events=_calls())
def test_split_and_assembled_again_any_conversation_is_the_same(events: list[Event]) -> None:
    for conversation in assemble(events):
        parts = split(conversation)
        assert len({event.id for event in parts}) == len(parts)
        assert assemble(parts) == [conversation]


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(conversation=strategies.conversations())
def test_any_conversation_splits_into_events_of_one_session(conversation: Conversation) -> None:
    before = conversation.model_copy(deep=True)
    events = split(conversation)
    assert split(conversation) == events
    assert conversation == before
    assert {event.session for event in events} <= {conversation.session or conversation.id}
    assert len({event.id for event in events}) == len(events)


def test_fit_splits_for_events_and_assembles_for_conversations() -> None:
    conversation = Conversation(
        id="c", session="s", messages=(say("user", "a"), say("assistant", "A"))
    )
    step = Step(id="x", session="t")
    assert fit([conversation, step], "event") == [*split(conversation), step]
    assert fit([step, conversation], "conversation") == [conversation, *assemble([step])]


def test_the_following_segment_holds_what_is_new() -> None:
    a, b = say("user", "a", id="1", started_at=NOON), say("assistant", "A", id="2")
    later = NOON + dt.timedelta(hours=1)
    c = say("user", "b", id="3", started_at=later)
    sent = Conversation(id=conversation_id("s"), session="s", messages=(a, b), started_at=NOON)
    now = sent.model_copy(update={"messages": (a, b, c), "ended_at": later})
    segment = following(now, sent, 1)
    assert segment is not None
    assert (segment.id, segment.segment) == (conversation_id("s", 1), 1)
    assert segment.messages == (c,)
    assert (segment.started_at, segment.ended_at) == (later, later)
    assert following(sent, sent, 1) is None
