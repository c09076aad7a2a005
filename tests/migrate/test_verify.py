from __future__ import annotations

import datetime as dt
import json
import random
import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import llmtee
from llmtee import Conversation, Message, ModelCall, Step, ToolRun, registry
from llmtee.delivery import history
from llmtee.fidelity import Ledger, explain_missing, plain, walk
from llmtee.migrate import comparing
from llmtee.migrate.verify import Verification, verify
from llmtee.model import Annotation, Item, Supplement
from llmtee.model.ids import derive_id
from llmtee.spec import ExporterSettings, Window, supplement_out
from llmtee.testing import strategies
from llmtee.testing.emulators import Emulator, emulator_class

START = dt.datetime(2026, 1, 1, 10, tzinfo=dt.UTC)


def said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "text": text}]}


def session_of(number: int, turns: int = 3) -> list[Item]:
    """A session of several calls, one of them with a tool."""
    said_before: list[Any] = [said("system", "Be brief.")]
    found: list[Item] = []
    for turn in range(turns):
        at = START + dt.timedelta(hours=number, minutes=turn)
        said_before.append(said("user", f"question {turn} of session {number}"))
        answer = said("assistant", f"answer {turn} of session {number}")
        if turn == 1:
            answer["parts"].append(
                {
                    "type": "tool_call",
                    "id": f"call-{number}",
                    "name": "look",
                    "arguments": {"n": number},
                }
            )
        found.append(
            ModelCall(
                id=derive_id("call", str(number), str(turn)),
                session=f"session-{number}",
                model="gpt-4o",
                input=list(said_before),
                choices=[{"message": answer, "finish_reason": "stop"}],
                started_at=at,
                ended_at=at + dt.timedelta(seconds=2),
                person={"id": f"person-{number}"},
            )
        )
        said_before.append(answer)
        if turn == 1:
            found.append(
                ToolRun(
                    id=derive_id("run", str(number)),
                    session=f"session-{number}",
                    name="look",
                    call_id=f"call-{number}",
                    arguments={"n": number},
                    result=f"result {number}",
                    started_at=at + dt.timedelta(seconds=3),
                    ended_at=at + dt.timedelta(seconds=4),
                )
            )
            result = {
                "type": "tool_result",
                "call_id": f"call-{number}",
                "result": f"result {number}",
            }
            said_before.append({"role": "tool", "parts": [result]})
    return found


TARGETS: list[ExporterSettings] = [
    llmtee.HoneyHive(project="p"),
    llmtee.Inkeep(),
    llmtee.Roark(),
]


@cache
def all_held(target: ExporterSettings) -> list[Any]:
    return held(HISTORY, target)


def held(items: Sequence[Item], target: ExporterSettings) -> list[Any]:
    """What reading the target would give of what is sent."""
    bodies = [one.wire.body for one in llmtee.render(items, target)]
    vendor = registry.vendor(target.vendor)
    written = [item for body in bodies if body is not None for item in vendor.parse(body)]
    return [item for one in written if (item := vendor.readable(one, target)) is not None]


def compared(
    expected: Sequence[Item | Supplement],
    found: Sequence[Item | Supplement],
    target: ExporterSettings,
    **options: Any,
) -> Verification:
    return verify(expected, found, registry.vendor(target.vendor), target, **options)


HISTORY = [item for number in range(2) for item in session_of(number)]
by_name = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.vendor)


@by_name
def test_equal_histories_are_ok_in_whatever_order(target: ExporterSettings) -> None:
    found = all_held(target)
    mixed = random.Random(7)
    expected = mixed.sample(HISTORY, len(HISTORY))
    done = compared(expected, mixed.sample(found, len(found)), target)
    assert done.differences == ()
    assert done.ok
    assert done.matched == len(found)
    assert done.expected == done.found
    assert done.expected.sessions == 2


@by_name
def test_what_the_ledger_foretells_is_told_and_is_no_difference(target: ExporterSettings) -> None:
    vendor = registry.vendor(target.vendor)
    rendered = llmtee.render(HISTORY, target)
    foretold = Ledger.merged(one.ledger for one in rendered)
    written = [item for one in rendered for item in vendor.parse(one.wire.body)]
    given_back = [(item, vendor.readable(item, target)) for item in written]
    reason = f"{vendor.title} keeps it, but its API does not give it back"
    unread = Ledger.merged(explain_missing(*pair, reason) for pair in given_back)
    done = compared(HISTORY, all_held(target), target)
    assert done.predicted.entries == Ledger.merged([foretold, unread]).entries
    given = compared(HISTORY, all_held(target), target, predicted=foretold)
    assert given.predicted == Ledger.merged([foretold, unread])
    assert (unread.lost > 0) == (target.vendor == "roark")


