from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmtee.assembly import assemble, split
from llmtee.model import (
    Agent,
    Choice,
    CitationPart,
    Conversation,
    ErrorInfo,
    Event,
    Message,
    ModelCall,
    Person,
    ReasoningPart,
    Step,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolRun,
    Usage,
    conversation_id,
)
from llmtee.testing import strategies

START = dt.datetime(2026, 1, 1, 10, tzinfo=dt.UTC)


def at(minute: float) -> dt.datetime:
    return START + dt.timedelta(minutes=minute)


def say(role: str, text: str) -> Message:
    return Message(role=role, parts=(TextPart(text=text),))


def user(text: str) -> Message:
    return say("user", text)


def bot(text: str) -> Message:
    return say("assistant", text)


def ask(call_id: str, name: str, **arguments: Any) -> Message:
    call = ToolCallPart(id=call_id, name=name, arguments=arguments)
    return Message(role="assistant", parts=(call,))


def tell(call_id: str, result: Any) -> Message:
    return Message(role="tool", parts=(ToolResultPart(call_id=call_id, result=result),))


def call(
    name: str, minute: float | None, history: list[Message], *answers: Message, **more: Any
) -> ModelCall:
    times = {} if minute is None else {"started_at": at(minute), "ended_at": at(minute + 0.5)}
    return ModelCall(
        id=name,
        input=tuple(history),
        choices=tuple(Choice(message=answer) for answer in answers),
        **{"session": "s", **times, **more},
    )


def one(*events: Event) -> Conversation:
    [conversation] = assemble(events)
    return conversation


def transcript(conversation: Conversation) -> list[str]:
    return [message.text for message in conversation.messages]


def test_a_growing_history_stands_once() -> None:
    prompt = say("system", "be kind")
    conversation = one(
        call("1", 0, [prompt, user("a")], bot("A")),
        call("2", 1, [prompt, user("a"), bot("A"), user("b")], bot("B")),
        call("3", 2, [prompt, user("a"), bot("A"), user("b"), bot("B"), user("c")], bot("C")),
    )
    assert transcript(conversation) == ["be kind", "a", "A", "b", "B", "c", "C"]
    assert conversation.id == conversation_id("s")
    assert len({message.id for message in conversation.messages}) == 7
    assert conversation.flags == ()


def test_times_agents_people_and_generations_come_from_the_calls() -> None:
    usage = Usage(input_tokens=3, output_tokens=1)
    agent, person = Agent(name="helper", version="1"), Person(id="p")
    conversation = one(
        call("1", 0, [user("a")], bot("A"), model="m", usage=usage, agent=agent, person=person),
        call("2", 1, [user("a"), bot("A"), user("b")], bot("B"), agent=agent, person=person),
    )
    a, first, b, _ = conversation.messages
    assert (a.started_at, b.started_at) == (at(0), at(1))
    assert (first.started_at, first.ended_at) == (at(0), at(0.5))
    assert (a.person, first.agent) == (person, agent)
    assert first.generation is not None
    assert (first.generation.event, first.generation.model) == ("1", "m")
    assert first.generation.usage == usage
    assert (conversation.agents, conversation.people) == ((agent,), (person,))
    assert (conversation.started_at, conversation.ended_at) == (at(0), at(1.5))


def test_scores_of_a_call_stand_with_the_answer_and_go_back_to_the_call() -> None:
    scored = call("1", 0, [user("a")], bot("A"), metrics={"x": 1}, properties={"k": "v"})
    conversation = one(scored)
    assert conversation.messages[1].properties == {"metrics": {"x": 1}, "k": "v"}
    [back] = [event for event in split(conversation) if isinstance(event, ModelCall)]
    assert (back.metrics, back.properties) == ({"x": 1}, {"k": "v"})


def test_history_from_before_the_first_call_has_no_time() -> None:
    conversation = one(call("1", 5, [user("old"), bot("OLD"), user("new")], bot("NEW")))
    assert [message.started_at for message in conversation.messages] == [None, None, at(5), at(5)]
    assert conversation.messages[1].generation is None


