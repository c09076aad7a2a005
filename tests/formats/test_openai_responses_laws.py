"""The laws of the format openai-responses, over records that hypothesis makes up."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from llmtee._data_files import data_dir
from llmtee.formats.openai_responses.codec import FORMAT
from llmtee.testing import strategies
from llmtee.testing.format_contract import FormatContract, records_in

texts = strategies.texts(12)
ids = st.sampled_from(("id_1", "id_2"))
counts = st.none() | st.integers(0, 10**6)
extras = st.dictionaries(
    st.sampled_from(("x_vendor", "status")), strategies.json_values(), max_size=1
)


def objects(
    required: dict[str, Any], optional: dict[str, Any]
) -> st.SearchStrategy[dict[str, Any]]:
    """An object of the wire, with a field of its own now and then."""
    known = st.fixed_dictionaries(required, optional=optional)
    return st.builds(lambda a, b: {**b, **a}, known, extras)


def typed(*names: str, **fields: Any) -> dict[str, Any]:
    return {"type": st.sampled_from(names), **fields}


addresses = st.sampled_from(("https://example.com/a", "data:image/png;base64,AAAA", "data:,x", ""))
notes = st.one_of(
    objects(
        typed("url_citation", "file_citation", "container_file_citation", "file_path"),
        {
            "url": texts,
            "title": texts,
            "file_id": ids,
            "filename": texts,
            "start_index": st.integers(),
            "end_index": st.integers() | texts,
            "index": st.integers(),
        },
    ),
    objects(typed("mystery"), {}),
)
content_parts = st.one_of(
    objects(
        typed("input_text", "output_text", "text", text=texts),
        {"annotations": st.none() | st.lists(notes, max_size=2), "logprobs": st.just([])},
    ),
    objects(typed("refusal", refusal=texts), {}),
    objects(
        typed("input_image"),
        {"image_url": st.none() | addresses, "file_id": ids, "detail": st.none() | texts},
    ),
    objects(
        typed("input_file"),
        {"file_url": addresses, "file_data": addresses, "file_id": ids, "filename": texts},
    ),
    objects(
        typed(
            "input_audio",
            input_audio=objects(
                {"data": texts, "format": st.sampled_from(("wav", "mp3", "mpeg", ""))}, {}
            ),
        ),
        {},
    ),
    objects(typed("output_audio", data=texts), {"transcript": st.none() | texts}),
    objects(typed("mystery"), {"data": strategies.json_values()}),
    objects({}, {"data": strategies.json_values()}),
)
contents = st.none() | texts | st.lists(content_parts, max_size=3)
arguments = st.sampled_from(('{"a": 1}', "{}", '{"cut": tr', "", "NaN")) | texts
entries = st.lists(objects({"type": st.just("summary_text"), "text": texts}, {}), max_size=2)
roles = st.sampled_from(("system", "developer", "user", "assistant", "critic", "tool"))
items = st.one_of(
    objects({"role": roles}, {"content": contents, "type": st.just("message"), "id": ids}),
    objects(
        {"role": st.just("assistant"), "content": contents}, {"type": st.just("message"), "id": ids}
    ),
    objects(typed("function_call", call_id=ids, name=texts, arguments=arguments), {"id": ids}),
    objects(typed("custom_tool_call", call_id=ids, name=texts, input=texts), {"id": ids}),
    objects(typed("mcp_call", id=ids, name=texts, arguments=arguments), {"output": texts}),
    objects(
        typed("function_call_output", "custom_tool_call_output", call_id=ids),
        {"output": texts | st.lists(content_parts, max_size=2) | strategies.json_objects()},
    ),
    objects(
        typed("computer_call_output", "shell_call_output"),
        {"call_id": ids, "output": strategies.json_values()},
    ),
    objects(
        typed("reasoning"),
        {
            "id": ids,
            "summary": st.none() | entries,
            "content": st.none() | entries,
            "encrypted_content": st.none() | texts,
        },
    ),
    objects(
        typed("web_search_call", "computer_call", "mcp_approval_response", "compaction", "new"),
        {"id": ids, "call_id": ids},
    ),
    objects({"id": ids}, {"type": st.none() | st.just("item_reference")}),
    objects({}, {"data": strategies.json_values()}),
)
tools = objects(
    {},
    {
        "type": st.sampled_from(("function", "custom", "web_search", "mcp")),
        "name": st.none() | texts,
        "description": texts,
        "parameters": strategies.json_objects(),
        "strict": st.booleans(),
    },
)
requests = objects(
    {"input": st.none() | texts | st.lists(items, max_size=4)},
    {
        "model": st.sampled_from(("gpt-5", "openai/gpt-oss-120b", "meta-llama/llama-4")),
        "instructions": st.none() | texts | st.lists(items, max_size=2),
        "max_output_tokens": counts,
        "tools": st.none() | st.lists(tools, max_size=2),
        "previous_response_id": st.none() | ids,
        "conversation": st.none() | ids | objects({"id": ids}, {}),
        "prompt": st.none() | objects({"id": ids}, {"version": texts}),
        "user": st.none() | texts,
    },
)
usages = objects(
    {},
    {
        "input_tokens": counts,
        "output_tokens": counts,
        "total_tokens": counts,
        "input_tokens_details": st.none() | objects({}, {"cached_tokens": counts}),
        "output_tokens_details": st.none() | objects({}, {"reasoning_tokens": counts}),
    },
)
errors = texts | objects(
    {}, {"message": texts, "code": st.none() | texts | st.integers(0, 600), "type": texts}
)
responses = st.one_of(
    objects(
        {"output": st.lists(items, max_size=4)},
        {
            "id": st.none() | texts,
            "object": st.just("response") | texts,
            "created_at": st.none() | st.floats(0, 2 * 10**9),
            "completed_at": st.none() | st.floats(0, 2 * 10**9),
            "model": st.none() | texts,
            "status": st.sampled_from(
                ("completed", "incomplete", "failed", "in_progress", "queued", "cancelled", "new")
            ),
            "incomplete_details": st.none()
            | objects(
                {}, {"reason": st.sampled_from(("max_output_tokens", "content_filter", "x"))}
            ),
            "usage": st.none() | usages,
            "error": st.none() | errors,
            "previous_response_id": st.none() | ids,
        },
    ),
    objects({"error": errors}, {}),
)
records = st.one_of(
    st.fixed_dictionaries({"request": requests, "response": st.none() | responses}),
    st.fixed_dictionaries({"response": responses}),
    requests,
)


class TestOpenAIResponses(FormatContract):
    format = FORMAT
    fixtures = records_in(data_dir("fixtures") / "formats" / FORMAT.name)

    def records(self) -> st.SearchStrategy[Any]:
        return records


del FormatContract  # pytest would run the base class, too
