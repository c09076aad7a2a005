"""Answers in the shapes of OpenAI's Chat Completions and Responses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from llmtee.testing.providers._answers import Answer

CREATED = 1_790_000_000


def error(answer: Answer) -> dict[str, Any]:
    """The body of an HTTP error."""
    kind = "rate_limit_exceeded" if answer.status == 429 else "server_error"
    return {"error": {"message": "not now", "type": kind, "param": None, "code": kind}}


def failure() -> dict[str, Any]:
    """An event that tells of a failure within a stream."""
    return {"error": {"message": "lost the thread", "type": "server_error", "code": "broken"}}


def chat(answer: Answer, request: Mapping[str, Any], number: int) -> dict[str, Any]:
    """A whole chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.said or None}
    if answer.calls:
        message["tool_calls"] = [
            {
                "id": f"call_{number}_{i}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for i, (name, arguments) in enumerate(answer.calls)
        ]
    finish = "tool_calls" if answer.calls else "stop"
    body = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": CREATED,
        "model": request.get("model"),
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
    }
    return {**body, "usage": _usage("prompt", "completion")} if answer.usage else body


def chat_events(
    answer: Answer, request: Mapping[str, Any], number: int
) -> Iterator[tuple[str | None, Any]]:
    """The events of a streamed chat completion."""

    def chunk(delta: Any, finish: str | None = None, **more: Any) -> tuple[None, Any]:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        return None, {
            "id": f"chatcmpl-{number}",
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": request.get("model"),
            "choices": choices,
            **more,
        }

    yield chunk({"role": "assistant", "content": ""})
    for word in answer.words:
        yield chunk({"content": word})
    for i, (name, arguments) in enumerate(answer.calls):
        call = {"index": i, "id": f"call_{number}_{i}", "type": "function"}
        yield chunk({"tool_calls": [{**call, "function": {"name": name, "arguments": ""}}]})
        text = json.dumps(arguments)
        for part in (text[: len(text) // 2], text[len(text) // 2 :]):
            yield chunk({"tool_calls": [{"index": i, "function": {"arguments": part}}]})
    yield chunk({}, "tool_calls" if answer.calls else "stop")
    if answer.usage and (request.get("stream_options") or {}).get("include_usage"):
        yield chunk({}, choices=[], usage=_usage("prompt", "completion"))


def response(answer: Answer, request: Mapping[str, Any], number: int) -> dict[str, Any]:
    """A whole response."""
    usage = {
        **_usage("input", "output"),
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": CREATED,
        "model": request.get("model"),
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": request.get("instructions"),
        "metadata": {},
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": request.get("tools", []),
        "output": list(_items(answer, number)),
        "usage": usage if answer.usage else None,
    }


def response_events(
    answer: Answer, request: Mapping[str, Any], number: int
) -> Iterator[tuple[str | None, Any]]:
    """The events of a streamed response."""
    whole = response(answer, request, number)
    events: list[dict[str, Any]] = [
        {
            "type": "response.created",
            "response": {**whole, "status": "in_progress", "output": [], "usage": None},
        }
    ]
    for i, item in enumerate(whole["output"]):
        place = {"output_index": i, "item_id": item["id"]}
        if item["type"] == "message":
            empty = {"type": "output_text", "text": "", "annotations": []}
            events.append(_item("added", i, {**item, "status": "in_progress", "content": []}))
            place["content_index"] = 0
            events.append({"type": "response.content_part.added", **place, "part": empty})
            events += [
                {"type": "response.output_text.delta", **place, "delta": word, "logprobs": []}
                for word in answer.words
            ]
            done = {"text": answer.said, "logprobs": []}
            events.append({"type": "response.output_text.done", **place, **done})
            part = item["content"][0]
            events.append({"type": "response.content_part.done", **place, "part": part})
        else:
            events.append(_item("added", i, {**item, "arguments": "", "status": "in_progress"}))
            name, text = "response.function_call_arguments", item["arguments"]
            events.append({"type": f"{name}.delta", **place, "delta": text})
            events.append({"type": f"{name}.done", **place, "arguments": text})
        events.append(_item("done", i, item))
    events.append({"type": "response.completed", "response": whole})
    for i, event in enumerate(events):
        yield event["type"], {**event, "sequence_number": i}


def _item(what: str, index: int, item: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": f"response.output_item.{what}", "output_index": index, "item": item}


def _items(answer: Answer, number: int) -> Iterator[dict[str, Any]]:
    if answer.words:
        content = [{"type": "output_text", "text": answer.said, "annotations": [], "logprobs": []}]
        yield {
            "id": f"msg_{number}",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": content,
        }
    for i, (name, arguments) in enumerate(answer.calls):
        yield {
            "id": f"fc_{number}_{i}",
            "type": "function_call",
            "call_id": f"call_{number}_{i}",
            "name": name,
            "arguments": json.dumps(arguments),
            "status": "completed",
        }


def _usage(into: str, out: str) -> dict[str, int]:
    return {f"{into}_tokens": 12, f"{out}_tokens": 7, "total_tokens": 19}