def test_tool_rounds() -> None:
    asked, told = ask("c1", "lookup", q=1), tell("c1", "found")
    run = ToolRun(
        id="r", session="s", name="lookup", call_id="c1", started_at=at(0.6), ended_at=at(0.8)
    )
    conversation = one(
        call("1", 0, [user("a")], asked),
        run,
        call("2", 1, [user("a"), asked, told], bot("A")),
    )
    assert [message.role for message in conversation.messages] == [
        *("user", "assistant", "tool", "assistant")
    ]
    assert conversation.tool_runs == (run,)
    assert conversation.messages[2].started_at == at(0.6)
    assert conversation.messages[2].ended_at == at(0.8)


def test_parallel_tools_answered_in_any_order() -> None:
    both = Message(
        role="assistant",
        parts=(ToolCallPart(id="c1", name="x"), ToolCallPart(id="c2", name="y")),
    )
    conversation = one(
        call("1", 0, [user("a")], both),
        call("2", 1, [user("a"), both, tell("c2", "Y"), tell("c1", "X")], bot("A")),
        ToolRun(id="r1", session="s", call_id="c1", started_at=at(0.6)),
        ToolRun(id="r2", session="s", call_id="c2", started_at=at(0.6)),
    )
    assert len(conversation.messages) == 5
    assert len(conversation.tool_runs) == 2


def test_a_sliding_window() -> None:
    conversation = one(
        call("1", 0, [user("a")], bot("A")),
        call("2", 1, [user("a"), bot("A"), user("b")], bot("B")),
        call("3", 2, [user("b"), bot("B"), user("c")], bot("C")),
        call("4", 3, [user("c"), bot("C"), user("d")], bot("D")),
    )
    assert transcript(conversation) == ["a", "A", "b", "B", "c", "C", "d", "D"]


def test_a_window_that_begins_with_a_summary() -> None:
    conversation = one(
        call("1", 0, [user("a")], bot("A")),
        call("2", 1, [user("summary: a, A"), bot("A"), user("b")], bot("B")),
    )
    assert transcript(conversation) == ["a", "A", "b", "B"]


def test_only_the_new_turn() -> None:
    conversation = one(
        call("1", 0, [user("go")], bot("A")),
        call("2", 1, [user("on")], bot("B")),
        call("3", 2, [user("on")], bot("C")),
        call("4", 3, [user("go")], bot("A")),
    )
    assert transcript(conversation) == ["go", "A", "on", "B", "on", "C", "go", "A"]
    assert len({message.id for message in conversation.messages}) == 8


def test_only_the_new_turn_when_the_call_says_so() -> None:
    conversation = one(
        call("1", 0, [user("yes")], bot("A")),
        call("2", 1, [user("yes")], bot("B"), flags=("history_incomplete",)),
    )
    assert transcript(conversation) == ["yes", "A", "yes", "B"]


def test_an_edited_turn_replaces_what_followed() -> None:
    conversation = one(
        call("1", 0, [user("a")], bot("A")),
        call("2", 1, [user("a"), bot("A"), user("b")], bot("B")),
        call("3", 2, [user("a"), bot("A"), user("b, please")], bot("B2")),
    )
    assert transcript(conversation) == ["a", "A", "b, please", "B2"]
    assert conversation.flags == ("superseded_messages: 2",)
    assert conversation.messages[1].generation is not None


def test_a_regenerated_answer_replaces_the_old_one() -> None:
    conversation = one(
        call("1", 0, [user("a")], bot("A")),
        call("2", 1, [user("a")], bot("A2")),
    )
    assert transcript(conversation) == ["a", "A2"]


def test_going_back_to_an_older_answer_brings_back_what_is_known_of_it() -> None:
    conversation = one(
        call("1", 0, [user("a")], bot("A"), model="m"),
        call("2", 1, [user("a")], bot("A2")),
        call("3", 2, [user("a"), bot("A"), user("b")], bot("B")),
    )
    assert transcript(conversation) == ["a", "A", "b", "B"]
    generation = conversation.messages[1].generation
    assert generation is not None
    assert generation.model == "m"


def test_an_answer_written_back_in_other_words_keeps_its_generation() -> None:
    conversation = one(
        call("1", 0, [user("a")], bot("<think>hm</think>A"), model="m"),
        call("2", 1, [user("a"), bot("A"), user("b")], bot("B")),
    )
    assert transcript(conversation) == ["a", "A", "b", "B"]
    generation = conversation.messages[1].generation
    assert generation is not None
    assert generation.model == "m"


