"""The law of streams: wherever an answer is cut, its pieces say the same."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from random import Random
from typing import Any, TypeAlias

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llmtee import registry
from llmtee.model import Choice, ModelCall, Usage
from llmtee.spec import StreamAccumulator
from llmtee.testing import strategies

Json: TypeAlias = dict[str, Any]
Draw: TypeAlias = Callable[[int], int]
"""A number from 0 to the one given."""


# ── what the tests cut with, written apart from what puts together ──────────────────────────────────────────────


def cut(text: str, draw: Draw) -> list[str]:
    """A text in one to four pieces, empty ones among them."""
    edges = sorted([0, len(text), *(draw(len(text)) for _ in range(draw(3)))])
    return [text[a:b] for a, b in pairwise(edges)]


def without(fields: Json, *names: str) -> Json:
    return {key: value for key, value in fields.items() if key not in names}


def interleaved(runs: list[list[Any]], draw: Draw) -> list[Any]:
    """The entries of several lists, in turns, each list in its own order."""
    runs, found = [run for run in runs if run], []
    while runs:
        run = runs[draw(len(runs) - 1)]
        found.append(run.pop(0))
        runs = [run for run in runs if run]
    return found


def chat_chunks(response: Json, draw: Draw) -> list[Json]:
    about = without(response, "choices", "usage", "object", "error")
    chunks = interleaved([chat_deltas(c, draw) for c in response.get("choices", [])], draw)
    out = [{**about, "object": "chat.completion.chunk", "choices": [one]} for one in chunks]
    last = {key: response[key] for key in ("usage", "error") if key in response}
    return [*out, {**about, "choices": [], **last}] if last or not out else out


def chat_deltas(choice: Json, draw: Draw) -> list[Json]:
    message, index = choice["message"], choice["index"]
    deltas: list[Json] = [{"role": message.get("role")}]
    for key, value in without(message, "role", "tool_calls", "function_call").items():
        deltas += (
            [{key: one} for one in cut(value, draw)] if isinstance(value, str) else [{key: value}]
        )
    for i, call in enumerate(message.get("tool_calls") or []):
        deltas += call_deltas(call, i, draw)
    if (call := message.get("function_call")) is not None:
        pieces = cut(call["arguments"], draw)
        deltas += [{"function_call": {**call, "arguments": ""}}]
        deltas += [{"function_call": {"arguments": piece}} for piece in pieces]
    end = {**without(choice, "message"), "delta": {}}
    return [*({"index": index, "delta": one} for one in deltas), end]


def call_deltas(call: Json, index: int, draw: Draw) -> Iterator[Json]:
    key = next((key for key in ("function", "custom") if isinstance(call.get(key), dict)), None)
    if key is None:
        yield {"tool_calls": [{"index": index, **call}]}
        return
    field = "arguments" if key == "function" else "input"
    style = draw(2)  # id and name once, always, or the call whole
    first = {**call, "index": index, key: {**call[key], field: ""}}
    if style == 2:
        yield {"tool_calls": [{"index": index, **call}]}
        return
    yield {"tool_calls": [first]}
    for piece in cut(call[key].get(field) or "", draw):
        again = {"id": call.get("id")} if style else {}
        name = {"name": call[key].get("name")} if style else {}
        yield {"tool_calls": [{"index": index, **again, key: {**name, field: piece}}]}


def chat_as_streamed(response: Json) -> Json:
    """Declared: a field of a message that is empty is not told from one that is not there, and texts in a row are one."""
    for choice in response.get("choices", []):
        message = choice["message"]
        said = {key: value for key, value in message.items() if value not in (None, "", [], {})}
        beside = without(said, "role", "content")
        content = message.get("content") if "content" in said or not beside else None
        content = joined(content) if isinstance(content, list) else content
        choice["message"] = {**said, "role": message.get("role") or "assistant", "content": content}
    return response


def joined(content: list[Any]) -> list[Any]:
    """A list of content in which plain texts in a row are one, as pieces of a stream are."""
    found: list[Any] = []
    for part in content:
        plain = part.keys() == {"type", "text"}
        if plain and found and found[-1].keys() == {"type", "text"}:
            found[-1] = {**part, "text": found[-1]["text"] + part["text"]}
        else:
            found.append(part)
    return found


def anthropic_chunks(response: Json, draw: Draw) -> list[Json]:
    if response.get("type") == "error":
        return [response]
    last = ("stop_reason", "stop_sequence", "stop_details")
    begin = {**without(response, "content", "error", *last), "content": [], "stop_reason": None}
    blocks = [anthropic_block(b, i, draw) for i, b in enumerate(response["content"])]
    end = {key: response[key] for key in last if key in response}
    error = [{"type": "error", "error": response["error"]}] if "error" in response else []
    return [
        {"type": "message_start", "message": begin},
        *interleaved(blocks, draw),
        {"type": "ping"},
        *error,
        {"type": "message_delta", "delta": end, "usage": response.get("usage")},
        {"type": "message_stop"},
    ]


def anthropic_block(block: Json, index: int, draw: Draw) -> list[Json]:
    deltas: list[Json] = []
    start = dict(block)
    match block:
        case {"type": "text", "text": str(text)}:
            start["text"] = ""
            deltas = [{"type": "text_delta", "text": piece} for piece in cut(text, draw)]
            if cited := start.pop("citations", None):
                start["citations"] = []
                deltas += [{"type": "citations_delta", "citation": one} for one in cited]
        case {"type": "thinking", "thinking": str(text)}:
            start["thinking"] = ""
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in cut(text, draw)]
            if (signature := start.pop("signature", None)) is not None:
                deltas.append({"type": "signature_delta", "signature": signature})
        case {"type": "tool_use" | "server_tool_use", "input": dict(arguments)}:
            start["input"] = {}
            pieces = cut(json.dumps(arguments), draw) if arguments else [""]
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": one} for one in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def gemini_chunks(response: Json, draw: Draw) -> list[Json]:
    about = without(response, "candidates", "usageMetadata", "usage_metadata", "error")
    runs = [gemini_candidate(one, draw) for one in response.get("candidates", [])]
    out = [{**about, "candidates": [one]} for one in interleaved(runs, draw)]
    return [*out, without(response, "candidates")]


def gemini_candidate(candidate: Json, draw: Draw) -> list[Json]:
    content, index = candidate.get("content"), candidate["index"]
    if content is None:
        return [candidate]
    parts: list[Json] = []
    for part in content["parts"]:
        plain = isinstance(part.get("text"), str) and part.keys() <= {"text", "thought"}
        pieces = cut(part["text"], draw) if plain else []
        parts += [{**part, "text": piece} for piece in pieces] if plain else [part]
    edges = sorted([0, len(parts), *(draw(len(parts)) for _ in range(draw(3)))])
    runs = [parts[a:b] for a, b in pairwise(edges)]
    chunks = [{"index": index, "content": {**content, "parts": run}} for run in runs]
    return [*chunks, {**without(candidate, "content"), "content": {**content, "parts": []}}]


def gemini_as_streamed(response: Json) -> Json:
    """Declared: adjacent texts of one kind are one text, an empty one is none."""
    for candidate in response.get("candidates", []):
        parts: list[Json] = []
        for part in candidate.get("content", {}).get("parts", []):
            plain = isinstance(part.get("text"), str) and part.keys() <= {"text", "thought"}
            before = parts[-1] if parts else {}
            same = plain and isinstance(before.get("text"), str)
            same = (
                same
                and before.keys() == part.keys()
                and before.get("thought") == part.get("thought")
            )
            if same:
                before["text"] += part["text"]
            elif not plain or part["text"]:
                parts.append(dict(part))
        if "content" in candidate:
            candidate["content"]["parts"] = parts
    return response


def converse_chunks(response: Json, draw: Draw) -> list[Json]:
    beside = without(response, "output", "stopReason", "Error")
    error = (
        [{"throttlingException": without(response["Error"], "Code")}] if "Error" in response else []
    )
    if "output" not in response:
        return [*error, *([{"metadata": beside}] if beside else [])]
    message = response["output"]["message"]
    blocks = [converse_block(b, i, draw) for i, b in enumerate(message["content"])]
    return [
        {"messageStart": without(message, "content")},
        *interleaved(blocks, draw),
        *error,
        {"messageStop": {"stopReason": response.get("stopReason")}},
        {"metadata": beside},
    ]


def converse_block(block: Json, index: int, draw: Draw) -> list[Json]:
    start, deltas = block, []
    match block:
        case {"text": str(text)} if len(block) == 1:
            start, deltas = {}, [{"text": piece} for piece in cut(text, draw)]
        case {"toolUse": {"input": dict(arguments)} as body} if len(block) == 1:
            start = {"toolUse": without(body, "input")}
            pieces = cut(json.dumps(arguments), draw) if arguments else [""]
            deltas = [{"toolUse": {"input": piece}} for piece in pieces]
        case {"reasoningContent": {"reasoningText": {"text": str(text)} as told}} if (
            len(block) == 1
        ):
            start = {}
            deltas = [{"reasoningContent": {"text": piece}} for piece in cut(text, draw)]
            if "signature" in told:
                deltas.append({"reasoningContent": {"signature": told["signature"]}})
    begin = [{"contentBlockStart": {"start": start, "contentBlockIndex": index}}] if start else []
    pieces = [{"contentBlockDelta": {"delta": d, "contentBlockIndex": index}} for d in deltas]
    return [*begin, *pieces, {"contentBlockStop": {"contentBlockIndex": index}}]


def converse_as_streamed(response: Json) -> Json:
    """Declared: a tool without input has an empty one, and an error has the name that streams give it."""
    for block in response.get("output", {}).get("message", {}).get("content", []):
        if isinstance(block.get("toolUse"), dict):
            block["toolUse"].setdefault("input", {})
    if "Error" in response:
        response["Error"] = {"Code": "throttlingException", **without(response["Error"], "Code")}
    return response


def responses_chunks(response: Json, draw: Draw) -> list[Json]:
    """Without the events that repeat what was said: all of it has to come from the pieces."""
    begin = {**without(response, "output", "usage", "error"), "status": "in_progress"}
    items = [responses_item(one, i, draw) for i, one in enumerate(response.get("output", []))]
    end = {**response, "output": []}
    kind = "failed" if response.get("error") else "completed"
    return [
        {"type": "response.created", "response": begin},
        *interleaved(items, draw),
        {"type": f"response.{kind}", "response": end},
    ]


RESPONSES_TEXTS = {"output_text": "text", "refusal": "refusal", "summary_text": "text"}


def responses_item(item: Json, index: int, draw: Draw) -> list[Json]:
    begun, events = dict(item), []
    for field, key in (("content", "content_index"), ("summary", "summary_index")):
        parts = item.get(field)
        if not isinstance(parts, list) or not all(p.get("type") in RESPONSES_TEXTS for p in parts):
            continue
        begun[field] = []
        for at, part in enumerate(parts):
            name = RESPONSES_TEXTS[part["type"]]
            kind = "content_part" if field == "content" else "reasoning_summary_part"
            place = {"output_index": index, key: at}
            empty = {**without(part, name), name: ""}
            events.append({"type": f"response.{kind}.added", **place, "part": empty})
            word = "reasoning_summary_text" if field == "summary" else part["type"]
            events += [
                {"type": f"response.{word}.delta", **place, "delta": piece}
                for piece in cut(part[name], draw)
            ]
    for field, word in (
        ("arguments", "function_call_arguments"),
        ("input", "custom_tool_call_input"),
    ):
        if isinstance(item.get(field), str) and word.startswith(str(item.get("type"))):
            begun[field] = ""
            events += [
                {"type": f"response.{word}.delta", "output_index": index, "delta": piece}
                for piece in cut(item[field], draw)
            ]
    return [{"type": "response.output_item.added", "output_index": index, "item": begun}, *events]


CHUNKERS: dict[str, tuple[Callable[[Json, Draw], list[Json]], Callable[[Json], Json]]] = {
    "anthropic-messages": (anthropic_chunks, lambda response: response),
    "bedrock-converse": (converse_chunks, converse_as_streamed),
    "gemini": (gemini_chunks, gemini_as_streamed),
    "openai-chat": (chat_chunks, chat_as_streamed),
    "openai-responses": (responses_chunks, lambda response: response),
}


# ── the laws ────────────────────────────────────────────────────────────────────────────────────────────────────


def stream_of(name: str, chunks: list[Any]) -> StreamAccumulator:
    make = registry.format(name).stream
    assert make is not None
    stream = make()
    for chunk in chunks:
        stream.add(chunk)
    return stream


choices = st.builds(
    Choice,
    message=strategies.messages().map(lambda one: one.model_copy(update={"role": "assistant"})),
    finish_reason=st.sampled_from((None, "stop", "length", "tool_call", "content_filter")),
)
calls = st.builds(
    ModelCall,
    id=st.just("0192f0c1-2d3e-7a4b-8c5d-6e7f8091a2b3"),
    response_model=st.sampled_from((None, "model-2")),
    choices=st.lists(choices, min_size=1, max_size=2).map(tuple),
    usage=st.none()
    | st.builds(Usage, input_tokens=st.integers(0, 9), output_tokens=st.integers(0, 9)),
    error=st.none() | st.none() | strategies.errors(),
)


def check(name: str, call: ModelCall, seed: int) -> None:
    form, random = registry.format(name), Random(seed)
    assert form.encode is not None
    response = form.encode(call)["response"]
    chunker, as_streamed = CHUNKERS[name]
    chunks = chunker(copy.deepcopy(response), lambda limit: random.randint(0, limit))
    before = copy.deepcopy(chunks)
    stream = stream_of(name, chunks)
    assert chunks == before
    [streamed] = form.decode({"response": stream.response()})
    [whole] = form.decode({"response": as_streamed(copy.deepcopy(response))})
    kept = {"native"} if whole.source_ids else {"native", "id"}
    assert streamed.model_dump(exclude=kept) == whole.model_dump(exclude=kept)


each_format = pytest.mark.parametrize("name", CHUNKERS)


@each_format
@settings(max_examples=60)
@given(call=calls, seed=st.integers(0, 1_000))
def test_wherever_an_answer_is_cut_its_pieces_say_the_same(
    name: str, call: ModelCall, seed: int
) -> None:
    check(name, call, seed)


@pytest.mark.slow
@each_format
@settings(max_examples=1_000)
@given(call=calls | strategies.model_calls(), seed=st.integers(0, 1_000))
def test_wherever_any_answer_is_cut(name: str, call: ModelCall, seed: int) -> None:
    assume(call.choices or call.error)
    check(name, call, seed)
