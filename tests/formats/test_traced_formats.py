"""What holds for every format that is only read from a tracer: golden files, determinism, purity, bad records."""

from __future__ import annotations

import copy
import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtee import registry
from llmtee._data_files import data_dir
from llmtee.errors import InputError
from llmtee.formats import openai_chat
from llmtee.model import ModelCall, load_event
from llmtee.spec import Format
from llmtee.testing import strategies

FORMATS: dict[str, Format] = {
    name: importlib.import_module(f"llmtee.formats.{name}").FORMAT
    for name in ("langfuse", "langsmith")
}
RECORDS = [
    (name, path)
    for name in FORMATS
    for path in sorted((data_dir("fixtures") / "formats" / name).glob("*.json"))
    if not path.stem.endswith(".expected")
]

each_record = pytest.mark.parametrize(
    ("name", "path"), RECORDS, ids=[f"{name}-{path.stem}" for name, path in RECORDS]
)


def load(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.mark.parametrize("name", FORMATS)
def test_the_fixtures_are_there(name: str) -> None:
    assert len([path for owner, path in RECORDS if owner == name]) >= 8


@each_record
def test_record_is_the_expected_events(
    name: str, path: Path, golden: Callable[[Path, Any], None]
) -> None:
    events = [item.to_json() for item in FORMATS[name].decode(load(path))]
    golden(path.with_suffix(".expected.json"), events)


@each_record
def test_events_are_canonical_json(name: str, path: Path) -> None:
    for event in FORMATS[name].decode(load(path)):
        assert load_event(event.to_json()) == event


@each_record
def test_same_record_same_events_and_untouched(name: str, path: Path) -> None:
    raw = load(path)
    before = copy.deepcopy(raw)
    assert FORMATS[name].decode(raw) == FORMATS[name].decode(copy.deepcopy(raw))
    assert raw == before


@each_record
def test_calls_can_be_written_as_chat_completions(name: str, path: Path) -> None:
    for event in FORMATS[name].decode(load(path)):
        if isinstance(event, ModelCall):
            again = openai_chat.decode_record(openai_chat.encode_call(event))
            said = ([one.text for one in call.input if one.text] for call in (again, event))
            assert next(said) == next(said)
            assert again.usage is None or event.usage is not None
            assert len(again.choices) == len(event.choices)


@each_record
def test_only_its_own_format_claims_it(name: str, path: Path) -> None:
    raw = load(path)
    found = {one: registry.format(one) for one in registry.format_names()} | FORMATS
    assert [one for one, fmt in found.items() if fmt.detect(raw)] == [name]


@pytest.mark.parametrize("name", FORMATS)
def test_records_of_other_formats_are_not_claimed(name: str) -> None:
    folder = data_dir("fixtures")
    for path in sorted(folder.rglob("*.json")):
        if path.parent.name != name and not path.stem.endswith(".expected"):
            raw = load(path)
            for one in raw if isinstance(raw, list) else [raw]:
                assert FORMATS[name].detect(one) is None, path


@pytest.mark.parametrize("name", FORMATS)
def test_our_own_calls_are_not_claimed(name: str) -> None:
    assert FORMATS[name].detect(ModelCall(name="x", session="s").to_json()) is None
    assert FORMATS[name].encode is None


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_broken_record_is_read_or_refused_with_its_path(name: str, data: st.DataObject) -> None:
    paths = [path for owner, path in RECORDS if owner == name]
    raw = load(data.draw(st.sampled_from(paths)))
    for _ in range(data.draw(st.integers(1, 3))):
        raw = mutated(raw, data)
    FORMATS[name].detect(raw)
    error, events = attempt(FORMATS[name], raw)
    if error is not None:  # what is wrong with the record as a whole has no path
        assert error.path is not None or "neither" in error.reason or "object" in error.reason
    for event in events:
        assert load_event(event.to_json()) == event


def attempt(fmt: Format, raw: Any) -> tuple[InputError | None, list[Any]]:
    try:
        return None, fmt.decode(raw)
    except InputError as error:
        return error, []


def nest(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


junk: st.SearchStrategy[Any] = st.one_of(
    strategies.json_values(),
    st.sampled_from(
        (None, True, -1, 10**400, 1e308, "\ud800", "", "[]", "{", [[]], {}, {"a": [1]})
    ),
    st.integers(100, 300).map(nest),
)


def mutated(raw: Any, data: st.DataObject) -> Any:
    """``raw`` with one value somewhere inside removed or replaced."""
    if not isinstance(raw, (dict, list)) or not raw:
        return data.draw(junk)
    keys = list(raw) if isinstance(raw, dict) else list(range(len(raw)))
    key = data.draw(st.sampled_from(keys))
    what = data.draw(st.sampled_from(("into", "into", "remove", "replace")))
    changed = copy.copy(raw)
    if what == "remove":
        del changed[key]
    elif what == "replace":
        changed[key] = data.draw(junk)
    else:
        changed[key] = mutated(raw[key], data)
    return changed