def test_a_tool_that_speaks_as_the_user_is_not_the_person() -> None:
    told = Message(role="user", parts=(ToolResultPart(call_id="c1", result="x"),))
    history = [user("a"), ask("c1", "f"), told]
    conversation = one(call("1", 0, history, bot("A"), person=Person(id="p")))
    assert [message.person for message in conversation.messages] == [
        *(Person(id="p"), None, None, None)
    ]


def test_an_answer_matches_its_copy_with_dropped_fields() -> None:
    answer = Message(
        role="assistant",
        parts=(
            ReasoningPart(text="hm"),
            TextPart(text="A "),
            CitationPart(url="https://example.com"),
        ),
        extra={"annotations": []},
    )
    conversation = one(
        call("1", 0, [user("a")], answer),
        call("2", 1, [user("a"), bot("A"), user("b")], bot("B")),
    )
    assert len(conversation.messages) == 4
    assert conversation.messages[1].parts == answer.parts


def test_a_new_prompt_replaces_the_old_one() -> None:
    conversation = one(
        call("1", 0, [say("system", "old"), user("a")], bot("A")),
        call("2", 1, [say("system", "new"), user("a"), bot("A"), user("b")], bot("B")),
    )
    assert transcript(conversation) == ["new", "a", "A", "b", "B"]
    assert conversation.flags == ("prompt_changes: 1",)


def test_a_call_for_a_title_is_no_turn() -> None:
    conversation = one(
        call("1", 0, [say("system", "be kind"), user("a")], bot("A")),
        call("2", 1, [say("system", "make a title"), user("a")], bot("Greeting")),
    )
    assert transcript(conversation) == ["be kind", "a", "A"]
    assert conversation.flags == ("side_calls: 1",)


def test_a_call_made_by_a_tool_is_no_turn() -> None:
    asked = ask("c1", "research")
    conversation = one(
        call("1", 0, [user("a")], asked),
        ToolRun(id="r", session="s", call_id="c1", started_at=at(0.6)),
        call("inner", 0.7, [user("search for a")], bot("inside"), parent="r"),
        call("2", 1, [user("a"), asked, tell("c1", "ok")], bot("A")),
    )
    assert transcript(conversation) == ["a", "", "", "A"]


def test_the_first_choice_counts_until_the_application_takes_another() -> None:
    first = call("1", 0, [user("a")], bot("A"), bot("A2"), model="m")
    assert transcript(one(first)) == ["a", "A"]
    both = one(first, call("2", 1, [user("a"), bot("A2"), user("b")], bot("B")))
    assert transcript(both) == ["a", "A2", "b", "B"]
    assert both.messages[1].generation is not None


def test_a_failed_call_leaves_the_turn_and_its_error_on_it() -> None:
    error = ErrorInfo(message="overloaded", status=529)
    failed = call("1", 0, [user("a")], error=error)
    conversation = one(failed)
    assert transcript(conversation) == ["a"]
    generation = conversation.messages[0].generation
    assert generation is not None
    assert (generation.event, generation.error) == ("1", error)
    assert conversation.flags == ("failed_calls: 1",)
    retried = one(failed, call("2", 1, [user("a")], bot("A")))
    assert transcript(retried) == ["a", "A"]
    assert retried.messages[0].id == conversation.messages[0].id


def test_a_failed_regeneration_keeps_the_answer() -> None:
    conversation = one(
        call("1", 0, [user("a")], bot("A")),
        call("2", 1, [user("a")], error=ErrorInfo(message="no")),
    )
    assert transcript(conversation) == ["a", "A"]


def test_a_late_record_fills_in_what_a_later_history_left_open() -> None:
    late = call("1", None, [user("a")], bot("A"), model="m")
    conversation = one(call("2", 1, [user("a"), bot("A"), user("b")], bot("B")), late)
    assert transcript(conversation) == ["a", "A", "b", "B"]
    assert conversation.messages[1].generation is not None


