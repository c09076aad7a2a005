from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator

from llmtee._data_files import data_dir
from llmtee.model import Conversation, Item, Supplement
from llmtee.testing import strategies


@cache
def schema(name: str) -> Draft202012Validator:
    path = data_dir("schemas") / "canonical" / f"{name}.json"
    document = json.loads(path.read_text("utf-8"))
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(item=strategies.events() | strategies.conversations())
def test_what_is_written_satisfies_the_schema(item: Item) -> None:
    name = "conversation" if isinstance(item, Conversation) else "event"
    schema(name).validate(item.to_json())


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(supplement=strategies.supplements())
def test_supplements_satisfy_theirs(supplement: Supplement) -> None:
    schema("supplement").validate(supplement.to_json())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("event", {"id": "1", "usage": None}),
        ("event", {"kind": "model_call", "id": "1", "modle": "typo"}),
        ("event", {"kind": "span", "id": "1"}),
        ("event", {"kind": "step", "id": 1}),
        ("conversation", {"kind": "conversation"}),
        ("supplement", {"kind": "annotation"}),
        ("conversation", {"kind": "conversation", "id": "1", "messages": [{"parts": []}]}),
    ],
)
def test_what_is_wrong_does_not(name: str, value: Any) -> None:
    assert not schema(name).is_valid(value)
