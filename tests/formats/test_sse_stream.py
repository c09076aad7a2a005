"""The text of server-sent events."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtee.errors import InputError
from llmtee.formats._sse import is_sse, sse_chunks, sse_data
from llmtee.testing import strategies


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("data: a\n\ndata: b\n\n", ["a", "b"]),
        ("data: a\r\n\r\ndata:b\r\r", ["a", "b"]),
        ("data: a\ndata: b\ndata\n\n", ["a\nb\n"]),
        (": comment\n\nevent: x\nid: 1\nretry: 2\ndata:  a \n\n", [" a "]),
        ("event: x\n\n\n\ndata: a", ["a"]),
        ("\ufeffdata: a\n\n", ["a"]),
        ("data: a\u2028b\x0bc\n\n", ["a\u2028b\x0bc"]),
        ("unknown: a\nnonsense\n\n", []),
        ("", []),
    ],
)
def test_the_data_of_each_event(text: str, found: list[str]) -> None:
    assert list(sse_data(text)) == found


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ('data: {"a": 1}\n\n', True),
        ("\n: ping\r\n\r\nevent: x\r\ndata:[1]\r\n", True),
        ('id: 1\ndata: {"a": 1}', True),
        ("data: it rains", False),
        ("data: [DONE]", True),
        ("<html>\ndata: {}", False),
        ('{"data": {}}', False),
        ("event: nothing", False),
        ("", False),
    ],
)
def test_what_is_such_a_text(text: str, is_one: bool) -> None:
    assert is_sse(text) is is_one


def test_many_blank_lines_cost_little() -> None:
    assert not is_sse("\r\n" * 100_000 + "x")
    assert is_sse("\r\n" * 100_000 + 'data: {"a": 1}')


def test_only_the_last_event_may_be_cut() -> None:
    assert list(sse_chunks('data: {"a": 1}\n\ndata: {"b', "")) == [{"a": 1}]
    for text in ('data: {"b\n\ndata: {"a": 1}\n\n', 'data: {"a": 1}\n\ndata: {"b\n\n'):
        with pytest.raises(InputError) as caught:
            list(sse_chunks(text, "response"))
        assert str(caught.value.path).startswith("response[")


@given(
    st.lists(strategies.json_objects(), min_size=1, max_size=4),
    st.sampled_from(("\n", "\r\n", "\r")),
    st.sampled_from((None, 1)),
)
def test_what_was_written_is_read(chunks: list[object], end: str, indent: int | None) -> None:
    texts = [json.dumps(one, ensure_ascii=False, indent=indent) for one in chunks]
    lines = [line for text in texts for line in (*[f"data: {x}" for x in text.split("\n")], "")]
    text = end.join([*lines, "data: [DONE]", "", ""])
    assert is_sse(text)
    assert list(sse_chunks(text, "")) == chunks