def test_calls_without_times_are_ordered_by_their_history() -> None:
    conversation = one(
        call("z", None, [user("a")], bot("A")),
        call("a", None, [user("a"), bot("A"), user("b")], bot("B")),
    )
    assert transcript(conversation) == ["a", "A", "b", "B"]
    assert all(message.generation for message in conversation.messages[1::2])


def test_a_session_step_speaks_for_the_whole() -> None:
    step = Step(
        id="st",
        session="s",
        step_type="session",
        name="Title",
        properties={"plan": "pro"},
        metrics={"score": 1},
        feedback={"rating": 5},
        tags=("x",),
        person=Person(id="p", properties={"name": "Ada"}),
        inputs={"question": "a"},
    )
    conversation = one(step, call("1", 0, [user("a")], bot("A"), person=Person(id="p")))
    assert conversation.title == "Title"
    assert conversation.properties == {"plan": "pro"}
    assert conversation.metrics == {"score": 1}
    assert conversation.feedback == {"rating": 5}
    assert conversation.tags == ("x",)
    assert conversation.people == (Person(id="p", properties={"name": "Ada"}),)
    assert conversation.extra == {"llmtee": {"inputs": {"question": "a"}}}


def test_sessions_are_kept_apart_and_events_without_one_stand_alone() -> None:
    found = assemble(
        [
            call("1", 0, [user("a")], bot("A"), session="x"),
            call("2", 1, [user("a")], bot("A"), session="y"),
            call("3", 2, [user("a")], bot("A"), session=None),
            call("4", 3, [user("a")], bot("A"), session=None),
        ]
    )
    assert [conversation.session for conversation in found] == ["x", "y", None, None]
    assert len({conversation.id for conversation in found}) == 4
    assert len({message.id for c in found for message in c.messages}) == 8


def test_nothing_makes_nothing() -> None:
    assert assemble([]) == []


def test_message_ids_stay_while_a_session_grows() -> None:
    events: list[Event] = []
    history: list[Message] = []
    before: tuple[Message, ...] = ()
    for i, text in enumerate(["yes", "no", "yes", "yes"]):
        history = [*history, user(text)]
        events.append(call(str(i), i, history, bot("ok")))
        history = [*history, bot("ok")]
        conversation = one(*events)
        assert [m.id for m in conversation.messages[: len(before)]] == [m.id for m in before]
        before = conversation.messages
    assert len({message.id for message in before}) == 8


def _sessions() -> st.SearchStrategy[list[Event]]:
    """Events of few sessions, with messages that repeat, so that histories meet."""
    message = st.builds(
        say, st.sampled_from(("user", "assistant", "system")), st.sampled_from(("a", "b", "c"))
    )
    realistic = st.builds(
        call,
        st.uuids().map(str),
        st.none() | st.integers(0, 5),
        st.lists(message, max_size=4),
        st.sampled_from(("A", "a", "b")).map(bot),
        session=st.sampled_from(("s", "t", None)),
    )
    return st.lists(realistic | strategies.events(), max_size=6)


@settings(suppress_health_check=list(HealthCheck))
@given(events=_sessions(), data=st.data())
def test_any_order_and_any_repetition_gives_the_same(events: list[Event], data: Any) -> None:
    once = list({event.id: event for event in events}.values())
    again = data.draw(st.lists(st.sampled_from(once), max_size=3)) if once else []
    shuffled = data.draw(st.permutations([*once, *again]))
    assert assemble(shuffled) == assemble(once)


@settings(suppress_health_check=list(HealthCheck))
@given(events=_sessions())
def test_every_conversation_has_its_own_ids(events: list[Event]) -> None:
    for conversation in assemble(events):
        ids = [message.id for message in conversation.messages]
        assert None not in ids
        assert len(set(ids)) == len(ids)


def test_of_two_records_under_one_id_the_fuller_counts() -> None:
    bare, full = call("1", 0, [user("a")]), call("1", 0, [user("a")], bot("A"))
    assert transcript(one(bare, full)) == transcript(one(full, bare)) == ["a", "A"]


def test_an_answer_does_not_date_its_twin_in_the_history() -> None:
    conversation = one(call("1", 5, [user("a"), bot("ok"), user("b")], bot("ok")))
    assert conversation.messages[1].generation is None
    assert conversation.messages[1].started_at is None