@settings(suppress_health_check=list(HealthCheck), max_examples=10)
@given(
    items=st.lists(strategies.events() | strategies.conversations(), max_size=3),
    target=st.sampled_from(TARGETS),
)
def test_any_history_is_equal_to_itself(items: list[Item], target: ExporterSettings) -> None:
    items = list({item.id: item for item in items}.values())
    found = held_singly(items, target)
    done = compared(items, found, target)
    assert done.ok, done.lines()


@settings(suppress_health_check=list(HealthCheck), max_examples=10)
@given(item=strategies.events() | strategies.conversations(), target=st.sampled_from(TARGETS))
def test_reading_gives_nothing_that_was_not_written(item: Item, target: ExporterSettings) -> None:
    vendor = registry.vendor(target.vendor)
    read = [one for body in bodies_of([item], target) for one in vendor.parse(body)]
    for written in (item, *read):
        left = vendor.readable(written, target)
        assert left is not None
        outcomes = {found.outcome for found in walk(plain(left), plain(written))}
        assert outcomes <= {"same", "added", "surplus"}
        assert left is written or left != written
        assert vendor.readable(left, target) is left


def bodies_of(items: Sequence[Item], target: ExporterSettings) -> list[Any]:
    try:
        wires = [one.wire for one in llmtee.render(items, target)]
    except llmtee.errors.RenderError:
        return []
    return [wire.body for wire in wires if wire.body is not None]


def held_singly(items: Sequence[Item], target: ExporterSettings) -> list[Any]:
    found = []
    for item in llmtee.assembly.fit(items, registry.vendor(target.vendor).grain):
        try:
            found += held([item], target)
        except llmtee.errors.RenderError:
            continue
    return found


def test_what_differs_is_shown_with_its_place_and_both_texts() -> None:
    target = TARGETS[1]
    first, *others = all_held(target)
    long = "so far it is the same for more than sixty characters, whatever comes then: "
    message = first.messages[1]
    update = {
        "parts": (message.parts[0].model_copy(update={"text": message.text + long + "now\x1b[2J"}),)
    }
    spoiled = with_one(
        [first],
        0,
        messages=(first.messages[0], message.model_copy(update=update), *first.messages[2:]),
    )
    done = compared(HISTORY, [*spoiled, *others], target)
    [found] = done.differences
    assert found.to_json() == {
        "what": "changed",
        "session": "session-0",
        "item": first.id,
        "kind": "conversation",
        "path": "messages[1].parts[0].text",
        "expected": "…'of session 0'",
        "found": "…'of session 0so far it is the same for more than sixty charac'…",
    }
    assert json.loads(json.dumps(done.to_json()))["counts"] == {"changed": 1}
    *_, told, line = done.lines()
    assert told == "1 difference that nobody foretold: 1 changed"
    assert line.startswith("  session session-0: conversation ")
    assert all(text.isprintable() for text in done.lines())
    assert str(done) == "\n".join(done.lines())


@by_name
def test_what_else_the_target_holds_may_be_left_alone(target: ExporterSettings) -> None:
    others = held(session_of(7), target)
    strict = compared(HISTORY, [*all_held(target), *others], target)
    assert strict.counts == {"surplus": len(others)}
    lenient = compared(HISTORY, [*all_held(target), *others], target, exclusive=False)
    assert (lenient.ok, lenient.others) == (True, 1)
    assert "not compared: 1 session that" in str(lenient)


def test_a_session_that_the_target_made_is_no_surplus() -> None:
    target = TARGETS[0]
    made = Step(id="s", session="session-0", step_type="session", name="unknown")
    done = compared(HISTORY, [*all_held(target), made], target)
    assert done.ok
    assert done.beside == {"session": 1}
    assert compared(HISTORY, [*all_held(target), made, made], target).counts == {"duplicate": 1}


