"""What a long stream costs: the same for each chunk, and its texts are joined once."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from llmtee import registry
from llmtee._data_files import data_dir
from llmtee.model import ModelCall
from llmtee.spec import StreamAccumulator

PIECE = " of Styria"
NAMES = [name for name in registry.format_names() if registry.format(name).stream is not None]
each_format = pytest.mark.parametrize("name", NAMES)


def long_stream(name: str, count: int) -> list[Any]:
    """The stream of a fixture with one of its texts said very often. No event repeats what was said."""
    path = data_dir("fixtures") / "formats" / name / "streams" / "plain.json"
    chunks = json.loads(path.read_text("utf-8"))["response"]
    chunks = [one for one in chunks if ".done" not in one.get("type", "")]
    place = next(i for i, chunk in enumerate(chunks) if PIECE in json.dumps(chunk))
    if chunks[-1].get("type") == "response.completed":
        chunks[-1]["response"]["output"] = []
    return [*chunks[:place], *[chunks[place]] * count, *chunks[place + 1 :]]


def stream_of(name: str, chunks: list[Any]) -> StreamAccumulator:
    make = registry.format(name).stream
    assert make is not None
    stream = make()
    for chunk in chunks:
        stream.add(chunk)
    return stream


def calls_made(work: Callable[[], object]) -> int:
    """How many functions are called, those of C among them: a cost that no other process has a part in."""
    count = 0

    def seen(frame: object, event: str, arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def texts_in(value: Any, seen: set[int]) -> Iterator[str]:
    """Every text that an object holds, in its fields and theirs."""
    if isinstance(value, str):
        yield value
    elif id(value) not in seen:
        seen.add(id(value))
        inner = list(value.values()) if isinstance(value, dict) else []
        inner += list(value) if isinstance(value, list | tuple) else []
        inner += list(vars(value).values()) if hasattr(value, "__dict__") else []
        for one in inner:
            yield from texts_in(one, seen)


@each_format
def test_the_cost_of_a_chunk_does_not_grow_with_the_stream(name: str) -> None:
    short, long = long_stream(name, 200), long_stream(name, 2_000)
    few = calls_made(lambda: stream_of(name, short).response())
    many = calls_made(lambda: stream_of(name, long).response())
    assert many / few <= 10


@each_format
@pytest.mark.parametrize("case", ["plain", "tools", "reasoning"])
def test_no_text_grows_while_chunks_come(name: str, case: str) -> None:
    path = data_dir("fixtures") / "formats" / name / "streams" / f"{case}.json"
    chunks = [one for one in json.loads(path.read_text("utf-8"))["response"] for _ in range(50)]
    longest = max(map(len, texts_in(chunks, set())))
    assert max(map(len, texts_in(stream_of(name, chunks), set()))) <= longest


@each_format
def test_twenty_thousand_chunks_are_joined_once(name: str) -> None:
    chunks = long_stream(name, 20_000)
    stream = stream_of(name, chunks)
    longest = max(map(len, texts_in(chunks, set())))
    # A text that grew with each chunk would be copied 20,000 times: two thousand million characters.
    assert max(map(len, texts_in(stream, set()))) <= longest
    [call] = registry.format(name).decode({"response": stream.response()})
    assert isinstance(call, ModelCall)
    assert call.output is not None
    assert call.output.text.count(PIECE) == 20_000
