"""Real-shaped records of Chat Completions, and the events that they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmtee import registry
from llmtee._data_files import data_dir
from llmtee.formats.openai_chat.codec import FORMAT, decode_record, encode_call
from llmtee.formats.records import envelope

FOLDER = data_dir("fixtures") / "formats" / "openai-chat"
RECORDS = sorted(path for path in FOLDER.glob("*.json") if not path.stem.endswith(".expected"))

each_record = pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)


def load(path: Path) -> Any:
    return json.loads(path.read_text())


def test_the_fixtures_are_there() -> None:
    assert len(RECORDS) >= 8


@each_record
def test_record_is_the_expected_event(path: Path, golden: Callable[[Path, Any], None]) -> None:
    golden(path.with_suffix(".expected.json"), decode_record(load(path)).to_json())


@each_record
def test_what_was_read_is_written_back(path: Path) -> None:
    call = decode_record(load(path))
    again = decode_record({**envelope(call), **encode_call(call)})
    kept = {"native"} if "id" in load(path) or "response" in load(path) else {"native", "id"}
    assert again.model_dump(exclude=kept) == call.model_dump(exclude=kept)


@each_record
def test_request_and_response_come_back_as_they_were(path: Path) -> None:
    raw = load(path)
    request = raw.get("request") if "request" in raw else raw if "messages" in raw else None
    response = raw.get("response") if "request" in raw else raw if "choices" in raw else None
    written = encode_call(decode_record(raw))
    if request is not None:
        assert written["request"] == without_nulls(request)
    if response is not None:
        assert without_nulls(written["response"]) == without_nulls(response)


def without_nulls(value: Any, *, keep: tuple[str, ...] = ("content",)) -> Any:
    """``value`` without what explicit nulls and empty lists of optional fields say: nothing."""
    if isinstance(value, list):
        return [without_nulls(inner) for inner in value]
    if isinstance(value, dict):
        return {
            key: without_nulls(inner)
            for key, inner in value.items()
            if key in keep or (inner is not None and (key, inner) != ("annotations", []))
        }
    return value


@each_record
def test_only_its_own_format_claims_it(path: Path) -> None:
    raw = load(path)
    claims = [name for name in registry.format_names() if registry.format(name).detect(raw)]
    assert claims == [FORMAT.name]
