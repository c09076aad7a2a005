"""Tokens are the field that integrations get wrong: from a provider's record to each vendor, totals agree exactly."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

import llmtee
from llmtee import registry
from llmtee._data_files import data_dir
from llmtee.model import Conversation, Message, ModelCall

_TIME = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

RECORDS = sorted(
    path
    for path in (data_dir("fixtures") / "formats").glob("*/*.json")
    if not path.name.endswith(".expected.json")
)


def calls(path: Path) -> list[ModelCall]:
    """All model calls of a record that say how many tokens they used, dated where the record has no time."""
    decoded = registry.format(path.parent.name).decode(json.loads(path.read_text("utf-8")))
    return [
        item.model_copy(update={"started_at": item.started_at or item.ended_at or _TIME})
        for item in decoded
        if isinstance(item, ModelCall) and item.usage is not None
    ]


USED = [path for path in RECORDS if calls(path)]


def answers(call: ModelCall) -> list[Message]:
    return [choice.message for choice in call.choices]


def totals(call: ModelCall) -> tuple[int | None, int | None]:
    assert call.usage is not None
    return call.usage.input_tokens, call.usage.output_tokens


@pytest.mark.parametrize("vendor", ["honeyhive", "voker"])
@pytest.mark.parametrize("path", USED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_an_event_keeps_its_totals(path: Path, vendor: str) -> None:
    for call in calls(path):
        [rendered] = llmtee.render([call], vendor)
        assert rendered.skip is None
        back = [item for item in llmtee.parse(rendered.body, vendor) if isinstance(item, ModelCall)]
        assert [totals(one) for one in back] == [totals(call)]


@pytest.mark.parametrize("path", USED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_conversation_keeps_the_totals_of_its_answers(path: Path) -> None:
    for call in calls(path):
        [rendered] = llmtee.render([call], "inkeep")
        [back] = llmtee.parse(rendered.body, "inkeep")
        assert isinstance(back, Conversation)
        made = [message.generation for message in back.messages if message.generation is not None]
        assert [
            (one.usage.input_tokens, one.usage.output_tokens)
            for one in made
            if one.usage is not None
        ] == [totals(call)]


@pytest.mark.parametrize("path", USED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_chat_holds_the_sums_in_its_properties(path: Path) -> None:
    for call in calls(path):
        [rendered] = llmtee.render([call], "roark")
        if rendered.skip is not None:  # a chat without a word
            assert not any(message.text.strip() for message in (*call.input, *answers(call)))
            continue
        properties = rendered.body["properties"]
        found = (properties.get("inputTokens"), properties.get("outputTokens"))
        assert found == totals(call)
