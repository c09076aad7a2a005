"""Streams of all providers, as logs keep them: the event is the one that the answer in one piece would have given."""

from __future__ import annotations

import copy
import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmtee import detect, registry
from llmtee._data_files import data_dir
from llmtee.errors import InputError
from llmtee.formats._sse import sse_chunks
from llmtee.model import ModelCall, ReasoningPart, TextPart, ToolCallPart
from llmtee.spec import INCOMPLETE, Format, StreamAccumulator, stream_fields

FOLDER = data_dir("fixtures") / "formats"
STREAMS = sorted(
    path
    for path in FOLDER.glob("*/streams/*.json")
    if not path.name.endswith((".expected.json", ".whole.json"))
)
NAMES = [name for name in registry.format_names() if registry.format(name).stream is not None]
CASES = ("plain", "tools", "reasoning", "abandoned", "failed")
NOW = dt.datetime(2026, 10, 26, 6, 13, 20, tzinfo=dt.UTC)

each_stream = pytest.mark.parametrize(
    "path", STREAMS, ids=lambda path: f"{path.parent.parent.name}/{path.stem}"
)
each_format = pytest.mark.parametrize("name", NAMES)


def load(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def case(name: str, stem: str) -> Any:
    return load(FOLDER / name / "streams" / f"{stem}.json")


def format_of(path: Path) -> Format:
    return registry.format(path.parent.parent.name)


def call_of(form: Format, record: Any) -> ModelCall:
    [call] = form.decode(record)
    assert isinstance(call, ModelCall)
    return call


def chunks_of(record: Any) -> list[Any]:
    raw = record["response"]
    return list(sse_chunks(raw, "")) if isinstance(raw, str) else raw


def accumulate(form: Format, chunks: list[Any]) -> StreamAccumulator:
    assert form.stream is not None
    stream = form.stream()
    for i, chunk in enumerate(chunks):
        stream.add(chunk, NOW + dt.timedelta(seconds=i))
    return stream


def test_every_provider_has_every_case() -> None:
    assert NAMES == [
        "anthropic-messages",
        "bedrock-converse",
        "gemini",
        "openai-chat",
        "openai-responses",
    ]
    for name in NAMES:
        stems = {path.stem for path in STREAMS if path.parent.parent.name == name}
        assert stems >= set(CASES), name


@each_stream
def test_the_record_is_the_expected_event(path: Path, golden: Callable[[Path, Any], None]) -> None:
    golden(path.with_suffix(".expected.json"), call_of(format_of(path), load(path)).to_json())


@pytest.mark.parametrize(
    "path",
    [path for path in STREAMS if path.with_suffix(".whole.json").exists()],
    ids=lambda path: f"{path.parent.parent.name}/{path.stem}",
)
def test_a_stream_says_what_the_answer_in_one_piece_says(path: Path) -> None:
    record, whole = load(path), load(path.with_suffix(".whole.json"))
    streamed = call_of(format_of(path), record)
    at_once = call_of(format_of(path), {**record, "response": whole})
    # The native response lacks what says nothing, such as nulls; without an id in it, the event's id shows that.
    kept = {"native"} if at_once.source_ids else {"native", "id"}
    assert streamed.model_dump(exclude=kept) == at_once.model_dump(exclude=kept)


@each_stream
def test_auto_tells_whose_it_is(path: Path) -> None:
    record, form = load(path), format_of(path)
    assert detect(record).format == form.name
    assert detect({"response": record["response"]}).format == form.name
    assert detect(record["response"]).format == form.name


@each_stream
def test_the_response_alone_is_a_record(path: Path) -> None:
    record, form = load(path), format_of(path)
    alone = call_of(form, record["response"])
    assert alone.choices == call_of(form, {"response": record["response"]}).choices
    assert alone.input == ()


@each_stream
def test_the_accumulator_tells_what_decode_tells(path: Path) -> None:
    record, form = load(path), format_of(path)
    before = copy.deepcopy(chunks := chunks_of(record))
    stream = accumulate(form, chunks)
    assert isinstance(stream, StreamAccumulator)
    assert stream.response() == stream.response()
    assert chunks == before
    at_once = {**record, **stream_fields(stream)}
    call, stored = call_of(form, at_once), call_of(form, record)
    kept = {"native", "first_token_at"} | (set() if stored.source_ids else {"id"})
    assert call.model_dump(exclude=kept) == stored.model_dump(exclude=kept)
    assert call.first_token_at == stream.first_token_at
    assert stream.complete == (INCOMPLETE not in stored.flags)
    assert stream.usage_missing == (stored.usage is None)


def sse(chunks: list[Any], style: str) -> str:
    """The text of server-sent events, as different servers write it."""
    lines: list[str] = []
    for chunk in chunks:
        match style:
            case "pretty":  # one data line for each line of the JSON
                text = json.dumps(chunk, ensure_ascii=False, indent=1)
                lines += [f"data: {line}" for line in text.splitlines()]
            case "named":
                lines += [f"event: {chunk.get('type', 'message')}", "id: 1", "retry: 3"]
                lines += [f"data:{json.dumps(chunk)}", ": ping"]
            case _:
                lines.append("data: " + json.dumps(chunk, ensure_ascii=False))
        lines.append("")
    end = {"crlf": "\r\n", "cr": "\r"}.get(style, "\n")
    return end.join([*lines, "data: [DONE]", "", ""] if style != "trimmed" else lines[:-1])


@pytest.mark.parametrize("style", ["plain", "crlf", "cr", "named", "pretty", "trimmed"])
@each_stream
def test_the_text_of_server_sent_events_is_the_list_of_their_data(path: Path, style: str) -> None:
    record, form = load(path), format_of(path)
    chunks = chunks_of(record)
    text = {**record, "response": sse(chunks, style)}
    assert form.decode(text) == form.decode({**record, "response": chunks})
    assert detect(text).format == form.name


@each_format
class TestEveryFormat:
    def test_one_that_ended_in_order_is_complete(self, name: str) -> None:
        for stem in ("plain", "tools", "reasoning"):
            call = call_of(registry.format(name), case(name, stem))
            assert call.flags == ()
            assert call.usage is not None

    def test_one_that_was_abandoned_says_so_and_keeps_what_came(self, name: str) -> None:
        call = call_of(registry.format(name), case(name, "abandoned"))
        assert INCOMPLETE in call.flags
        assert call.output is not None
        assert call.output.text

    def test_an_abandoned_record_keeps_its_own_flags(self, name: str) -> None:
        for flags in (["sampled"], ["sampled", INCOMPLETE]):
            call = call_of(registry.format(name), {**case(name, "abandoned"), "flags": flags})
            assert call.flags == ("sampled", INCOMPLETE)

    def test_one_that_failed_has_the_error_and_what_came_before(self, name: str) -> None:
        call = call_of(registry.format(name), case(name, "failed"))
        assert call.error is not None
        assert call.error.message
        assert call.output is not None
        assert call.output.text

    def test_no_chunk_at_all(self, name: str) -> None:
        form = registry.format(name)
        assert form.stream is not None
        stream = form.stream()
        assert (stream.response(), stream.first_token_at) == (None, None)
        assert (stream.complete, stream.has_content, stream.usage_missing) == (False, False, True)
        call = call_of(form, {**case(name, "plain"), "response": []})
        assert call.flags == (INCOMPLETE,)
        assert call.choices == ()

    @pytest.mark.parametrize("stem", CASES[:3])
    def test_the_first_token_is_the_first_content(self, name: str, stem: str) -> None:
        form, chunks = registry.format(name), chunks_of(case(name, stem))
        for count in range(len(chunks) + 1):
            stream = accumulate(form, chunks[:count])
            said = False
            if count and (response := stream.response()) is not None:
                output = call_of(form, {"response": response}).output
                said = output is not None and any(map(is_said, output.parts))
            assert stream.has_content == said, count
        at = accumulate(form, chunks).first_token_at
        first = next(i for i in range(len(chunks)) if accumulate(form, chunks[: i + 1]).has_content)
        assert at == NOW + dt.timedelta(seconds=first)

    def test_without_times_there_is_none(self, name: str) -> None:
        form = registry.format(name)
        assert form.stream is not None
        stream = form.stream()
        first, *others = chunks_of(case(name, "plain"))
        stream.add(first)
        for chunk in others[:-1]:
            stream.add(chunk)
        stream.add(others[-1], NOW)
        assert stream.has_content
        assert stream.first_token_at is None

    def test_a_malformed_chunk_is_refused_whole_and_the_stream_goes_on(self, name: str) -> None:
        form, chunks = registry.format(name), chunks_of(case(name, "tools"))
        assert form.stream is not None
        clean, dirty = accumulate(form, chunks), form.stream()
        refused = 0
        for chunk in chunks:
            for bad in ([], 3, "text", *spoiled(chunk)):
                try:
                    form.stream().add(bad)
                except InputError:
                    refused += 1
                    with pytest.raises(InputError) as caught:
                        dirty.add(bad)
                    assert caught.value.path is not None
            dirty.add(chunk)
        assert refused > 3 * len(chunks)
        assert dirty.response() == clean.response()
        assert dirty.complete

    def test_a_chunk_that_holds_itself_is_taken_or_refused(self, name: str) -> None:
        form = registry.format(name)
        assert form.stream is not None
        stream = form.stream()
        for chunk in copy.deepcopy(chunks_of(case(name, "tools"))):
            loop: list[Any] = []
            loop += [loop, loop, chunk]
            chunk["loop"] = loop
            stream.add(chunk)
        response = stream.response()
        json.dumps(response)
        assert stream.complete

    def test_the_error_names_the_chunk(self, name: str) -> None:
        record = case(name, "plain")
        record["response"][1] = 7
        with pytest.raises(InputError) as caught:
            registry.format(name).decode(record)
        assert caught.value.path == "response[1]"
        assert str(caught.value) == "response[1]: must be an object, not a number"

    def test_a_broken_event_of_sse_is_named(self, name: str) -> None:
        chunks = chunks_of(case(name, "plain"))
        text = sse(chunks, "plain").replace("data: {", "data: {oops", 1)
        with pytest.raises(InputError) as caught:
            registry.format(name).decode({"response": text})
        assert caught.value.path == "response[0]"

    def test_sse_that_was_cut_within_an_event_is_abandoned(self, name: str) -> None:
        record = case(name, "plain")
        chunks = chunks_of(record)
        text = sse(chunks[:2], "plain").removesuffix("data: [DONE]\n\n") + 'data: {"type": "cu'
        call = call_of(registry.format(name), {**record, "response": text})
        cut = call_of(registry.format(name), {**record, "response": chunks[:2]})
        assert call == cut
        assert INCOMPLETE in call.flags

    def test_a_page_with_status_200_is_no_stream(self, name: str) -> None:
        record = {**case(name, "plain"), "response": "<html>data: {}</html>"}
        assert call_of(registry.format(name), record).flags == ("response_not_json",)

    def test_halves_of_a_character_are_put_together(self, name: str) -> None:
        chunks = chunks_of(case(name, "plain"))
        high, low = "\ud83c", "\udf32"
        first = json.loads(json.dumps(chunks).replace("The capital", "A tree: \\" + "ud83c"))
        both = json.loads(json.dumps(first).replace(" of Styria", "\\" + "udf32 of Styria", 1))
        assert high in json.dumps(both, ensure_ascii=False)
        assert low in json.dumps(both, ensure_ascii=False)
        if name == "openai-responses":
            both = both[:-4]  # what is repeated whole has the halves apart
        output = call_of(registry.format(name), {"response": both}).output
        assert output is not None
        assert output.text.startswith("A tree: 🌲 of Styria")


def is_said(part: Any) -> bool:
    match part:
        case ToolCallPart():
            return True
        case TextPart(text=text):
            return bool(text)
        case ReasoningPart(text=text, summary=summary, encrypted=encrypted):
            return bool(text or any(summary) or encrypted)
    return False


def spoiled(chunk: Any) -> list[Any]:
    """The chunk with each of its objects and lists, to the third level, replaced by a number."""
    found: list[Any] = []

    def visit(holder: Any, depth: int, path: tuple[Any, ...]) -> None:
        items = holder.items() if isinstance(holder, dict) else enumerate(holder)
        for key, value in items:
            if isinstance(value, dict | list) and depth:
                bad = copy.deepcopy(chunk)
                place = bad
                for step in path:
                    place = place[step]
                place[key] = 5
                found.append(bad)
                visit(value, depth - 1, (*path, key))

    visit(chunk, 3, ())
    return found
