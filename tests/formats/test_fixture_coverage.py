"""Each format has records of everything that logs hold, told by what they decode to and not by their names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmtee import registry
from llmtee._data_files import data_dir
from llmtee.model import (
    Item,
    MediaPart,
    Message,
    ModelCall,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

FOLDER = data_dir("fixtures") / "formats"
WANTED = {
    *("plain", "tools in rounds", "streaming", "multimodal", "reasoning"),
    *("refusal", "error", "cached tokens"),
}
AT_LEAST = 8
STREAMS_IN_CODE = {"openai-responses": {"streaming"}}  # see test_openai_responses_stream


def records(name: str) -> list[Path]:
    found = sorted((FOLDER / name).glob("*.json"))
    return [path for path in found if not path.name.endswith(".expected.json")]


def messages(call: ModelCall) -> list[Message]:
    return [*call.input, *(choice.message for choice in call.choices)]


def tags(item: Item, raw: Any) -> Iterator[str]:
    if getattr(item, "error", None) is not None:
        yield "error"
    if not isinstance(item, ModelCall):
        return
    parts = [part for message in messages(item) for part in message.parts]
    kinds = {type(part) for part in parts}
    if kinds == {TextPart} and item.output is not None and item.error is None:
        yield "plain"
    if MediaPart in kinds:
        yield "multimodal"
    if ReasoningPart in kinds:
        yield "reasoning"
    if RefusalPart in kinds or "content_filter" in {one.finish_reason for one in item.choices}:
        yield "refusal"
    if item.usage is not None and item.usage.cache_read:
        yield "cached tokens"
    rounds = [type(part) for part in parts if isinstance(part, ToolCallPart | ToolResultPart)]
    turns = sum(a != b for a, b in zip([None, *rounds], rounds, strict=False))
    if turns >= 3:  # asked, answered, asked again
        yield "tools in rounds"
    if item.first_token_at is not None or item.parameters.get("stream") or chunks(raw):
        yield "streaming"


def chunks(raw: Any) -> bool:
    """Whether a record has its response as the events of a stream."""
    return isinstance(raw, dict) and isinstance(raw.get("response"), list)


@pytest.mark.parametrize("name", registry.format_names())
def test_each_format_has_records_of_everything(name: str) -> None:
    decode = registry.format(name).decode
    found: set[str] = set()
    for path in records(name):
        raw = json.loads(path.read_text("utf-8"))
        found.update(tag for item in decode(raw) for tag in tags(item, raw))
    streams = FOLDER / name / "streams"
    if streams.is_dir() and any(streams.iterdir()):
        found.add("streaming")
    assert WANTED - found <= STREAMS_IN_CODE.get(name, set())
    assert len(records(name)) >= AT_LEAST


@pytest.mark.parametrize("name", registry.format_names())
def test_each_record_has_its_expected_events(name: str) -> None:
    missing = [
        path.name
        for path in records(name)
        if not path.with_name(f"{path.stem}.expected.json").is_file()
    ]
    assert missing == []
