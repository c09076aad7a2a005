"""The laws of the format bedrock-converse, over records that hypothesis makes up."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from llmtee._data_files import data_dir
from llmtee.formats.bedrock_converse.codec import FORMAT
from llmtee.testing import strategies
from llmtee.testing.format_contract import FormatContract, records_in

texts = strategies.texts(12)
extras = st.dictionaries(
    st.sampled_from(("xVendor", "trace")), strategies.json_values(), max_size=1
)
counts = st.none() | st.integers(0, 10**6)
names = st.sampled_from(("look", "sum", ""))
ids = st.sampled_from(("c1", "c2"))


def objects(
    required: dict[str, Any], optional: dict[str, Any]
) -> st.SearchStrategy[dict[str, Any]]:
    """An object of the wire, with a field of its own now and then."""
    known = st.fixed_dictionaries(required, optional=optional)
    return st.builds(lambda a, b: {**b, **a}, known, extras)


sources = st.one_of(
    objects({"bytes": st.just("AAAA")}, {}),
    objects({"s3Location": objects({"uri": st.just("s3://b/k")}, {"bucketOwner": texts})}, {}),
    objects({"text": texts}, {}),
)


def media(kind: str, *formats: str) -> st.SearchStrategy[dict[str, Any]]:
    body = objects({"source": sources}, {"format": st.sampled_from(formats), "name": texts})
    return objects({kind: body}, {})


text_blocks = objects({"text": texts}, {})
result_blocks = st.one_of(
    text_blocks,
    objects({"json": strategies.json_values()}, {}),
    media("image", "png", "jpeg"),
    media("document", "pdf", "odd"),
    objects({"searchResult": strategies.json_values()}, {}),
)
blocks = st.one_of(
    text_blocks,
    media("image", "png"),
    media("video", "mp4", "three_gp"),
    media("audio", "mp3"),
    objects(
        {
            "toolUse": objects(
                {"toolUseId": ids, "name": names, "input": strategies.json_values()}, {}
            )
        },
        {},
    ),
    objects({"toolUse": objects({"name": names}, {"type": st.just("server_tool_use")})}, {}),
    objects(
        {
            "toolResult": objects(
                {"toolUseId": ids},
                {
                    "content": st.none() | st.lists(result_blocks, max_size=2),
                    "status": st.sampled_from(("success", "error", "odd")),
                },
            )
        },
        {},
    ),
    objects(
        {
            "reasoningContent": objects(
                {"reasoningText": objects({"text": texts}, {"signature": texts})}, {}
            )
        },
        {},
    ),
    objects({"reasoningContent": objects({"redactedContent": texts}, {})}, {}),
    objects({"guardContent": objects({"text": objects({"text": texts}, {})}, {})}, {}),
    objects({"cachePoint": st.just({"type": "default"})}, {}),
    objects(
        {
            "citationsContent": objects(
                {"content": st.lists(text_blocks, max_size=2)},
                {
                    "citations": st.lists(
                        objects(
                            {},
                            {
                                "title": texts,
                                "sourceContent": st.lists(text_blocks, max_size=1),
                                "location": st.just({"web": {"url": "https://example.com"}}),
                            },
                        ),
                        max_size=2,
                    )
                },
            )
        },
        {},
    ),
    objects({"mystery": strategies.json_values()}, {}),
    objects({}, {"text": st.integers()}),
)
contents = texts | st.none() | st.lists(blocks, max_size=3)
messages = objects(
    {"role": st.sampled_from(("user", "assistant", "system", "developer", "critic", "tool"))},
    {"content": contents},
)
tools = st.one_of(
    objects(
        {
            "toolSpec": objects(
                {"name": texts},
                {
                    "description": texts,
                    "inputSchema": st.fixed_dictionaries({"json": strategies.json_objects()})
                    | strategies.json_objects(),
                    "strict": st.booleans(),
                },
            )
        },
        {},
    ),
    objects({"cachePoint": st.just({"type": "default"})}, {}),
    objects({"systemTool": objects({"name": texts}, {})}, {}),
)
requests = objects(
    {"messages": st.lists(messages, max_size=3)},
    {
        "modelId": texts,
        "system": st.lists(blocks, max_size=2) | texts,
        "inferenceConfig": objects(
            {},
            {
                "maxTokens": counts,
                "temperature": st.floats(0, 1),
                "stopSequences": st.lists(texts, max_size=2),
                "max_output_tokens": counts,
            },
        ),
        "toolConfig": objects(
            {}, {"tools": st.lists(tools, max_size=2), "toolChoice": strategies.json_objects()}
        ),
        "additionalModelRequestFields": strategies.json_objects(),
        "serviceTier": st.just({"type": "priority"}),
    },
)
usages = objects(
    {},
    {
        "inputTokens": st.none() | st.integers(0, 9),
        "outputTokens": st.none() | st.integers(0, 9),
        "totalTokens": st.none() | st.integers(0, 36),
        "cacheReadInputTokens": st.none() | st.integers(0, 9),
        "cacheWriteInputTokens": st.none() | st.integers(0, 9),
        "cacheDetails": st.lists(
            objects({"ttl": st.sampled_from(("5m", "1h"))}, {"inputTokens": counts}), max_size=2
        ),
    },
)
answers = {
    "usage": usages,
    "metrics": objects({}, {"latencyMs": st.integers(0, 9999) | st.floats(0, 1)}),
    "ResponseMetadata": objects({}, {"RequestId": texts, "HTTPStatusCode": st.integers(200, 599)}),
}
errors = objects({}, {"Code": texts | st.integers(), "Message": texts | st.integers()})
responses = st.one_of(
    objects(
        {"output": objects({}, {"message": objects({}, {"role": texts, "content": contents})})},
        {
            **answers,
            "stopReason": st.sampled_from(("end_turn", "tool_use", "guardrail_intervened", "new")),
            "Error": st.none() | errors,
        },
    ),
    objects({"Error": errors}, answers),
    objects({"error": texts | errors}, {}),
)
records = st.one_of(
    st.fixed_dictionaries({"request": requests, "response": st.none() | responses}),
    st.fixed_dictionaries({"response": responses}),
    requests,
)


class TestBedrockConverse(FormatContract):
    format = FORMAT
    fixtures = records_in(data_dir("fixtures") / "formats" / FORMAT.name)

    def records(self) -> st.SearchStrategy[Any]:
        return records


del FormatContract  # pytest would run the base class, too
