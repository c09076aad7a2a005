"""The laws of the format gemini, over records that hypothesis makes up."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from llmtee._data_files import data_dir
from llmtee.formats.gemini.codec import FORMAT
from llmtee.formats.gemini.names import respell
from llmtee.testing import strategies
from llmtee.testing.format_contract import FormatContract, records_in

texts = strategies.texts(12)
extras = st.dictionaries(
    st.sampled_from(("xVendor", "x_vendor", "mime_type")), strategies.json_values(), max_size=1
)
counts = st.none() | st.integers(0, 10**6)
names = st.sampled_from(("look", "sum", ""))
ids = st.sampled_from(("c1", "c2"))
signatures = st.sampled_from(("c2ln", "Eu0="))


def objects(
    required: dict[str, Any], optional: dict[str, Any]
) -> st.SearchStrategy[dict[str, Any]]:
    """An object of the wire, with a field of its own now and then."""
    known = st.fixed_dictionaries(required, optional=optional)
    return st.builds(lambda a, b: {**b, **a}, known, extras)


blobs = objects(
    {"data": st.just("AAAA")},
    {
        "mimeType": st.sampled_from(("image/png", "audio/mp3", "application/pdf", "model/x")),
        "displayName": texts,
    },
)
files = objects(
    {"fileUri": st.sampled_from(("gs://bucket/a.mp4", "https://youtu.be/x", ""))},
    {"mimeType": st.just("video/mp4")},
)
about = {
    "thoughtSignature": signatures | st.none(),
    "thought": st.booleans(),
    "videoMetadata": objects({}, {"fps": st.integers(1, 5), "startOffset": st.just("1s")}),
}
answers = st.one_of(
    st.none(),
    strategies.json_objects(),
    st.fixed_dictionaries({"output": strategies.json_values()}),
    st.fixed_dictionaries({"error": strategies.json_values()}),
    texts,
)
parts = st.one_of(
    objects({"text": texts}, about),
    objects({"thoughtSignature": signatures}, {}),
    objects({"inlineData": blobs}, about),
    objects({"fileData": files}, about),
    objects(
        {"functionCall": objects({"name": names}, {"id": ids, "args": strategies.json_objects()})},
        about,
    ),
    objects({"functionCall": objects({}, {"args": strategies.json_values()})}, {}),
    objects(
        {
            "functionResponse": objects(
                {"name": names},
                {
                    "id": ids,
                    "response": answers,
                    "parts": st.lists(objects({"inlineData": blobs}, {}) | extras, max_size=2),
                },
            )
        },
        {},
    ),
    objects({"functionResponse": objects({}, {"id": ids, "response": answers})}, {}),
    objects(
        {"executableCode": objects({"code": texts}, {"language": st.just("PYTHON"), "id": ids})}, {}
    ),
    objects(
        {
            "codeExecutionResult": objects(
                {}, {"outcome": st.sampled_from(("OUTCOME_OK", "OUTCOME_FAILED")), "output": texts}
            )
        },
        {},
    ),
    objects(
        {"toolCall": objects({"toolType": names}, {"args": strategies.json_objects(), "id": ids})},
        {},
    ),
    objects({"toolResponse": objects({"toolType": names}, {"response": answers, "id": ids})}, {}),
    objects({"mystery": strategies.json_values()}, about),
    objects({}, {"text": st.integers(), "inlineData": texts, "thought": texts}),
    texts,
)
roles = st.sampled_from(("user", "model", "function", "system", "critic"))
contents = objects({}, {"role": roles | st.none(), "parts": st.lists(parts, max_size=3)})
declarations = objects(
    {"name": texts},
    {
        "description": texts,
        "parameters": strategies.json_objects(),
        "parametersJsonSchema": strategies.json_objects(),
        "behavior": st.just("NON_BLOCKING"),
    },
)
tools = st.one_of(
    objects({"functionDeclarations": st.lists(declarations, max_size=2)}, {}),
    objects({}, {"googleSearch": strategies.json_objects(), "codeExecution": st.just({})}),
    texts,
)
parameters = {
    "temperature": st.floats(0, 2),
    "maxOutputTokens": counts,
    "topP": st.floats(0, 1),
    "stopSequences": texts | st.lists(texts, max_size=2),
    "candidateCount": st.integers(1, 3),
    "thinkingConfig": objects({}, {"includeThoughts": st.booleans(), "thinkingBudget": counts}),
    "max_output_tokens": counts,
    "tools": st.just(None),
}
outside = {
    "systemInstruction": contents | parts | st.lists(parts, max_size=2),
    "tools": st.none() | st.lists(tools, max_size=2),
    "toolConfig": strategies.json_objects(),
    "cachedContent": texts,
    "safetySettings": st.lists(strategies.json_objects(), max_size=1),
}
asked = st.one_of(st.lists(contents, max_size=3), st.lists(parts | contents, max_size=3), texts)
requests = st.one_of(
    objects(
        {"contents": asked},
        {
            **outside,
            "model": st.sampled_from(("gemini-2.5-pro", "projects/p/models/m")),
            "generationConfig": objects({}, parameters),
            "labels": st.just({"team": "a"}),
        },
    ),
    objects(
        {"contents": asked | contents | parts},
        {**outside, "model": texts, "config": objects({}, {**parameters, **outside})},
    ),
)
details = st.lists(
    objects({"modality": st.sampled_from(("TEXT", "IMAGE", "DOCUMENT"))}, {"tokenCount": counts}),
    max_size=2,
)
usages = objects(
    {},
    {
        "promptTokenCount": counts,
        "candidatesTokenCount": counts,
        "totalTokenCount": counts,
        "thoughtsTokenCount": counts,
        "toolUsePromptTokenCount": counts,
        "cachedContentTokenCount": counts,
        "promptTokensDetails": st.none() | details,
        "candidates_token_count": counts,
    },
)
grounding = objects(
    {},
    {
        "groundingChunks": st.lists(
            st.fixed_dictionaries({"web": objects({"uri": texts}, {"title": texts})}), max_size=2
        ),
        "groundingSupports": st.lists(
            st.fixed_dictionaries(
                {
                    "segment": objects(
                        {}, {"startIndex": st.integers(-1, 9), "endIndex": st.integers(0, 9)}
                    ),
                    "groundingChunkIndices": st.lists(st.integers(-1, 2), max_size=2),
                }
            ),
            max_size=2,
        ),
    },
)
candidates = objects(
    {},
    {
        "content": contents,
        "finishReason": st.sampled_from(("STOP", "MAX_TOKENS", "SAFETY", "OTHER", "NEW_WORD")),
        "index": st.integers(0, 2),
        "groundingMetadata": grounding | strategies.json_values(),
        "citationMetadata": objects(
            {}, {"citations": st.lists(objects({}, {"uri": texts, "endIndex": counts}), max_size=2)}
        ),
        "safetyRatings": st.lists(strategies.json_objects(), max_size=1),
    },
)
errors = texts | objects(
    {},
    {
        "code": st.integers(0, 600) | texts,
        "message": texts | st.integers(),
        "status": texts | st.integers(400, 500),
        "details": strategies.json_values(),
    },
)
responses = st.one_of(
    objects(
        {"candidates": st.lists(candidates, max_size=2)},
        {
            "usageMetadata": usages,
            "modelVersion": texts,
            "responseId": texts,
            "createTime": st.sampled_from(("2026-10-05T16:20:00.123456Z", "soon", "")),
            "promptFeedback": strategies.json_objects(),
            "error": st.none() | errors,
        },
    ),
    objects(
        {"promptFeedback": objects({"blockReason": texts}, {"blockReasonMessage": texts})},
        {"usageMetadata": usages, "modelVersion": texts},
    ),
    objects({"error": errors}, {}),
)
camel = st.one_of(
    st.fixed_dictionaries({"request": requests, "response": st.none() | responses}),
    st.fixed_dictionaries({"response": responses}),
    requests,
)
records = camel | camel.map(
    lambda record: (
        {key: respell(value) for key, value in record.items()}
        if "contents" not in record
        else respell(record)
    )
)


class TestGemini(FormatContract):
    format = FORMAT
    fixtures = records_in(data_dir("fixtures") / "formats" / FORMAT.name)

    def records(self) -> st.SearchStrategy[Any]:
        return records


del FormatContract  # pytest would run the base class, too
