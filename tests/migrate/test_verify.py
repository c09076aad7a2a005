from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import llmtee
from llmtee import Conversation, Message, ModelCall, ToolRun, registry
from llmtee.fidelity import Ledger
from llmtee.migrate.verify import Verification, verify
from llmtee.model import Item, Supplement
from llmtee.spec import ExporterSettings
from llmtee.testing import strategies

START = dt.datetime(2026, 1, 1, 10, tzinfo=dt.UTC)


def said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "text": text}]}


def session_of(number: int, turns: int = 3) -> list[Item]:
    """A session of several calls, one of them with a tool."""
    history: list[Any] = [said("system", "Be brief.")]
    found: list[Item] = []
    for turn in range(turns):
        at = START + dt.timedelta(hours=number, minutes=turn)
        history.append(said("user", f"question {turn} of session {number}"))
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
                id=llmtee.model.ids.derive_id("call", str(number), str(turn)),
                session=f"session-{number}",
                model="gpt-4o",
                input=list(history),
                choices=[{"message": answer, "finish_reason": "stop"}],
                started_at=at,
                ended_at=at + dt.timedelta(seconds=2),
                person={"id": f"person-{number}"},
            )
        )
        history.append(answer)
        if turn == 1:
            found.append(
                ToolRun(
                    id=llmtee.model.ids.derive_id("run", str(number)),
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
            history.append({"role": "tool", "parts": [result]})
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
    """What reading the target would give: what its own ``parse`` reads from what is sent."""
    bodies = [one.wire.body for one in llmtee.render(items, target)]
    vendor = registry.vendor(target.vendor)
    return [item for body in bodies if body is not None for item in vendor.parse(body)]


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
    done = compared(HISTORY, all_held(target), target)
    foretold = Ledger.merged(one.ledger for one in llmtee.render(HISTORY, target))
    assert done.predicted == foretold
    given = compared(HISTORY, all_held(target), target, predicted=foretold)
    assert given.predicted == foretold


@settings(suppress_health_check=list(HealthCheck), max_examples=10)
@given(
    items=st.lists(
        strategies.events() | strategies.conversations(),
        max_size=3,
        unique_by=lambda item: item.id,
    ),
    target=st.sampled_from(TARGETS),
)
def test_any_history_is_equal_to_itself(items: list[Item], target: ExporterSettings) -> None:
    [*found] = held_singly(items, target)
    done = compared(items, found, target)
    assert done.ok, done.lines()


def held_singly(items: Sequence[Item], target: ExporterSettings) -> list[Any]:
    found = []
    for item in llmtee.assembly.fit(items, registry.vendor(target.vendor).grain):
        try:
            found += held([item], target)
        except llmtee.errors.RenderError:
            continue
    return found


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
