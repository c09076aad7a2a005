"""Real-shaped records of OpenAI Responses, and the events that they are."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmtee._data_files import data_dir
from llmtee.errors import InputError
from llmtee.formats import canonical, openai_chat
from llmtee.formats.openai_responses.codec import FORMAT, decode_record, encode_call
from llmtee.formats.records import envelope

FOLDER = data_dir("fixtures") / "formats" / "openai-responses"
RECORDS = sorted(path for path in FOLDER.glob("*.json") if not path.stem.endswith(".expected"))

ODD: tuple[Any, ...] = (None, 3, "\ud800", [], {"type": 3}, 10**400)

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
    bare_response = raw.get("object") == "response"
    request = raw.get("request") if "request" in raw else None if bare_response else raw
    response = raw if bare_response else raw.get("response")
    written = encode_call(decode_record(raw))
    if request is not None:
        assert tidy(written["request"]) == tidy(request)
    if response is not None:
        assert tidy(written["response"]) == tidy(response)


def tidy(value: Any) -> Any:
    """``value`` without what explicit nulls and empty lists of optional fields say: nothing."""
    if isinstance(value, list):
        return [tidy(inner) for inner in value]
    if isinstance(value, dict):
        empty: tuple[tuple[str, Any], ...] = (("annotations", []), ("logprobs", []), ("tools", []))
        return {
            key: tidy(inner)
            for key, inner in value.items()
            if inner is not None and (key, inner) not in empty
        }
    return value


@each_record
def test_a_broken_record_is_read_or_refused_with_a_path(path: Path) -> None:
    raw = load(path)
    for place in places(raw):
        for odd in ODD:
            error = refusal(replaced(raw, place, odd))
            assert error is None or error.path or error.reason.startswith("has neither output")


def refusal(raw: Any) -> InputError | None:
    try:
        decode_record(raw)
    except InputError as error:
        return error
    return None


def replaced(raw: Any, place: tuple[Any, ...], value: Any) -> Any:
    broken = copy.deepcopy(raw)
    holder = broken
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = value
    return broken


def places(value: Any, place: tuple[Any, ...] = ()) -> Any:
    """The ways to all values inside of ``value``."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in inner:
        yield (*place, key)
        if isinstance(one, dict | list):
            yield from places(one, (*place, key))


@each_record
def test_it_claims_its_records_and_no_other_does(path: Path) -> None:
    raw = load(path)
    assert FORMAT.detect(raw)
    assert openai_chat.FORMAT.detect(raw) is None
    assert canonical.FORMAT.detect(raw) is None


def test_it_claims_no_record_of_chat_completions() -> None:
    for path in (FOLDER.parent / "openai-chat").glob("*.json"):
        assert FORMAT.detect(load(path)) is None
