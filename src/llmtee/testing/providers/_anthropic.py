"""Answers in the shape of Anthropic's Messages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from llmtee.testing.providers._answers import Answer


def error(answer: Answer) -> dict[str, Any]:
    """The body of an HTTP error."""
    kind = "rate_limit_error" if answer.status == 429 else "api_error"
    return {"type": "error", "error": {"type": kind, "message": "not now"}, "request_id": "req_e"}


def failure() -> tuple[str, Any]:
    """An event that tells of a failure within a stream."""
    return "error", {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded"},
    }


def message(answer: Answer, request: Mapping[str, Any], number: int) -> dict[str, Any]:
    """A whole message."""
    content: list[dict[str, Any]] = []
    if answer.reasoning is not None:
        content.append(
            {"type": "thinking", "thinking": answer.reasoning, "signature": f"sig-{number}"}
        )
    if answer.words:
        content.append({"type": "text", "text": answer.said})
    content += [
        {"type": "tool_use", "id": f"toolu_{number}_{i}", "name": name, "input": dict(arguments)}
        for i, (name, arguments) in enumerate(answer.calls)
    ]
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": request.get("model"),
        "content": content,
        "stop_reason": "tool_use" if answer.calls else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 12, "output_tokens": 7},
    }


def events(
    answer: Answer, request: Mapping[str, Any], number: int
) -> Iterator[tuple[str | None, Any]]:
    """The events of a streamed message."""
    whole = message(answer, request, number)
    start = {**whole, "content": [], "stop_reason": None}
    start["usage"] = {"input_tokens": 12, "output_tokens": 1}
    found: list[dict[str, Any]] = [{"type": "message_start", "message": start}, {"type": "ping"}]
    for i, block in enumerate(whole["content"]):
        empty, deltas = _in_pieces(block, answer)
        found.append({"type": "content_block_start", "index": i, "content_block": empty})
        found += [{"type": "content_block_delta", "index": i, "delta": delta} for delta in deltas]
        found.append({"type": "content_block_stop", "index": i})
    ending = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    found.append({"type": "message_delta", "delta": ending, "usage": {"output_tokens": 7}})
    found.append({"type": "message_stop"})
    for event in found:
        yield event["type"], event


def _in_pieces(
    block: Mapping[str, Any], answer: Answer
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if block["type"] == "text":
        return {**block, "text": ""}, [
            {"type": "text_delta", "text": word} for word in answer.words
        ]
    if block["type"] == "thinking":
        return {**block, "thinking": "", "signature": ""}, [
            {"type": "thinking_delta", "thinking": block["thinking"]},
            {"type": "signature_delta", "signature": block["signature"]},
        ]
    text = json.dumps(block["input"])
    halves = (text[: len(text) // 2], text[len(text) // 2 :])
    return {**block, "input": {}}, [
        {"type": "input_json_delta", "partial_json": half} for half in halves
    ]
