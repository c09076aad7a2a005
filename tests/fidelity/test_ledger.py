from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import HealthCheck, given, settings

from llmtee.errors import InputError
from llmtee.fidelity import Change, Entry, Ledger, explain_fitting, explain_rendering
from llmtee.model import Conversation, Item, Message, ModelCall, Step, TextPart
from llmtee.spec import Note
from llmtee.testing import strategies


def say(role: str, text: str, **more: Any) -> Message:
    return Message.model_validate({"role": role, "parts": [TextPart(text=text)], **more})


def statuses(ledger: Ledger) -> dict[str, tuple[str, int]]:
    return {entry.path: (entry.status, entry.count) for entry in ledger.entries}


def rows(ledger: Ledger) -> list[tuple[str, str, int]]:
    return [(entry.path, entry.status, entry.count) for entry in ledger.entries]


def reading(*items: Item) -> Any:
    return lambda body: list(items)


def test_what_comes_back_is_kept_what_does_not_is_lost() -> None:
    item = Step(id="1", name="n", properties={"a": 1, "b": [1, {"c": None}]}, tags=("x", "y"))
    back = Step(id="1", name="other", properties={"a": 1, "b": [1]}, tags=("y",))
    assert rows(explain_rendering(item, {}, reading(back))) == [
        ("id", "kept", 1),
        ("name", "changed", 1),
        ("properties.a", "kept", 1),
        ("properties.b[]", "kept", 1),
        ("properties.b[].c", "lost", 1),
        ("tags[]", "kept", 1),
        ("tags[]", "lost", 1),
    ]


def test_what_comes_back_only_from_free_form_fields_is_parked() -> None:
    item = Step(id="1", name="n", properties={"plan": "pro"})

    def parse(body: dict[str, Any]) -> list[Item]:
        return [Step(id=body["id"], name=body["name"], properties=body["metadata"])]

    body = {"id": "1", "name": "n", "metadata": {"plan": "pro"}}
    ledger = explain_rendering(item, body, parse, free_form=("metadata",))
    assert statuses(ledger)["properties.plan"] == ("parked", 1)
    assert (ledger.kept, ledger.parked, ledger.lost) == (2, 1, 0)
    assert body["metadata"] == {"plan": "pro"}


def test_free_form_fields_in_lists_are_emptied() -> None:
    item = Conversation(id="1", messages=(say("user", "a", properties={"x": 1}),))

    def parse(body: dict[str, Any]) -> list[Item]:
        messages = [say(m["role"], m["text"], properties=m["more"]) for m in body["messages"]]
        return [Conversation(id="1", messages=tuple(messages))]

    body = {"messages": [{"role": "user", "text": "a", "more": {"x": 1}}]}
    ledger = explain_rendering(item, body, parse, free_form=("messages[].more",))
    assert statuses(ledger)["messages[].properties.x"] == ("parked", 1)
    assert statuses(ledger)["messages[].parts[].text"] == ("kept", 1)


def test_a_body_that_needs_its_free_form_fields_keeps_nothing_without_them() -> None:
    item = Step(id="1", name="n")

    def parse(body: dict[str, Any]) -> list[Item]:
        if not body["metadata"]:
            raise InputError("must not be empty", path="metadata")
        return [item]

    ledger = explain_rendering(item, {"metadata": {"n": 1}}, parse, free_form=("metadata",))
    assert (ledger.kept, ledger.parked) == (0, 2)


def test_a_dropped_message_does_not_cost_the_others() -> None:
    texts = ["be kind", "a", "A", "b", "B"]
    messages = tuple(say("system" if i == 0 else "user", t) for i, t in enumerate(texts))
    item = Conversation(id="1", messages=messages)
    back = Conversation(id="1", messages=messages[1:])
    ledger = explain_rendering(item, {}, reading(back))
    kept = {e.path: e.count for e in ledger.entries if e.status == "kept"}
    lost = {e.path: e.count for e in ledger.entries if e.status == "lost"}
    assert kept["messages[].parts[].text"] == 4
    assert lost["messages[].parts[].text"] == 1


def test_messages_are_matched_by_id_where_both_have_ids() -> None:
    item = Conversation(id="1", messages=(say("user", "a", id="x"), say("user", "a", id="y")))
    back = Conversation(id="1", messages=(say("user", "a", id="y"),))
    lost = [e for e in explain_rendering(item, {}, reading(back)).entries if e.status == "lost"]
    assert [(e.path, e.count) for e in lost] == [
        ("messages[].id", 1),
        ("messages[].parts[].text", 1),
        ("messages[].parts[].type", 1),
        ("messages[].role", 1),
    ]


def test_a_changed_role_costs_the_role_only() -> None:
    item = Conversation(id="1", messages=(say("developer", "a"), say("user", "b")))
    back = Conversation(id="1", messages=(say("system", "a"), say("user", "b")))
    ledger = explain_rendering(item, {}, reading(back))
    changed = Entry("messages[].role", "changed", 1, "it comes back changed", '"developer"')
    assert [entry for entry in ledger.entries if entry.status != "kept"] == [changed]
    assert (ledger.lost, ledger.changed) == (1, 1)