def test_all_differences_are_counted_and_the_first_are_kept() -> None:
    target = TARGETS[0]
    runs = [ToolRun(id=derive_id(str(i)), session="s") for i in range(comparing.SHOWN + 5)]
    done = compared(runs, [], target, predicted=Ledger())
    assert done.counts == {"missing": comparing.SHOWN + 5}
    assert len(done.differences) == comparing.SHOWN
    assert "more differences" in done.lines()[-1]


def test_neither_side_is_held_in_memory() -> None:
    """What was taken from a stream is gone before much more of it is taken."""
    waiting: list[weakref.ref[ToolRun]] = []
    most = 0

    def stream() -> Iterator[ToolRun]:
        nonlocal most
        for i in range(600):
            run = ToolRun(id=derive_id(str(i)), session=f"s-{i}")
            waiting.append(weakref.ref(run))
            yield run
            del run
            if i % 100 == 99:
                most = max(most, sum(one() is not None for one in waiting))

    assert compared(stream(), stream(), llmtee.OTLP(), predicted=Ledger()).expected.items == 600
    assert 0 < most < 10


# ── damage ──────────────────────────────────────────────────────────────────────────────────────────────────────

Damage = Callable[[list[Any], int, random.Random], list[Any]]


def dropped(found: list[Any], i: int, rng: random.Random) -> list[Any]:
    return [*found[:i], *found[i + 1 :]]


def doubled(found: list[Any], i: int, rng: random.Random) -> list[Any]:
    return [*found, found[i]]


def doubled_under_another_id(found: list[Any], i: int, rng: random.Random) -> list[Any]:
    return [*found, found[i].model_copy(update={"id": "another"})]


def shifted(found: list[Any], i: int, rng: random.Random) -> list[Any]:
    item = found[i]
    late = item.started_at + dt.timedelta(milliseconds=rng.choice([1, 3_600_000]))
    return with_one(found, i, started_at=late)


def with_one(found: list[Any], i: int, **update: Any) -> list[Any]:
    return [*found[:i], found[i].model_copy(update=update), *found[i + 1 :]]


def messages_of(item: Any) -> tuple[str, tuple[Message, ...]]:
    return ("messages", item.messages) if isinstance(item, Conversation) else ("input", item.input)


def message_damage(change: Callable[[list[Message], random.Random], list[Message]]) -> Damage:
    def damage(found: list[Any], i: int, rng: random.Random) -> list[Any]:
        places = [n for n, item in enumerate(found) if not isinstance(item, ToolRun)]
        place = places[i % len(places)]
        name, messages = messages_of(found[place])
        return with_one(found, place, **{name: tuple(change(list(messages), rng))})

    return damage


def without_one(messages: list[Message], rng: random.Random) -> list[Message]:
    messages.pop(rng.randrange(len(messages)))
    return messages


def with_one_twice(messages: list[Message], rng: random.Random) -> list[Message]:
    i = rng.randrange(len(messages))
    return [*messages[:i], messages[i], *messages[i:]]


def with_two_swapped(messages: list[Message], rng: random.Random) -> list[Message]:
    i = rng.randrange(len(messages) - 1)
    messages[i], messages[i + 1] = messages[i + 1], messages[i]
    return messages


def with_another_text(messages: list[Message], rng: random.Random) -> list[Message]:
    places = [i for i, message in enumerate(messages) if message.text]
    i = rng.choice(places)
    parts = [
        part.model_copy(update={"text": part.text + "!"}) if part.type == "text" else part
        for part in messages[i].parts
    ]
    messages[i] = messages[i].model_copy(update={"parts": tuple(parts)})
    return messages


def with_another_role(messages: list[Message], rng: random.Random) -> list[Message]:
    i = rng.randrange(len(messages))
    role = "user" if messages[i].role != "user" else "assistant"
    messages[i] = messages[i].model_copy(update={"role": role})
    return messages


DAMAGES: dict[str, tuple[Damage, set[str]]] = {
    "dropped": (dropped, {"missing"}),
    "doubled": (doubled, {"duplicate"}),
    "doubled_under_another_id": (doubled_under_another_id, {"duplicate"}),
    "shifted": (shifted, {"changed"}),
    "message_dropped": (message_damage(without_one), {"missing"}),
    "message_doubled": (message_damage(with_one_twice), {"duplicate"}),
    "messages_swapped": (message_damage(with_two_swapped), {"moved"}),
    "text_changed": (message_damage(with_another_text), {"changed"}),
    "role_changed": (message_damage(with_another_role), {"changed"}),
}


