"""Tool calls, tool results, reasoning and tool definitions as items of OpenAI Responses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from llmtee.formats.openai_chat.tools import arguments_text, parsed_arguments, result_text
from llmtee.formats.openai_responses.parts import decode_part, encode_part, own, owned
from llmtee.jsonfields import as_list, as_object, as_text, rest, text_or_none
from llmtee.model import (
    OtherPart,
    ReasoningPart,
    RefusalPart,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
)

_CALLS = {"function_call": ("function", "arguments"), "custom_tool_call": ("custom", "input")}
_ITEMS = {kind: (item, field) for item, (kind, field) in _CALLS.items()}
_RESULTS = ("function_call_output", "custom_tool_call_output")


# ── calls ───────────────────────────────────────────────────────────────────────────────────────────────────────


def is_call(raw: Mapping[str, Any], kind: str) -> bool:
    """Whether an item is a call with a name and arguments; other calls are kept whole."""
    if kind in _CALLS:
        return True
    return kind.endswith("_call") and isinstance(raw.get("name"), str) and "arguments" in raw


def decode_call(raw: Mapping[str, Any], kind: str, path: str) -> ToolCallPart:
    """A ``function_call``, a ``custom_tool_call``, or a server-side call with a name and arguments (``mcp_call``)."""
    call_type, field = _CALLS.get(kind, (kind, "arguments"))
    received = raw.get(field)
    text = received if isinstance(received, str) else None
    extra = rest(raw, "type", "call_id", "name", field)
    call_id = text_or_none(raw.get("call_id"), f"{path}.call_id") or None
    if kind not in _CALLS:
        extra["type"] = kind
        call_id = call_id or text_or_none(raw.get("id"), f"{path}.id") or None
    return ToolCallPart(
        id=call_id,
        name=as_text(raw.get("name", ""), f"{path}.name"),
        # The input of a custom tool is text that need not be JSON, and is not read as such.
        arguments=received
        if text is None
        else None
        if call_type == "custom"
        else parsed_arguments(text),
        arguments_text=text,
        call_type=call_type,
        extra=owned(extra),
    )


def encode_call(part: ToolCallPart) -> dict[str, Any]:
    """A tool call as an item. A server-side type of another provider is written as a function."""
    extra = own(part)
    kind = extra.pop("type", None)
    if isinstance(kind, str) and kind == part.call_type:
        item: dict[str, Any] = {"type": kind, **extra, "name": part.name}
        if part.id is not None and part.id != extra.get("id"):
            item["call_id"] = part.id
        return {**item, "arguments": arguments_text(part)}
    kind, field = _ITEMS.get(part.call_type, _ITEMS["function"])
    body = {"call_id": part.id or "", "name": part.name, field: arguments_text(part)}
    return {"type": kind, **extra, **body}


# ── results ─────────────────────────────────────────────────────────────────────────────────────────────────────


def is_result(raw: Mapping[str, Any], kind: str) -> bool:
    """Whether an item is what a tool answered to a call."""
    return kind in _RESULTS or (kind.endswith("_call_output") and "call_id" in raw)


def decode_result(raw: Mapping[str, Any], kind: str, path: str) -> ToolResultPart:
    """A tool's answer: text or content parts; other tools than functions answer with objects of their own."""
    output = raw.get("output")
    extra = rest(raw, "type", "call_id", "output")
    if kind != _RESULTS[0]:
        extra["type"] = kind
    parts: tuple[Any, ...] = ()
    if kind in _RESULTS and isinstance(output, list):
        where = f"{path}.output"
        parts = tuple(_result_part(one, f"{where}[{i}]") for i, one in enumerate(output))
        if not parts:
            extra["form"] = "parts"
        output = None
    elif not isinstance(output, str):
        extra["form"] = "json"
    call_id = text_or_none(raw.get("call_id"), f"{path}.call_id") or None
    return ToolResultPart(call_id=call_id, result=output, parts=parts, extra=owned(extra))


def _result_part(raw: Any, path: str) -> Any:
    part = decode_part(raw, path)
    return OtherPart(name="refusal", data=raw) if isinstance(part, RefusalPart) else part


