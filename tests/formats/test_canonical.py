"""Our own JSON: exact for what this version writes, tolerant of what a newer one will."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtee import jsontext
from llmtee._data_files import data_dir
from llmtee.errors import InputError
from llmtee.formats.canonical import FORMAT, decode, detect
from llmtee.model import Conversation, Item, ModelCall, OtherPart, conversation_id
from llmtee.testing import strategies

items = strategies.events() | strategies.conversations()
RECORDS = [
    path
    for path in sorted((data_dir("fixtures") / "formats" / "llmtee").glob("*.json"))
    if not path.name.endswith(".expected.json")
]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_record_is_the_expected_item(path: Path, golden: Callable[[Path, Any], None]) -> None:
    [item] = decode(jsontext.loads(path.read_bytes()))
    golden(path.with_suffix(".expected.json"), item.to_json())


@given(items)
def test_what_is_written_is_read_again(item: Item) -> None:
    assert decode(item.to_json()) == [item]
    assert decode(jsontext.loads(jsontext.dumps(item.to_json()))) == [item]


@given(item=items, data=st.data())
def test_a_field_of_a_newer_version_never_fails(item: Item, data: st.DataObject) -> None:
    raw = item.to_json()
    holder = data.draw(st.sampled_from(list(objects(raw))))
    holder["from_the_future"] = {"deep": [1]}
    [found] = decode(raw)
    assert any(flag.endswith("from_the_future") for flag in found.flags)
    assert "from_the_future" in str(found.to_json())
    assert decode(found.to_json()) == [found]


def objects(value: Any) -> Any:
    """The canonical objects in an item's JSON: those that a newer version may give more fields."""
    yield value
    for key in ("agent", "person", "error", "usage", "cost", "template", "native", "generation"):
        if isinstance(value.get(key), dict):
            yield from objects(value[key])
    if isinstance(value.get("message"), dict):
        yield from objects(value["message"])
    many = ("input", "messages", "choices", "tools", "tool_runs", "agents", "people")
    for key in many:
        for inner in value.get(key) or () if isinstance(value.get(key), list) else ():
            if isinstance(inner, dict) and "variables" not in value:
                yield from objects(inner)


def test_a_field_of_an_object_without_extra_is_kept_by_the_one_around_it() -> None:
    raw = {"kind": "model_call", "id": "e", "usage": {"input_tokens": 1, "carbon": 2}}
    [call] = decode(raw)
    assert isinstance(call, ModelCall)
    assert call.extra == {"usage.carbon": 2}
    assert call.flags == ("unknown field kept in extra: usage.carbon",)


def test_a_part_of_a_newer_version_is_kept_whole() -> None:
    part = {"type": "hologram", "beams": 3}
    [call] = decode({"kind": "model_call", "id": "e", "input": [{"role": "user", "parts": [part]}]})
    assert isinstance(call, ModelCall)
    assert call.input[0].parts == (OtherPart(name="hologram", data=part),)
    assert call.flags == ("unknown field kept in extra: input[].parts[].type=hologram",)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({}, "kind"),
        ({"kind": "span"}, "kind"),
        ({"kind": ["model_call"]}, "kind"),
        ({"kind": "model_call", "id": 7}, "id"),
        ({"kind": "model_call", "input": {}}, "input"),
        ({"kind": "model_call", "input": ["hi"]}, "input[0]"),
        ({"kind": "model_call", "input": [{"parts": []}]}, "input[0].role"),
        (
            {"kind": "model_call", "input": [{"role": "user", "parts": [{}]}]},
            "input[0].parts[0].type",
        ),
        (
            {
                "kind": "model_call",
                "input": [{"role": "user", "parts": [{"type": "text", "text": 5}]}],
            },
            "input[0].parts[0].text",
        ),
        ({"kind": "model_call", "choices": [{}]}, "choices[0].message"),
        ({"kind": "model_call", "usage": {"input_tokens": "many"}}, "usage.input_tokens"),
        ({"kind": "tool_run", "started_at": "soon"}, "started_at"),
        ({"kind": "tool_run", "tags": ["a", 1]}, "tags[1]"),
        ({"kind": "step", "source_ids": {"a": 1}}, "source_ids.a"),
        (
            {"kind": "conversation", "id": "c", "tool_runs": [{"id": "t", "name": 1}]},
            "tool_runs[0].name",
        ),
        ({"kind": "conversation", "id": "c", "segment": "x"}, "segment"),
    ],
)
def test_a_wrong_value_is_named_by_its_path(raw: dict[str, Any], path: str) -> None:
    with pytest.raises(InputError) as caught:
        decode(raw)
    assert caught.value.path == path
    assert "pydantic" not in str(caught.value)


def test_what_has_no_id_gets_the_same_one_each_time() -> None:
    raw = {"kind": "tool_run", "name": "look", "arguments": {"b": 1, "a": 2}}
    again = {"arguments": {"a": 2, "b": 1}, "name": "look", "kind": "tool_run"}
    assert decode(raw) == decode(again)
    talk = {
        "kind": "conversation",
        "session": "s",
        "tool_runs": [{"name": "look"}, {"name": "look"}],
    }
    [found] = decode(talk)
    assert isinstance(found, Conversation)
    assert found.id == conversation_id("s")
    assert len({run.id for run in found.tool_runs}) == 2
    assert decode(talk) == [found]


@given(items)
def test_our_own_is_recognised(item: Item) -> None:
    assert detect(item.to_json()) == f"kind is {item.kind!r}"


@pytest.mark.parametrize("raw", [None, 3, [], "kind", {}, {"kind": 3}, {"kind": "span"}])
def test_nothing_else_is(raw: Any) -> None:
    assert FORMAT.detect(raw) is None