@by_name
@pytest.mark.parametrize("name", DAMAGES)
@settings(max_examples=4)
@given(seed=st.integers(0, 2**32))
def test_any_single_damage_is_found_and_named(
    target: ExporterSettings, name: str, seed: int
) -> None:
    damage, kinds = DAMAGES[name]
    rng = random.Random(seed)
    found = all_held(target)
    broken = damage(found, rng.randrange(len(found)), rng)
    assume(broken != found)
    done = compared(HISTORY, broken, target, predicted=Ledger())  # which nobody reads here
    assert not done.ok
    assert set(done.counts) == kinds, done.lines()
    [session] = {one.session for one in done.differences}
    assert session in {item.session for item in HISTORY}
    assert all(one.item in {item.id for item in [*found, *broken]} for one in done.differences)
    assert sum(done.counts.values()) == 1, done.lines()


# ── read from servers ───────────────────────────────────────────────────────────────────────────────────────────

END = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


def send(
    emulator: Emulator, units: Sequence[Item | Supplement], settings: ExporterSettings
) -> None:
    vendor = registry.vendor(settings.vendor)
    items = [unit for unit in units if not isinstance(unit, Annotation)]
    wires = [one.wire for one in llmtee.render(items, settings)]
    said = [unit for unit in units if isinstance(unit, Annotation)]
    wires += [supplement_out(vendor, unit, settings).wire for unit in said]
    for request in vendor.pack([wire for wire in wires if wire.body is not None], settings, {}):
        answer = emulator.ask(request.method, request.path, request.body)
        assert answer.status < 300, answer


def found_in(emulator: Emulator, settings: ExporterSettings) -> list[Item | Supplement]:
    return [item for page in history.pages(settings, Window(until=END)) for item in page.items]


def history_for(vendor: str) -> list[Item | Supplement]:
    """Units of the vendor's grain, with feedback."""
    events = [event for number in range(3) for event in session_of(number)]
    step = Step(
        id="the-session",
        session="session-0",
        step_type="session",
        name="First",
        started_at=events[0].started_at,
        extra={"honeyhive": {"project": "another"}},
    )
    if registry.vendor(vendor).grain == "event":
        target: dict[str, Any] = {"target": events[0].id, "session": "session-0"}
        units: list[Item | Supplement] = [step, *events]
    else:
        conversations = llmtee.assemble([step, *events])
        answer = next(m for m in conversations[0].messages if m.role == "assistant")
        target = {"target": answer.id, "target_type": "message", "session": "session-0"}
        units = list(conversations)
    said: dict[str, Any] = {"rating": "negative", "comment": "No.", "at": events[-1].ended_at}
    return [
        *units,
        Annotation(id="f-1", **target, **said),
        Annotation(id="f-2", **target, action="copied"),
    ]


@pytest.mark.parametrize("carry", [False, True], ids=["plain", "carry"])
@pytest.mark.parametrize("vendor", ["honeyhive", "inkeep", "roark"])
def test_what_was_sent_is_there_and_what_is_damaged_is_named(vendor: str, carry: bool) -> None:
    with emulator_class(vendor)() as emulator:
        settings = emulator.exporter(carry=carry)
        units = history_for(vendor)
        send(emulator, units, settings)

        def done() -> Verification:
            return verify(units, found_in(emulator, settings), registry.vendor(vendor), settings)

        first = done()
        assert first.ok, first.lines()
        assert first.expected.supplements == first.found.supplements == (vendor == "inkeep")
        damage(emulator)
        second = done()
        assert sum(second.counts.values()) >= 1
        assert {one.session for one in second.differences} == {"session-0"}


def damage(emulator: Any) -> None:
    if emulator.vendor == "honeyhive":
        event = next(e for e in emulator.events.values() if e["feedback"])
        event["feedback"]["comment"] = "Yes."
    elif emulator.vendor == "inkeep":
        [feedback] = emulator.feedback.values()
        feedback["details"] = "Yes."
    else:
        [chat] = [c for c in emulator.chats if c.body["properties"]["sessionId"] == "session-0"]
        chat.body["messages"][1]["text"] += "!"
