"""The laws of the format openai-chat, over records that hypothesis makes up."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from llmtee._data_files import data_dir
from llmtee.formats.openai_chat.codec import FORMAT
from llmtee.testing import strategies
from llmtee.testing.format_contract import FormatContract, records_in

texts = strategies.texts(12)
extras = st.dictionaries(
    st.sampled_from(("x_vendor", "cache_control")), strategies.json_values(), max_size=1
)
counts = st.none() | st.integers(0, 10**6)


def objects(
    required: dict[str, Any], optional: dict[str, Any]
) -> st.SearchStrategy[dict[str, Any]]:
    """An object of the wire, with a field of its own now and then."""
    known = st.fixed_dictionaries(required, optional=optional)
    return st.builds(lambda a, b: {**b, **a}, known, extras)


content_parts = st.one_of(
    objects({"type": st.just("text"), "text": texts}, {}),
    objects({"type": st.just("refusal"), "refusal": texts}, {}),
    objects(
        {
            "type": st.just("image_url"),
            "image_url": objects(
                {
                    "url": st.sampled_from(
                        ("https://example.com/a.png", "data:image/png;base64,AAAA", "data:,x", "")
                    )
                },
                {"detail": st.sampled_from(("low", "high"))},
            )
            | st.just("https://example.com/bare.png"),
        },
        {},
    ),
    objects(
        {
            "type": st.just("input_audio"),
            "input_audio": objects(
                {
                    "data": st.just("AAAA"),
                    "format": st.sampled_from(("wav", "mp3", "mpeg", "opus", "")),
                },
                {},
            ),
        },
        {},
    ),
    objects(
        {
            "type": st.just("file"),
            "file": objects(
                {},
                {
                    "file_id": texts,
                    "file_data": st.sampled_from(("data:application/pdf;base64,AA", "AAAA")),
                    "filename": texts,
                },
            ),
        },
        {},
    ),
    objects(
        {"type": st.sampled_from(("video_url", "mystery"))}, {"data": strategies.json_values()}
    ),
    objects({}, {"data": strategies.json_values()}),
    texts,
)
contents = st.none() | texts | st.lists(content_parts, max_size=3)
arguments = st.sampled_from(('{"a": 1}', "{}", '{"cut": tr', "", "NaN", "1e999")) | texts
ids = st.sampled_from(("call_1", "call_2"))
function_calls = objects({"name": texts, "arguments": arguments}, {})
tool_calls = st.one_of(
    objects(
        {"id": ids, "type": st.just("function"), "function": function_calls},
        {"index": st.integers(0, 3)},
    ),
    objects(
        {
            "id": ids,
            "type": st.just("custom"),
            "custom": objects({"name": texts, "input": texts}, {}),
        },
        {},
    ),
    objects({"id": ids, "type": st.just("builtin_function"), "function": function_calls}, {}),
    objects({"id": ids, "type": st.just("mcp"), "mcp": function_calls}, {}),
    objects({"type": st.just("mystery")}, {"id": ids}),
)
annotations = st.one_of(
    objects(
        {
            "type": st.just("url_citation"),
            "url_citation": objects(
                {"url": texts},
                {"title": texts, "start_index": st.integers(), "end_index": st.integers()},
            ),
        },
        {},
    ),
    objects({"type": st.just("file_citation")}, {"file_citation": strategies.json_values()}),
)
spoken = {
    "content": contents,
    "name": texts,
    "refusal": st.none() | texts,
    "reasoning": texts,
    "reasoning_content": st.none() | texts,
    "reasoning_details": strategies.json_values(),
    "tool_calls": st.none() | st.lists(tool_calls, max_size=2),
    "function_call": function_calls,
    "audio": st.none()
    | objects({"id": texts}, {"data": texts, "transcript": texts, "expires_at": counts}),
    "annotations": st.none() | st.lists(annotations, max_size=2),
}
answers = objects({"role": st.just("assistant")}, spoken)
messages = st.one_of(
    objects(
        {"role": st.sampled_from(("system", "developer", "user", "assistant", "critic"))}, spoken
    ),
    objects(
        {
            "role": st.just("tool"),
            "tool_call_id": ids,
            "content": texts | st.lists(content_parts, min_size=1, max_size=2),
        },
        {"name": texts},
    ),
    objects({"role": st.just("function"), "name": texts, "content": texts}, {}),
)
definitions = objects(
    {"name": texts},
    {"description": texts, "parameters": strategies.json_objects(), "strict": st.booleans()},
)
tools = st.one_of(
    objects({"type": st.just("function"), "function": definitions}, {}),
    objects(
        {
            "type": st.just("custom"),
            "custom": objects({"name": texts}, {"format": strategies.json_objects()}),
        },
        {},
    ),
    objects(
        {"type": st.just("web_search")}, {"web_search": strategies.json_objects(), "name": texts}
    ),
    objects(
        {"type": st.just("function"), "name": texts}, {"parameters": strategies.json_objects()}
    ),
)
requests = objects(
    {"messages": st.lists(messages, max_size=3)},
    {
        "model": st.sampled_from(("gpt-5", "anthropic/claude-sonnet-4", "meta-llama/llama-4")),
        "max_tokens": counts,
        "max_completion_tokens": counts,
        "max_output_tokens": counts,
        "temperature": st.floats(0, 2),
        "stop": texts | st.lists(texts, max_size=2),
        "tools": st.none() | st.lists(tools, max_size=2),
        "functions": st.lists(definitions, max_size=2),
        "user": st.none() | texts,
        "stream": st.booleans(),
    },
)
usages = objects(
    {},
    {
        "prompt_tokens": counts,
        "completion_tokens": counts,
        "total_tokens": counts,
        "prompt_tokens_details": st.none()
        | objects({}, {"cached_tokens": counts, "audio_tokens": counts}),
        "completion_tokens_details": st.none() | objects({}, {"reasoning_tokens": counts}),
        "cost": st.none() | st.floats(0, 10),
    },
)
choices = objects(
    {"message": answers},
    {
        "index": st.integers(0, 2),
        "finish_reason": st.none()
        | st.sampled_from(
            ("stop", "length", "tool_calls", "function_call", "content_filter", "error", "eos")
        ),
        "logprobs": st.none() | strategies.json_objects(),
    },
)
errors = texts | objects(
    {},
    {
        "message": texts,
        "type": st.none() | texts,
        "code": st.none() | texts | st.integers(0, 600),
        "param": st.none() | texts,
        "status": st.integers(400, 599) | texts,
    },
)
responses = st.one_of(
    objects(
        {"choices": st.lists(choices, max_size=2)},
        {
            "id": st.none() | texts,
            "object": st.just("chat.completion") | texts,
            "created": st.none() | st.integers(0, 2 * 10**9),
            "model": st.none() | texts,
            "usage": st.none() | usages,
            "service_tier": st.just("default"),
            "error": st.none() | errors,
        },
    ),
    objects({"error": errors}, {}),
)
records = st.one_of(
    st.fixed_dictionaries({"request": requests, "response": st.none() | responses}),
    st.fixed_dictionaries({"response": responses}),
    requests,
)


class TestOpenAIChat(FormatContract):
    format = FORMAT
    fixtures = records_in(data_dir("fixtures") / "formats" / FORMAT.name)

    def records(self) -> st.SearchStrategy[Any]:
        return records


del FormatContract  # pytest would run the base class, too
