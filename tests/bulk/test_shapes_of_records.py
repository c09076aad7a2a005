"""Every format in every shape of file and of record that logs have, through the public `llmtee.read`."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

import llmtee
from llmtee import registry
from llmtee._data_files import data_dir
from llmtee.errors import InputError
from llmtee.model import Item, ModelCall

FOLDER = data_dir("fixtures") / "formats"
PROVIDERS = [name for name in registry.format_names() if registry.format(name).encode is not None]
SAMPLES = {
    **dict.fromkeys(PROVIDERS, "plain"),
    "llmtee": "plain",
    "otel-genai": "current",
    "openinference": "plain",
    "langfuse": "generation-openai",
    "langsmith": "openai-body",
}
NULLS: dict[str, dict[str, tuple[str, ...]]] = {
    "openai-chat": {
        "": ("service_tier", "system_fingerprint", "error"),
        "choices[]": ("logprobs",),
        "choices[].message": ("annotations", "audio", "function_call", "refusal", "tool_calls"),
        "usage": ("completion_tokens_details", "prompt_tokens_details", "cost"),
    },
    "openai-responses": {
        "": ("conversation", "incomplete_details", "max_tool_calls", "prompt", "usage_details"),
        "output[]": ("phase",),
        "output[].content[]": ("logprobs", "annotations"),
    },
    "anthropic-messages": {
        "": ("container", "stop_details", "context_management"),
        "content[]": ("citations",),
        "usage": ("cache_creation", "server_tool_use", "service_tier", "inference_geo"),
    },
    "gemini": {
        "": ("promptFeedback", "createTime", "automaticFunctionCallingHistory", "parsed"),
        "candidates[]": ("citationMetadata", "finishMessage", "groundingMetadata", "safetyRatings"),
        "candidates[].content.parts[]": (
            *("thought", "inlineData", "fileData", "functionCall", "functionResponse"),
            *("executableCode", "codeExecutionResult", "thoughtSignature", "videoMetadata"),
        ),
        "usageMetadata": ("cachedContentTokenCount", "thoughtsTokenCount", "trafficType"),
    },
    "bedrock-converse": {
        "": ("additionalModelResponseFields", "trace", "performanceConfig"),
        "usage": ("cacheReadInputTokens", "cacheWriteInputTokens", "cacheDetails"),
    },
}
"""Fields that the SDKs' objects have and responses leave out: ``model_dump`` writes them as null."""

each = pytest.mark.parametrize("name", SAMPLES)
each_provider = pytest.mark.parametrize("name", PROVIDERS)


def sample(name: str) -> Any:
    return json.loads((FOLDER / name / f"{SAMPLES[name]}.json").read_text("utf-8"))


def read(text: str, name: str = "auto") -> list[Item]:
    return list(llmtee.read(io.BytesIO(text.encode()), name))


def one(record: Any, name: str = "auto") -> ModelCall:
    [call] = read(json.dumps(record), name)
    assert isinstance(call, ModelCall)
    return call


@each
@pytest.mark.parametrize(
    "write",
    [
        json.dumps,
        lambda record: json.dumps([record]),
        lambda record: json.dumps(record, indent=4),
        lambda record: "\ufeff" + json.dumps(record, indent="\t"),
        lambda record: "\ufeff\n \n" + json.dumps(record) + "\r\n\r\n",
        lambda record: "[\n" + json.dumps(record) + "\n]",
        lambda record: json.dumps(record, ensure_ascii=True).replace("/", "\\/"),
    ],
    ids=["line", "list", "indented", "bom", "blank lines", "list of lines", "escaped"],
)
def test_every_format_in_every_shape_of_file(name: str, write: Any) -> None:
    record = sample(name)
    expected = registry.format(name).decode(record)
    assert read(write(record)) == read(write(record), name) == expected


@each
def test_a_list_of_records_is_as_many_lines(name: str) -> None:
    records = [
        json.loads(path.read_text("utf-8"))
        for path in sorted((FOLDER / name).glob("*.json"))
        if not path.name.endswith(".expected.json")
    ]
    flat = [one for record in records for one in (record if isinstance(record, list) else [record])]
    lines = "\n".join(json.dumps(one) for one in flat)
    assert read(lines, name) == read(json.dumps(flat, indent=1), name)


@each_provider
def test_a_bare_response_says_what_was_answered(name: str) -> None:
    record = sample(name)
    whole, bare = one(record), one(record["response"])
    assert [choice.message for choice in bare.choices] == [
        choice.message for choice in whole.choices
    ]
    assert (bare.usage, bare.response_model) == (whole.usage, whole.response_model)
    assert (bare.input, bare.session, bare.error) == ((), None, None)


@each_provider
def test_a_bare_request_says_what_was_asked(name: str) -> None:
    record = sample(name)
    whole, bare = one(record, name), one(record["request"], name)
    assert (bare.input, bare.model, bare.parameters) == (whole.input, whole.model, whole.parameters)
    assert (bare.choices, bare.usage, bare.error) == ((), None, None)


@each_provider
@pytest.mark.parametrize(
    "error",
    ["timed out", {"message": "timed out"}, {"error": {"message": "timed out", "code": 504}}],
)
def test_a_record_with_an_error_alone_is_a_call_that_failed(name: str, error: Any) -> None:
    call = one({"error": error, "session": "s", "started_at": "2026-11-17T09:14:02Z"}, name)
    assert call.error is not None
    assert (call.error.message, call.session, call.choices) == ("timed out", "s", ())
    with pytest.raises(InputError, match=r"surely of no format.*--from"):
        one({"error": error, "session": "s"})


@each_provider
def test_a_request_that_failed_is_told_by_the_request(name: str) -> None:
    request = sample(name)["request"]
    failed = one({"request": request, "error": {"message": "overloaded", "type": "x"}}, name)
    assert failed.error is not None
    assert failed.input == one({"request": request}, name).input
    nulls = one({"request": request, "response": None, "error": "e", "tags": None}, name)
    assert nulls.input == failed.input


def dumped(value: Any, nulls: dict[str, tuple[str, ...]], place: str = "") -> Any:
    """``value`` as an SDK's ``model_dump`` writes it: with every field that the object could have."""
    if isinstance(value, list):
        return [dumped(inner, nulls, f"{place}[]") for inner in value]
    if not isinstance(value, dict):
        return value
    inner = {
        key: dumped(held, nulls, f"{place}.{key}" if place else key) for key, held in value.items()
    }
    return {**dict.fromkeys(nulls.get(place, ())), **inner}


def said(value: Any) -> Any:
    """What a call says, apart from what is kept as it came."""
    if isinstance(value, dict):
        kept = ("id", "native", "raw", "extra")
        return {key: said(inner) for key, inner in value.items() if key not in kept}
    return [said(inner) for inner in value] if isinstance(value, list) else value


@each_provider
def test_a_response_as_the_sdks_object_writes_itself(name: str) -> None:
    record = sample(name)
    written = {**record, "response": dumped(record["response"], NULLS[name])}
    assert written != record
    plain, whole = one(record), one(written)
    assert said(whole.to_json()) == said(plain.to_json())
    assert one(written["response"]).choices[0].message.text == whole.choices[0].message.text


def test_the_samples_are_of_all_formats() -> None:
    assert set(SAMPLES) == set(registry.format_names())
    assert all((FOLDER / name / f"{stem}.json").is_file() for name, stem in SAMPLES.items())
    assert isinstance(FOLDER, Path)
