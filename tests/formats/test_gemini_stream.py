"""Streams of Gemini: parts that are joined and parts that are not, metadata, calls in pieces."""

from __future__ import annotations

from typing import Any

import pytest

from llmtee.errors import InputError
from llmtee.formats.gemini.codec import decode_record
from llmtee.formats.gemini.stream import GeminiStream
from llmtee.model import ToolCallPart


def stream(*chunks: Any) -> GeminiStream:
    found = GeminiStream()
    for chunk in chunks:
        found.add(chunk)
    return found


def chunk(*parts: Any, index: int = 0, **fields: Any) -> dict[str, Any]:
    content = {"role": "model", "parts": list(parts)}
    return {"candidates": [{"index": index, "content": content, **fields}]}


def candidate(*chunks: Any) -> dict[str, Any]:
    response = stream(*chunks).response()
    assert response is not None
    found = response["candidates"][0]
    assert isinstance(found, dict)
    return found


def parts(*chunks: Any) -> Any:
    return candidate(*chunks)["content"]["parts"]


class TestParts:
    def test_adjacent_texts_of_one_kind_are_one(self) -> None:
        assert parts(
            chunk({"text": "a", "thought": True}, {"text": "b", "thought": True}),
            chunk({"text": "c"}),
            chunk({"text": "d"}, {"text": "e"}),
        ) == [{"text": "ab", "thought": True}, {"text": "cde"}]

    def test_a_text_with_a_signature_stands_alone(self) -> None:
        signed = {"text": "b", "thoughtSignature": "s=="}
        assert parts(chunk({"text": "a"}), chunk(signed), chunk({"text": "c"})) == [
            {"text": "a"},
            signed,
            {"text": "c"},
        ]

    def test_a_signature_on_an_empty_text_is_kept(self) -> None:
        signed = {"text": "", "thoughtSignature": "s=="}
        assert parts(chunk({"text": "a"}), chunk(signed)) == [{"text": "a"}, signed]
        assert not stream(chunk(signed)).has_content

    def test_the_empty_text_at_the_end_is_nothing(self) -> None:
        call = {"functionCall": {"name": "f", "args": {}}}
        assert parts(chunk(call), chunk({"text": ""}, finishReason="STOP")) == [call]

    def test_what_runs_at_googles_and_media_are_listed(self) -> None:
        found: list[Any] = [
            {"executableCode": {"language": "PYTHON", "code": "1"}},
            {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
            {"novel": 1},
        ]
        assert parts(*(chunk(one) for one in found)) == found

    def test_candidates_in_turns(self) -> None:
        found = stream(
            chunk({"text": "a"}),
            chunk({"text": "b"}, index=1, finishReason="STOP"),
            chunk({"text": "c"}),
        )
        response = found.response()
        assert response is not None
        said = [one["content"]["parts"] for one in response["candidates"]]
        assert said == [[{"text": "ac"}], [{"text": "b"}]]
        assert not found.complete


class TestCallsInPieces:
    def pieces(self, *values: dict[str, Any]) -> list[Any]:
        begin = {"functionCall": {"name": "f", "willContinue": True}, "thoughtSignature": "s=="}
        inner = [
            chunk({"functionCall": {"partialArgs": [one], "willContinue": True}}) for one in values
        ]
        return [chunk(begin), *inner, chunk({"functionCall": {}}), chunk({"text": "x"})]

    def test_they_are_one_call(self) -> None:
        chunks = self.pieces(
            {"jsonPath": "$.city", "stringValue": "Gr", "willContinue": True},
            {"jsonPath": "$.city", "stringValue": "az"},
            {"jsonPath": "$.days[1].hours", "numberValue": 3},
            {"jsonPath": "$.dry", "boolValue": False},
            {"jsonPath": "$['to do']", "nullValue": "NULL_VALUE"},
        )
        [part, _] = parts(*chunks)
        args = {"city": "Graz", "days": [None, {"hours": 3}], "dry": False, "to do": None}
        assert part == {"functionCall": {"name": "f", "args": args}, "thoughtSignature": "s=="}
        [call, _] = decode_record({"response": chunks}).choices[0].message.parts
        assert isinstance(call, ToolCallPart)
        assert call.arguments == args

    def test_pieces_that_cannot_be_read_stay(self) -> None:
        odd: list[Any] = [
            {"jsonPath": "$..x", "numberValue": 1},
            {"jsonPath": "$.a[99999]", "x": 1},
        ]
        [part, _] = parts(*self.pieces(*odd, {"jsonPath": "$.a", "numberValue": 1}))
        assert part["functionCall"]["partialArgs"] == odd
        assert part["functionCall"]["args"] == {"a": 1}

    def test_a_piece_that_contradicts_another_stays(self) -> None:
        first, second = (
            {"jsonPath": "$.a", "numberValue": 1},
            {"jsonPath": "$.a.b", "numberValue": 2},
        )
        [part, _] = parts(*self.pieces(first, second))
        assert part["functionCall"]["partialArgs"] == [{"jsonPath": "$.a.b", "value": 2}]


class TestMetadata:
    def test_the_last_counts_are_right(self) -> None:
        usage = decode_record(
            {
                "response": [
                    {
                        **chunk({"text": "a"}),
                        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": n},
                    }
                    for n in (1, 2)
                ]
            }
        ).usage
        assert usage is not None
        assert (usage.input_tokens, usage.output_tokens) == (3, 2)

    def test_grounding_that_comes_in_parts(self) -> None:
        grounding = {"webSearchQueries": ["q"], "groundingChunks": [{"web": {"uri": "u"}}]}
        found = candidate(
            chunk({"text": "a"}, groundingMetadata={"webSearchQueries": ["q"]}),
            chunk(groundingMetadata={"groundingChunks": grounding["groundingChunks"]}),
            chunk(groundingMetadata={}),
        )
        assert found["groundingMetadata"] == grounding

    def test_sources_are_told_once_or_again_and_again(self) -> None:
        one, two = {"uri": "https://example.com/1"}, {"uri": "https://example.com/2"}
        for told in ([[one], [two]], [[one], [one, two]]):
            chunks = [chunk(citationMetadata={"citationSources": sources}) for sources in told]
            assert candidate(*chunks)["citationMetadata"] == {"citationSources": [one, two]}

    def test_a_blocked_prompt_is_complete(self) -> None:
        blocked = {
            "promptFeedback": {"blockReason": "SAFETY"},
            "usageMetadata": {"promptTokenCount": 1},
        }
        assert stream(blocked).complete
        call = decode_record({"response": [blocked]})
        assert call.choices[0].finish_reason == "content_filter"
        assert call.flags == ()

    def test_an_error_alone(self) -> None:
        error = {"error": {"code": 429, "message": "Slow down.", "status": "RESOURCE_EXHAUSTED"}}
        call = decode_record({"response": [error]})
        assert call.error is not None
        assert (call.error.status, call.error.type) == (429, "RESOURCE_EXHAUSTED")


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({"candidates": 3}, "[0].candidates"),
        ({"candidates": [{"content": {"parts": [3]}}]}, "[0].candidates[0].content.parts[0]"),
        ({"candidates": [{"finish_reason": 3}]}, "[0].candidates[0].finish_reason"),
        ({"usage_metadata": 3}, "[0].usage_metadata"),
        ({"error": 3}, "[0].error"),
    ],
)
def test_what_is_malformed_is_named_as_it_is_spelled(raw: Any, path: str) -> None:
    with pytest.raises(InputError) as caught:
        stream(raw)
    assert caught.value.path == path
