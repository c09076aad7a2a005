from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import uuid
from collections import OrderedDict, namedtuple
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from llmtee import jsontext
from llmtee.model.snapshot import (
    MAX_DEPTH,
    clean_text,
    from_json_text,
    to_json_object,
    to_json_value,
)
from llmtee.testing import strategies


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Cart:
    items: list[str]
    owner: Any = None


class Answer(BaseModel):
    text: str
    at: dt.datetime


Point = namedtuple("Point", "x y")  # noqa: PYI024 - the untyped kind is what is tested


class Hostile:
    @property
    def model_dump(self) -> Any:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        return "secret inside"


class Scalar:
    """What numpy's scalars look like from outside."""

    dtype = "float32"

    def tolist(self) -> float:
        return 1.5


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (2**80, 2**80),
        (float("nan"), "<float: nan>"),
        (float("-inf"), "<float: -inf>"),
        ("a\ud83d\ude00b", "a😀b"),
        ("cut \ud83d", "cut \ufffd"),
        (b"\x00\xff", "AP8="),
        (Colour.RED, "red"),
        (Cart(["x"]), {"items": ["x"], "owner": None}),
        (
            Answer(text="hi", at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
            {"text": "hi", "at": "2026-01-01T00:00:00Z"},
        ),
        (Point(1, 2), {"x": 1, "y": 2}),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        ({3, 1, 2}, [1, 2, 3]),
        ({1: "int", "1": "str"}, {"1": "int", "1 <str>": "str"}),
        ({None: 0, True: 1, (1, 2): 2}, {"null": 0, "true": 1, "1,2": 2}),
        (Decimal("1.10"), "1.10"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (dt.timedelta(seconds=1.5), 1.5),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (PurePosixPath("a/b"), "a/b"),
        (SecretStr("hush"), "<secret: SecretStr>"),
        (ValueError("bad"), {"type": "ValueError", "message": "bad"}),
        (Scalar(), 1.5),
        (int, "<class: builtins.int>"),
    ],
)
def test_what_json_cannot_say_becomes_what_it_can(value: Any, expected: Any) -> None:
    assert to_json_value(value) == expected


def test_an_unknown_object_is_named_and_not_shown() -> None:
    text = to_json_value({"it": Hostile()})["it"]
    assert text.startswith("<object: ")
    assert text.endswith("Hostile>")
    assert "secret" not in text


def test_cycles_end() -> None:
    loop: dict[str, Any] = {"name": "loop"}
    loop["self"] = loop
    cart = Cart([])
    cart.owner = cart
    assert to_json_value(loop) == {"name": "loop", "self": "<cycle: dict>"}
    assert to_json_value(cart)["owner"] == "<cycle: Cart>"


def test_the_same_value_twice_is_no_cycle() -> None:
    shared = {"a": 1}
    assert to_json_value([shared, shared]) == [{"a": 1}, {"a": 1}]


def test_nesting_is_cut_where_readers_would_stop() -> None:
    deep: Any = "bottom"
    for _ in range(MAX_DEPTH + 50):
        deep = [deep]
    assert "nested too deep" in json.dumps(to_json_value(deep))
    assert jsontext.loads(jsontext.dumps(to_json_value(deep)))


def test_a_generator_is_not_consumed() -> None:
    numbers = (n for n in range(3))
    assert to_json_value(numbers) == "<object: builtins.generator>"
    assert list(numbers) == [0, 1, 2]


def test_the_copy_shares_nothing() -> None:
    inner = [1]
    copy = to_json_value({"a": inner})
    inner.append(2)
    assert copy == {"a": [1]}


def test_an_object_is_made_of_anything() -> None:
    assert to_json_object(None) == {}
    assert to_json_object("text") == {"value": "text"}


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.binary(max_size=4)
    | st.text(st.characters(categories=None), max_size=5)
    | st.datetimes()
    | st.decimals()
    | st.uuids(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.integers() | st.text(max_size=3) | st.none() | st.booleans(), inner, max_size=3
        )
        | st.tuples(inner, inner)
        | st.frozensets(st.integers() | st.text(max_size=3), max_size=3)
    ),
    max_leaves=8,
)


@given(anything)
def test_the_result_is_always_json_and_settled(value: Any) -> None:
    once = to_json_value(value)
    assert jsontext.loads(jsontext.dumps(once)) == once
    assert to_json_value(once) == once


@given(st.text(st.characters(categories=None)))
def test_cleaned_text_is_utf8_and_unchanged_where_it_was(text: str) -> None:
    cleaned = clean_text(text)
    cleaned.encode()
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    assert cleaned == text


@given(strategies.json_values())
def test_a_text_is_read_as_its_value_would_be_taken(value: Any) -> None:
    for text in (jsontext.dumps(value), jsontext.dumps(value).decode()):
        assert jsontext.same(from_json_text(text), to_json_value(jsontext.loads(text)))


@pytest.mark.parametrize(
    "text",
    [
        *('[1e999, {"a": [-1e999]}]', '{"a": NaN}', "Infinity", "1e999", "1e308"),
        *('"\\ud800"', '{"\\udc00": ["a"]}', '"\\ud83d\\ude42"', str(10**40), "[1, 1.0, true]"),
        *("[" * deep + "]" * deep for deep in (MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 199)),
        '{"a":' * MAX_DEPTH + "[]" + "}" * MAX_DEPTH,
    ],
)
def test_what_only_some_readers_read_is_mended_in_a_text(text: str) -> None:
    expected = to_json_value(jsontext.loads(text))
    assert jsontext.same(from_json_text(text), expected)
    assert jsontext.same(from_json_text(text.encode()), expected)


def test_a_text_that_is_no_json_is_an_error() -> None:
    with pytest.raises(ValueError, match="line 1 column 4"):
        from_json_text('{"a}')
