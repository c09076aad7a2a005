from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from llmtee import jsontext
from llmtee.testing.strategies import json_values


@given(json_values())
def test_values_come_back_exactly(value: Any) -> None:
    for text in (jsontext.dumps(value), jsontext.dumps_sorted(value), jsontext.dumps_pretty(value)):
        assert repr(jsontext.loads(text)) == repr(value) or jsontext.loads(text) == value


def test_large_integers_stay_exact() -> None:
    assert jsontext.loads(jsontext.dumps({"n": 2**70})) == {"n": 2**70}
    assert jsontext.dumps_sorted({"b": 2**70, "a": 1}) == b'{"a":1,"b":1180591620717411303424}'


def test_text_is_compact_utf8() -> None:
    assert jsontext.dumps({"a": "é", "b": [1, 2]}) == '{"a":"é","b":[1,2]}'.encode()


def test_lone_surrogate_escapes_are_read() -> None:
    assert jsontext.loads('"\\ud800"') == "\ud800"
    assert jsontext.loads(b'"\\ud800"') == "\ud800"


@pytest.mark.parametrize(
    "text", ["", "{", '{"a": tru', "nul", '"\\u12"', "[" * 5000, '"\\ud800' + "[" * 9000]
)
def test_what_is_not_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        jsontext.loads(text)


def test_raw_text_is_written_as_it_is_also_beside_what_orjson_refuses() -> None:
    raw = jsontext.Raw(b'{"a": 1e16,  "b":[]}')
    assert jsontext.dumps({"x": [raw, raw], "y": 1}) == b'{"x":[%b,%b],"y":1}' % (
        raw.content,
        raw.content,
    )
    assert jsontext.dumps([raw, 2**70]) == b"[%b,%d]" % (raw.content, 2**70)
    with pytest.raises(TypeError, match="object is not JSON"):
        jsontext.dumps([2**70, object()])