def test_a_text_that_comes_back_in_part_is_trimmed_where_rendering_said_so() -> None:
    item = Conversation(id="1", title="long", messages=(say("user", "long text"),))
    back = Conversation(id="1", title="lo…", messages=(say("user", "lo…"),))
    note = Note("messages[]", "trimmed", "too large")
    ledger = explain_rendering(item, {}, reading(back), notes=[note])
    found = {entry.path: (entry.status, entry.reason) for entry in ledger.entries}
    assert found["messages[].parts[].text"] == ("trimmed", "it comes back changed")
    assert found["title"] == ("changed", "it comes back changed")
    assert ledger.summary() == (
        "5 values: 3 kept, 0 parked, 2 lost (of these 1 changed, 1 trimmed)"
    )


def test_numbers_and_truth_are_told_apart() -> None:
    item = Step(id="1", properties={"a": 1, "b": 1, "c": True, "d": 10**30})
    back = Step(id="1", properties={"a": 1.0, "b": True, "c": True, "d": 10**30})
    found = statuses(explain_rendering(item, {}, reading(back)))
    assert found["properties.a"][0] == "changed"
    assert found["properties.b"][0] == "changed"
    assert found["properties.c"][0] == "kept"
    assert found["properties.d"][0] == "kept"


def test_a_time_cut_to_the_millisecond_is_kept_and_says_so() -> None:
    time = dt.datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=dt.UTC)
    item = Step(id="1", started_at=time, ended_at=time)
    back = Step(
        id="1",
        started_at=time.replace(microsecond=123000),
        ended_at=time + dt.timedelta(milliseconds=1),
    )
    entries = {entry.path: entry for entry in explain_rendering(item, {}, reading(back)).entries}
    assert (entries["started_at"].status, entries["started_at"].reason) == (
        "kept",
        "to the millisecond",
    )
    assert entries["ended_at"].status == "changed"


def test_the_native_block_counts_once() -> None:
    native = {"dialect": "mine", "request": {"a": [1, 2, 3]}, "response": {"b": 4}}
    item = ModelCall(id="1", native=native)
    assert statuses(explain_rendering(item, {}, reading(item)))["native"] == ("kept", 1)


def test_without_a_place_all_is_lost_for_that_reason() -> None:
    ledger = explain_rendering(Step(id="1", name="n"), None, reading(), skip="no place for steps")
    assert {entry.reason for entry in ledger.entries} == {"no place for steps"}
    assert (ledger.kept, ledger.lost) == (0, 2)


def test_the_reason_is_that_of_the_note_then_of_the_nearest_field() -> None:
    item = Step(id="1", name="n", properties={"a": 1, "b": 1}, metrics={"c": 1})
    ledger = explain_rendering(
        item,
        {},
        reading(Step(id="1")),
        reasons={"properties": "none", "properties.a": "no a", "metric": "not this"},
        notes=[Note("name", "dropped", "too long")],
    )
    reasons = {entry.path: entry.reason for entry in ledger.entries}
    assert reasons["name"] == "too long"
    assert reasons["properties.a"] == "no a"
    assert reasons["properties.b"] == "none"
    assert reasons["metrics.c"] == "the vendor has no field for it"
    assert ledger.notes == (Change("name", "dropped", "too long"),)


def test_keys_that_are_no_names_are_quoted() -> None:
    item = Step(id="1", metrics={"Answer Faithfulness": 5, "a.b": 1})
    paths = [entry.path for entry in explain_rendering(item, {}, reading(item)).entries]
    assert paths == ["id", "metrics['Answer Faithfulness']", "metrics['a.b']"]


def test_ledgers_add_up_and_read_well() -> None:
    one = Ledger.of(
        [Entry("b", "kept", 1), Entry("a", "lost", 2, "why", '"x"')], [Change("a", "cut", "w")]
    )
    both = Ledger.merged([one, one])
    assert both.entries == (Entry("a", "lost", 4, "why", '"x"'), Entry("b", "kept", 2))
    assert both.summary() == "6 values: 2 kept, 0 parked, 4 lost"
    assert str(both).splitlines() == [
        "6 values: 2 kept, 0 parked, 4 lost",
        'lost  a ×4  "x"  why',
        "kept  b ×2",
        "cut   a ×2       w",
    ]
    assert both.to_json()["entries"][0] == {
        "path": "a",
        "status": "lost",
        "count": 4,
        "reason": "why",
        "example": '"x"',
    }


def test_fitting_names_only_what_it_loses() -> None:
    item = ModelCall(id="1", session="s", name="n", model="m")
    back = ModelCall(id="1", session="s", model="m")
    lost = Entry("name", "lost", 1, "a conversation has no field for it", '"n"')
    assert explain_fitting(item, back, "conversation").entries == (lost,)
    nothing = explain_fitting(item, None, "conversation")
    assert {entry.path for entry in nothing.entries} == {"id", "session", "name", "model"}


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(item=strategies.events() | strategies.conversations())
def test_an_item_compared_with_itself_loses_nothing(item: Item) -> None:
    ledger = explain_rendering(item, {}, reading(item))
    assert ledger.lost == 0
    assert ledger.kept > 0


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(item=strategies.conversations(), other=strategies.conversations())
def test_every_value_is_counted_once_whatever_comes_back(
    item: Conversation, other: Conversation
) -> None:
    whole = explain_rendering(item, {}, reading(item))
    ledger = explain_rendering(item, {}, reading(other))
    assert ledger.kept + ledger.lost == whole.kept
