from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from llmtee import jsontext
from llmtee._data_files import data_dir
from llmtee.model import Conversation
from llmtee.spec import WireItem, trim_middle
from llmtee.testing import strategies
from llmtee.vendors.inkeep import VENDOR, Inkeep

SCHEMA = json.loads((data_dir("schemas") / "vendors/inkeep/conversation.json").read_text("utf-8"))
LIMIT = 2_000_000


def render(*messages: Any, **fields: Any) -> WireItem:
    value = {"id": "c1", "messages": messages, **fields}
    return VENDOR.render(Conversation.model_validate(value), Inkeep())


def said(text: str, role: str = "user", *parts: Any, **fields: Any) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "text": text}, *parts], **fields}


def shrunk(wire: WireItem, limit: int) -> WireItem:
    small = VENDOR.shrink(wire, limit, Inkeep())
    assert small is not None
    assert small.size == len(jsontext.dumps(small.body)) <= limit
    Draft202012Validator(SCHEMA).validate(small.body)
    assert [m["id"] for m in small.body["messages"]] == [m["id"] for m in wire.body["messages"]]
    assert VENDOR.parse(small.body)
    return small


def test_what_fits_stays_as_it_is() -> None:
    wire = render(said("Hi"))
    assert VENDOR.shrink(wire, wire.size, Inkeep()) is wire


def test_five_megabytes_in_many_scripts_fit_and_no_message_is_lost() -> None:
    scripts = ("नमस्ते दुनिया ", "👩‍👩‍👧‍👦", "مرحبا ", 'plain "quoted" text\n')
    messages = [said(script * 4_000, id=f"m{i}") for i, script in enumerate(scripts * 14)]
    messages += [said("short", id=f"short-{i}") for i in range(50)]
    wire = render(*messages)
    assert wire.size > 5_000_000
    before = jsontext.dumps(wire.body)
    small = shrunk(wire, LIMIT)
    assert small.size > LIMIT * 0.99  # cut no further than needed
    assert jsontext.dumps(wire.body) == before
    assert [m["content"] for m in small.body["messages"][-50:]] == ["short"] * 50
    assert "characters cut by llmtee …]" in small.body["messages"][0]["content"]
    trimmed = small.body["properties"]["llmteeTrimmed"]
    assert set(trimmed) == {"texts", "characters"}
    assert [(note.path, note.action) for note in small.notes] == [
        ("messages[].parts[].text", "trimmed"),
        ("messages[].parts[].text", "trimmed"),
    ]


def test_media_go_first_the_largest_before_the_others() -> None:
    images = [
        {"type": "media", "media": "image", "mime": "image/png", "data": "A" * size}
        for size in (50_000, 200_000)
    ]
    wire = render(said("x" * 5_000, "user", *images))
    small = shrunk(wire, 100_000)
    content = small.body["messages"][0]["content"]
    assert content[0]["text"] == "x" * 5_000
    assert content[1] == wire.body["messages"][0]["content"][1]
    assert content[2]["text"].startswith("[image: image/png, 200,")
    assert [note.action for note in small.notes] == ["dropped"]


def test_bytes_of_parked_media_are_dropped_and_the_media_come_back_without() -> None:
    audio = {"type": "media", "media": "audio", "mime": "audio/wav", "data": "A" * 200_000}
    small = shrunk(render(said("listen", "user", audio)), 100_000)
    [conversation] = VENDOR.parse(small.body)
    part = conversation.messages[0].parts[1]
    assert (part.type, part.mime, part.data) == ("media", "audio/wav", None)


def test_long_tool_results_are_trimmed_before_short_texts() -> None:
    wire = render(
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "call_1", "name": "read"}]},
        {
            "role": "tool",
            "parts": [{"type": "tool_result", "call_id": "call_1", "result": "語" * 100_000}],
        },
        said("y" * 3_000),
    )
    small = shrunk(wire, 50_000)
    assert small.body["messages"][1]["content"] == "y" * 3_000
    [conversation] = VENDOR.parse(small.body)
    assert [m.role for m in conversation.messages] == ["assistant", "tool", "user"]
    assert "characters cut by llmtee" in conversation.messages[1].parts[0].result


def test_signatures_are_kept_whole_or_not_at_all() -> None:
    reasoning = {"type": "reasoning", "text": "hm", "signature": "S" * 90_000}
    wire = render(said("z" * 50_000, "assistant", reasoning, id="m1"), said("short", id="m2"))
    for limit in (100_000, 60_000):
        text = jsontext.dumps(shrunk(wire, limit).body)
        assert b"S" * 90_000 in text or b"SSSS" not in text


def test_properties_go_after_texts_and_arguments_after_those() -> None:
    numbers = {"numbers": list(range(20_000))}
    call = {"type": "tool_call", "id": "call_1", "name": "sum", "arguments": numbers}
    wire = render(said("Hi", "assistant", call, properties=numbers), properties=numbers)
    without_properties = shrunk(wire, wire.size - 1_000)
    assert without_properties.body["messages"][0]["properties"] == {}
    assert without_properties.body["messages"][0]["tool_calls"][0]["function"]["arguments"] != "{}"
    without_arguments = shrunk(wire, 150_000)
    assert without_arguments.body["messages"][0]["tool_calls"][0]["function"]["arguments"] == "{}"
    bare = shrunk(wire, 1_000)
    assert set(bare.body["properties"]) == {"llmteeTrimmed"}
    assert [note.path for note in bare.notes] == [
        "messages[].properties",
        "messages[].parts[].arguments",
        "properties",
    ]


def test_shrinking_again_counts_what_was_cut_before() -> None:
    wire = render(said("w" * 100_000))
    twice = shrunk(shrunk(wire, 50_000), 10_000)
    [message] = twice.body["messages"]
    kept = message["content"].count("w")
    assert f"[… {100_000 - kept:,} characters cut by llmtee …]" in message["content"]


def test_what_cannot_be_shrunk_is_given_up() -> None:
    wire = render(*(said("Hi") for _ in range(200)))
    assert VENDOR.shrink(wire, 1_000, Inkeep()) is None


@given(
    conversation=strategies.conversations(), share=st.floats(0.05, 1.0), longer=strategies.texts()
)
def test_any_conversation_shrinks_or_is_given_up(
    conversation: Conversation, share: float, longer: str
) -> None:
    value = conversation.to_json()
    value["messages"] = [*value.get("messages", ()), said(longer * 100)]
    wire = VENDOR.render(Conversation.model_validate(value), Inkeep())
    limit = int(wire.size * share)
    if VENDOR.shrink(wire, limit, Inkeep()) is not None:
        shrunk(wire, limit)


@pytest.mark.parametrize("length", [0, 10, 50, 199, 200])
@given(text=st.text(min_size=1).map(lambda text: text * (400 // len(text) + 1)))
def test_trimmed_texts_keep_their_start_and_end(text: str, length: int) -> None:
    cut = trim_middle(text, length)
    head, _, tail = cut.partition("[… ")
    tail = tail.rpartition(" …]")[2]
    assert text.startswith(head)
    assert text.endswith(tail)
    assert len(cut) <= max(length, len("[… 1,000 characters cut by llmtee …]"))
