"""What holds between formats: each tells its own records, and a call means the same in every provider's shape."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from llmtee import registry
from llmtee._data_files import data_dir
from llmtee.bulk import detect
from llmtee.model import ModelCall, TextPart, Usage

FIXTURES = sorted(
    path
    for path in (data_dir("fixtures") / "formats").glob("*/*.json")
    if not path.name.endswith(".expected.json")
)
PROVIDERS = [name for name in registry.format_names() if registry.format(name).encode is not None]


def identify(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def load(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


@pytest.mark.parametrize("path", FIXTURES, ids=identify)
def test_auto_tells_each_record_by_its_shape(path: Path) -> None:
    assert detect(load(path)).format == path.parent.name


def calls_of(source: str) -> list[ModelCall]:
    decode = registry.format(source).decode
    items = [item for path in FIXTURES if path.parent.name == source for item in decode(load(path))]
    return [item for item in items if isinstance(item, ModelCall)]


def texts(call: ModelCall) -> list[str]:
    """What user and assistant say, in order."""
    messages = [*call.input, *([call.output] if call.output is not None else [])]
    return [
        part.text.strip()
        for message in messages
        if message.role in ("user", "assistant")
        for part in message.parts
        if isinstance(part, TextPart) and part.text.strip()
    ]


def functions(call: ModelCall) -> list[tuple[str, Any]]:
    """The functions called, in order; tools that run at the provider have no counterpart elsewhere."""
    messages = [*call.input, *([call.output] if call.output is not None else [])]
    return [
        (part.name, part.arguments)
        for message in messages
        for part in message.tool_calls
        if part.call_type == "function" and isinstance(part.arguments, dict)
    ]


def is_within(wanted: list[Any], found: list[Any]) -> bool:
    """Whether all of ``wanted`` is in ``found``, in that order; placeholders may stand between."""
    rest = iter(found)
    return all(one in rest for one in wanted)


def totals(usage: Usage | None) -> tuple[int | None, int | None]:
    return (None, None) if usage is None else (usage.input_tokens, usage.output_tokens)


@pytest.mark.parametrize(
    ("source", "target"), list(permutations(PROVIDERS, 2)), ids=lambda name: name
)
def test_a_call_says_the_same_in_another_providers_shape(source: str, target: str) -> None:
    into = registry.format(target)
    assert into.encode is not None
    for call in calls_of(source):
        [back] = into.decode(into.encode(call))
        assert isinstance(back, ModelCall)
        assert is_within(functions(call), functions(back)), call.id
        whole = " ".join(texts(back))
        place = 0
        for text in texts(call):
            place = whole.find(text, place)
            assert place >= 0, f"{call.id}: {text!r} is not in {whole!r}"
        if back.usage is not None:
            assert totals(back.usage) == totals(call.usage), call.id
