"""Real-shaped records of Gemini, and the events that they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmtee._data_files import data_dir
from llmtee.formats import canonical, openai_chat
from llmtee.formats.gemini.codec import FORMAT, decode_record, encode_call
from llmtee.formats.records import envelope

FOLDER = data_dir("fixtures") / "formats" / "gemini"
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
    kept = {"native"} if "responseId" in str(load(path)) else {"native", "id"}
    assert again.model_dump(exclude=kept) == call.model_dump(exclude=kept)


@each_record
def test_request_and_response_come_back_as_they_were(path: Path) -> None:
    raw = load(path)
    written = encode_call(decode_record(raw))
    model = {"model": raw["model"]} if "model" in raw else {}
    assert without_nulls(written["request"]) == without_nulls({**model, **raw["request"]})
    assert without_nulls(indexed(written["response"])) == without_nulls(indexed(raw["response"]))


def indexed(response: dict[str, Any]) -> dict[str, Any]:
    found = [{"index": i, **one} for i, one in enumerate(response.get("candidates", ()))]
    return {**response, "candidates": found}


def without_nulls(value: Any) -> Any:
    """``value`` without what nulls and empty lists of optional fields say: nothing."""
    if isinstance(value, list):
        return [without_nulls(inner) for inner in value]
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return value


@each_record
def test_only_its_own_format_claims_it(path: Path) -> None:
    raw = load(path)
    assert [
        other.name for other in (openai_chat.FORMAT, canonical.FORMAT) if other.detect(raw)
    ] == []
    error_only = raw["response"].keys() == {"error"}
    assert FORMAT.detect(raw) == (
        "the request has contents[].parts" if error_only else FORMAT.detect(raw["response"])
    )


@pytest.mark.parametrize("folder", ["openai-chat"])
def test_records_of_others_are_not_claimed(folder: str) -> None:
    paths = sorted((FOLDER.parent / folder).glob("*.json"))
    assert [path.stem for path in paths if FORMAT.detect(load(path))] == []