def encode_result(part: ToolResultPart) -> dict[str, Any]:
    """A tool's answer as an item."""
    extra = own(part)
    kind, form = extra.pop("type", None), extra.pop("form", None)
    content = [encoded for inner in part.parts if (encoded := encode_part(inner)) is not None]
    output: Any = content or result_text(part)
    if not content and form == "json":
        output = part.result
    elif not content and form == "parts" and part.result is None:
        output = []
    kind = kind if isinstance(kind, str) else _RESULTS[0]
    return {"type": kind, **extra, "call_id": part.call_id or "", "output": output}


# ── reasoning ───────────────────────────────────────────────────────────────────────────────────────────────────


def decode_reasoning(raw: Mapping[str, Any], path: str) -> ReasoningPart:
    """A ``reasoning`` item: summaries, text where the model shows it, and what only the provider can read."""
    summary = _said(raw.get("summary"), f"{path}.summary")
    content = _said(raw.get("content"), f"{path}.content")
    text = "".join(content) if content else None
    extra = rest(raw, "type", "id", "summary", "content", "encrypted_content")
    if (raw.get("summary") or []) != _summary_items(summary):
        extra["summary"] = raw["summary"]
    if (raw.get("content") or []) != _content_items(text):
        extra["content"] = raw["content"]
    return ReasoningPart(
        id=text_or_none(raw.get("id"), f"{path}.id"),
        summary=tuple(summary),
        text=text,
        encrypted=text_or_none(raw.get("encrypted_content"), f"{path}.encrypted_content"),
        extra=owned(extra),
    )


def _said(raw: Any, path: str) -> list[str]:
    entries = [as_object(one, f"{path}[{i}]") for i, one in enumerate(as_list(raw, path))]
    return [entry["text"] for entry in entries if isinstance(entry.get("text"), str)]


def _summary_items(summary: Iterable[str]) -> list[dict[str, str]]:
    return [{"type": "summary_text", "text": text} for text in summary]


def _content_items(text: str | None) -> list[dict[str, str]]:
    return [] if text is None else [{"type": "reasoning_text", "text": text}]


def encode_reasoning(part: ReasoningPart) -> dict[str, Any]:
    """What a model thought as an item. A signature belongs to another provider and is left out."""
    extra = own(part)
    summary, content = extra.pop("summary", None), extra.pop("content", None)
    item: dict[str, Any] = {"type": "reasoning", **extra}
    if part.id is not None:
        item["id"] = part.id
    item["summary"] = summary if isinstance(summary, list) else _summary_items(part.summary)
    if isinstance(content, list) or part.text is not None:
        item["content"] = content if isinstance(content, list) else _content_items(part.text)
    if part.encrypted is not None:
        item["encrypted_content"] = part.encrypted
    return item


# ── definitions ─────────────────────────────────────────────────────────────────────────────────────────────────


def decode_tools(raw: Any, path: str) -> tuple[ToolDefinition, ...]:
    """The tools offered: functions, custom tools and the provider's own."""
    return tuple(_decode_tool(tool, f"{path}[{i}]") for i, tool in enumerate(as_list(raw, path)))


def _decode_tool(raw: Any, path: str) -> ToolDefinition:
    raw = as_object(raw, path)
    return ToolDefinition(
        name=text_or_none(raw.get("name"), f"{path}.name"),
        description=text_or_none(raw.get("description"), f"{path}.description"),
        parameters=raw.get("parameters"),
        type=text_or_none(raw.get("type"), f"{path}.type") or "function",
        extra=owned(rest(raw, "name", "description", "parameters", "type")),
    )


def encode_tools(tools: Iterable[ToolDefinition]) -> list[dict[str, Any]]:
    """The entries of ``tools``."""
    return [
        {
            "type": tool.type or "function",
            **({} if tool.name is None else {"name": tool.name}),
            **({} if tool.description is None else {"description": tool.description}),
            **({} if tool.parameters is None else {"parameters": tool.parameters}),
            **own(tool),
        }
        for tool in tools
    ]
