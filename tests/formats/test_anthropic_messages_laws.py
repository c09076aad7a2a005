"""The laws of the format anthropic-messages, over records that hypothesis makes up."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from llmtee._data_files import data_dir
from llmtee.formats.anthropic_messages.codec import FORMAT
from llmtee.testing import strategies
from llmtee.testing.format_contract import FormatContract, records_in

texts = strategies.texts(12)
extras = st.dictionaries(
    st.sampled_from(("x_vendor", "cache_control")), strategies.json_values(), max_size=1
)
counts = st.none() | st.integers(0, 10**6)
ids = st.sampled_from(("toolu_1", "toolu_2"))


def objects(
    required: dict[str, Any], optional: dict[str, Any]
) -> st.SearchStrategy[dict[str, Any]]:
    """An object of the wire, with a field of its own now and then."""
    known = st.fixed_dictionaries(required, optional=optional)
    return st.builds(lambda a, b: {**b, **a}, known, extras)


def tagged(kind: str, required: dict[str, Any] | None = None, **optional: Any) -> Any:
    return objects({"type": st.just(kind), **(required or {})}, optional)


citations = st.one_of(
    *(
        objects(
            {"type": st.just(kind), "cited_text": texts},
            {
                "title": st.none() | texts,
                "document_title": st.none() | texts,
                "url": st.just("https://example.com/a"),
                "source": st.sampled_from(("https://example.com/kb", "kb-7", "")),
                "start_char_index": st.integers(0, 9),
                "encrypted_index": texts,
                "file_id": st.none() | texts,
            },
        )
        for kind in (
            "char_location",
            "page_location",
            "content_block_location",
            "web_search_result_location",
            "search_result_location",
            "mystery_location",
        )
    ),
    objects({}, {"type": strategies.json_values(), "url": strategies.json_values()}),
)
text_blocks = st.one_of(
    tagged("text", {"text": texts}, citations=st.none() | st.lists(citations, max_size=2)), texts
)
sources = st.one_of(
    tagged(
        "base64",
        {
            "media_type": st.sampled_from(("image/png", "application/pdf", "text/plain")),
            "data": st.sampled_from(("AAAA", "SGk=", "not base64", "")),
        },
    ),
    tagged(
        "text",
        {"media_type": st.sampled_from(("text/plain", "text/markdown", "odd")), "data": texts},
    ),
    tagged("url", {"url": texts}),
    tagged("file", {"file_id": texts}),
    tagged("content", {"content": texts | st.lists(text_blocks, max_size=2)}),
    tagged("base64", {"data": texts}),
    strategies.json_values(),
)
media_blocks = st.one_of(
    tagged("image", {"source": sources}),
    tagged(
        "document",
        {"source": sources},
        title=st.none() | texts,
        context=texts,
        citations=st.just({"enabled": True}),
    ),
    tagged("container_upload", file_id=texts),
)
content_blocks = st.one_of(
    text_blocks,
    media_blocks,
    tagged("search_result", {"source": texts, "title": texts}),
    objects({}, {"type": strategies.json_values()}),
)
bodies = st.none() | texts | st.lists(content_blocks, max_size=2) | strategies.json_objects()
inputs = strategies.json_objects() | st.none() | st.sampled_from(('{"cut": tr', "{}", "", "NaN"))
blocks = st.one_of(
    content_blocks,
    tagged("thinking", {"thinking": texts}, signature=st.none() | texts),
    tagged("redacted_thinking", {"data": texts}),
    tagged("tool_use", {"id": ids, "name": texts, "input": inputs}),
    tagged("server_tool_use", {"id": ids, "name": st.just("web_search"), "input": inputs}),
    tagged("mcp_tool_use", {"id": ids, "name": texts, "input": inputs}, server_name=texts),
    tagged(
        "tool_result",
        {"tool_use_id": ids},
        content=bodies,
        is_error=st.none() | st.booleans(),
    ),
    tagged("mcp_tool_result", {"tool_use_id": ids}, content=bodies, is_error=st.booleans()),
    tagged(
        "web_search_tool_result",
        {"tool_use_id": ids},
        content=st.one_of(
            strategies.json_values(),
            st.just({"type": "web_search_tool_result_error", "error_code": "unavailable"}),
        ),
        caller=strategies.json_objects(),
    ),
)
contents = texts | st.none() | st.lists(blocks, max_size=4)
messages = objects(
    {
        "role": st.sampled_from(("user", "user", "assistant", "system", "tool", "critic")),
        "content": contents,
    },
    {},
)
tools = st.one_of(
    objects(
        {"name": texts, "input_schema": st.none() | strategies.json_objects()},
        {"type": st.none() | st.just("custom"), "description": texts, "strict": st.booleans()},
    ),
    objects({"name": texts}, {}),
    tagged("web_search_20250305", {"name": st.just("web_search")}, max_uses=counts),
    tagged("mcp_toolset", {"mcp_server_name": texts}),
)
requests = objects(
    {"messages": st.lists(messages, max_size=4)},
    {
        "model": st.sampled_from(("claude-sonnet-4-5", "claude-opus-4-1")),
        "system": st.none() | texts | st.lists(text_blocks | blocks, max_size=2),
        "max_tokens": counts,
        "max_output_tokens": counts,
        "stop_sequences": st.none() | texts | st.lists(texts, max_size=2),
        "stop": texts,
        "tools": st.none() | st.lists(tools, max_size=2),
        "tool_choice": st.sampled_from(({"type": "any"}, {"type": "tool", "name": "a"}, "auto")),
        "thinking": st.just({"type": "enabled", "budget_tokens": 1024}),
        "metadata": st.none() | objects({}, {"user_id": st.none() | texts}),
        "anthropic_version": st.sampled_from(("bedrock-2023-05-31", "vertex-2023-10-16")),
    },
)
usages = objects(
    {},
    {
        "input_tokens": counts,
        "output_tokens": counts,
        "cache_read_input_tokens": counts,
        "cache_creation_input_tokens": counts,
        "cache_creation": st.none()
        | objects({}, {"ephemeral_5m_input_tokens": counts, "ephemeral_1h_input_tokens": counts}),
        "output_tokens_details": st.none() | objects({}, {"thinking_tokens": counts}),
        "service_tier": st.just("standard"),
    },
)
errors = texts | objects(
    {},
    {
        "message": texts,
        "type": st.sampled_from(("overloaded_error", "api_error")) | texts,
        "details": strategies.json_values(),
    },
)
responses = st.one_of(
    objects(
        {"type": st.just("message"), "content": contents},
        {
            "id": st.none() | texts,
            "role": st.sampled_from(("assistant", "assistant", "model")),
            "model": st.none() | texts,
            "stop_reason": st.none()
            | st.sampled_from(
                ("end_turn", "max_tokens", "tool_use", "refusal", "pause_turn", "novel")
            ),
            "stop_sequence": st.none() | texts,
            "stop_details": st.none() | strategies.json_objects(),
            "usage": st.none() | usages,
            "container": st.none() | strategies.json_objects(),
            "error": st.none() | errors,
        },
    ),
    tagged("error", {"error": errors}, request_id=texts),
)
records = st.one_of(
    st.fixed_dictionaries({"request": requests, "response": st.none() | responses}),
    st.fixed_dictionaries({"response": responses}),
    requests,
)


class TestAnthropicMessages(FormatContract):
    format = FORMAT
    fixtures = records_in(data_dir("fixtures") / "formats" / FORMAT.name)

    def records(self) -> st.SearchStrategy[Any]:
        return records


del FormatContract  # pytest would run the base class, too
