"""Records as they are found after years: fields missing, of another type, nested, huge, half encoded."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from llmtee import jsontext, registry
from llmtee._data_files import data_dir
from llmtee.errors import InputError

ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**80,
    1e308,
    float("nan"),
    "",
    "text",
    "cut \ud83d",
    "data:image/png;base64,%%%",
    "2024-13-45",
    [],
    [[]],
    {},
    {"type": "nobody knows"},
    [None, 1, "x", {}],
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a record with every key or index in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


def deep(depth: int) -> Any:
    value: Any = "bottom"
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def broken(record: Any, random: Random) -> Any:
    """The record with one to three things wrong with it."""
    record = copy.deepcopy(record)
    for _ in range(random.randint(1, 3)):
        found = list(places(record))
        if not found:
            return record
        holder, key = random.choice(found)
        match random.randrange(6):
            case 0:
                del holder[key]
            case 1 | 2:
                holder[key] = copy.deepcopy(random.choice(ODD))
            case 3:
                holder[key] = deep(random.choice((3, 60, 190)))
            case 4:
                other, its = random.choice(found)
                holder[key] = copy.deepcopy(other[its])
            case 5:
                holder[key] = (
                    holder[key] * 3 if isinstance(holder[key], str | list) else [holder[key]]
                )
    return record


def fixtures(name: str) -> list[Any]:
    folder = data_dir("fixtures") / "formats" / name
    paths = (*folder.glob("*.json"), *folder.glob("streams/*.json"))
    files = sorted(path for path in paths if not path.stem.endswith((".expected", ".whole")))
    return [json.loads(path.read_text("utf-8")) for path in files]


NAMES = [name for name in registry.format_names() if fixtures(name)]


def places_itself(error: InputError) -> bool:
    """Whether an error says where: by its path, or that it is the record as a whole."""
    return error.path is not None or "keys" in error.reason


def check(name: str, count: int, seed: int) -> None:
    decode, detect = registry.format(name).decode, registry.format(name).detect
    random, records = Random(seed), fixtures(name)
    for _ in range(count):
        record = broken(random.choice(records), random)
        detect(record)
        refused: InputError | None = None
        items: list[Any] = []
        try:
            items = decode(record)
        except InputError as error:
            refused = error
        assert refused is None or places_itself(refused), refused
        for item in items:
            jsontext.dumps(item.to_json())


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_record_is_read_or_refused_with_its_place(name: str) -> None:
    check(name, 300, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_ten_thousand_broken_records(name: str) -> None:
    check(name, 10_000, seed=2)


@pytest.mark.parametrize("name", NAMES)
def test_a_very_long_text_is_kept(name: str) -> None:
    decode = registry.format(name).decode
    for record in fixtures(name):
        text = json.dumps(record).replace("?", "x" * 5_000_000, 1)
        if len(text) > 5_000_000:
            assert any(
                len(jsontext.dumps(item.to_json())) > 5_000_000 for item in decode(json.loads(text))
            )
            return
