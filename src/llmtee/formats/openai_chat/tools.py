"""Tool calls, tool results and tool definitions in the shape of OpenAI Chat Completions. See ``chat_messages``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from llmtee import jsontext
from llmtee.errors import InputError
from llmtee.formats.openai_chat.parts import (
    TOOL_CALL,
    decode_content,
    encode_part,
    nested,
    own,
    owned,
)
from llmtee.jsonfields import as_list, as_object, as_text, join, rest, text_or_none
from llmtee.model import (
    OtherPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
)
from llmtee.model._base import made
from llmtee.model.memo import BYTES, Growing
from llmtee.model.snapshot import from_json_text

_KNOWN = ("function", "custom")
_LEGACY = {"field": "functions"}


# ── calls ───────────────────────────────────────────────────────────────────────────────────────────────────────


def decode_call(raw: Any, path: str) -> ToolCallPart | OtherPart:
    """An entry of ``tool_calls``; one of an unknown type that has no body to read is kept whole."""
    raw = as_object(raw, path)
    kind = raw.get("type") or "function"
    if not isinstance(kind, str):
        kind = as_text(kind, f"{path}.type")
    # Kimi's servers say {"type": "builtin_function", "function": {…}}.
    key = kind if kind in _KNOWN or isinstance(raw.get(kind), Mapping) else "function"
    body = raw.get(key)
    if not isinstance(body, Mapping):
        if kind not in _KNOWN:
            return made(OtherPart, name=TOOL_CALL + kind, data=raw)
        raise InputError(f"a tool call of type {kind!r} needs an object under that key", path=path)
    extra = rest(raw, "id", "type", key)
    if kind not in _KNOWN:
        extra["form"] = {"type": kind, "body": key}
    call_id = text_or_none(raw.get("id"), f"{path}.id") or None
    extra |= nested(key, rest(body, "name", _arguments_field(kind)))
    return _call(call_id, body, kind, f"{path}.{key}", extra)


def decode_function_call(raw: Mapping[str, Any], path: str) -> ToolCallPart:
    """The ``function_call`` of a message: the ancestor of ``tool_calls``."""
    extra = nested("function_call", rest(raw, "name", "arguments"))
    return _call(None, raw, "function_call", path, extra)


def _arguments_field(kind: str) -> str:
    return "input" if kind == "custom" else "arguments"


def _call(
    call_id: str | None, body: Mapping[str, Any], kind: str, path: str, extra: dict[str, Any]
) -> ToolCallPart:
    received = body.get(_arguments_field(kind))
    text = received if isinstance(received, str) else None
    return made(
        ToolCallPart,
        id=call_id,
        name=as_text(body.get("name", ""), f"{path}.name"),
        # The input of a custom tool is text that need not be JSON, and is not read as such.
        arguments=received
        if text is None
        else None
        if kind == "custom"
        else parsed_arguments(text),
        arguments_text=text,
        call_type=kind,
        extra=owned(extra),
    )


def parsed_arguments(text: str) -> Any:
    """Arguments as a value; ``None`` where the text is no JSON."""
    try:
        return from_json_text(text)
    except ValueError:  # a stream cut short leaves half a document; the text is kept beside it
        return None


def encode_call(part: ToolCallPart) -> dict[str, Any]:
    """A tool call as an entry of ``tool_calls``.

    A type that the shape does not know is written as a function, unless it was read from this shape.
    """
    extra = own(part)
    kind = "custom" if part.call_type == "custom" else "function"
    key = kind
    match extra.pop("form", None):
        case {"type": str(kind), "body": str(key)}:
            pass
    body = _call_body(part, extra.pop(key, None))
    return {**extra, "id": part.id or "", "type": kind, key: body}


def encode_function_call(part: ToolCallPart) -> dict[str, Any]:
    """A tool call as the ``function_call`` of a message."""
    return _call_body(part, own(part).get("function_call"))


def _call_body(part: ToolCallPart, more: Any) -> dict[str, Any]:
    body = {"name": part.name, _arguments_field(part.call_type): arguments_text(part)}
    return {**body, **more} if isinstance(more, dict) else body


def arguments_text(part: ToolCallPart) -> str:
    """The arguments as text: as received, else as compact JSON; ``{}`` where there are none."""
    if part.arguments_text is not None:
        return part.arguments_text
    return "{}" if part.arguments is None else jsontext.dumps(part.arguments).decode()


# ── results ─────────────────────────────────────────────────────────────────────────────────────────────────────


def decode_result(raw: Mapping[str, Any], path: str) -> ToolResultPart:
    """The tool's answer in a message of role ``tool`` or ``function``."""
    content = raw.get("content")
    parts: tuple[TextPart | Any, ...] = ()
    if isinstance(content, list):
        decoded = decode_content(content, join(path, "content"))
        parts = tuple(
            made(OtherPart, name="refusal", data=encode_part(part))
            if isinstance(part, RefusalPart)
            else part
            for part in decoded
        )
        content = None
    return made(
        ToolResultPart,
        call_id=text_or_none(raw.get("tool_call_id"), join(path, "tool_call_id")) or None,
        name=text_or_none(raw.get("name"), join(path, "name")),
        result=content,
        parts=parts,
    )


def encode_result(part: ToolResultPart, extra: Mapping[str, Any]) -> dict[str, Any]:
    """A tool's answer as a message of role ``tool``, or ``function`` where that was its role."""
    out: dict[str, Any] = {"role": "tool", "tool_call_id": part.call_id or ""}
    if extra.get("role") == "function":
        out = {"role": "function", "name": part.name or ""}
        if part.call_id is not None:
            out["tool_call_id"] = part.call_id
    elif part.name is not None:
        out["name"] = part.name
    content = [encoded for inner in part.parts if (encoded := encode_part(inner)) is not None]
    return {**extra, **out, "content": content or result_text(part)}


def result_text(part: ToolResultPart) -> str:
    """A tool's answer as text: as it stands, the text of its parts, or compact JSON; empty where there is none."""
    if part.parts:
        return "".join(inner.text for inner in part.parts if isinstance(inner, TextPart))
    if part.result is None or isinstance(part.result, str):
        return part.result or ""
    return jsontext.dumps(part.result).decode()


# ── definitions ─────────────────────────────────────────────────────────────────────────────────────────────────


def decode_tools(request: Mapping[str, Any], path: str) -> tuple[ToolDefinition, ...]:
    """The tools offered: ``tools``, and ``functions`` of old."""
    tools, functions = join(path, "tools"), join(path, "functions")
    return (
        *_offered(as_list(request.get("tools"), tools), tools),
        *(
            _definition(
                as_object(raw, f"{functions}[{i}]"), "function", f"{functions}[{i}]", _LEGACY
            )
            for i, raw in enumerate(as_list(request.get("functions"), functions))
        ),
    )


def _decode_tool(raw: Any, path: str) -> ToolDefinition:
    raw = as_object(raw, path)
    kind = text_or_none(raw.get("type"), f"{path}.type") or "function"
    if isinstance(raw.get(kind), Mapping):
        extra = rest(raw, "type", kind) | ({} if kind in _KNOWN else {"form": "nested"})
        return _definition(raw[kind], kind, f"{path}.{kind}", extra)
    return _definition(rest(raw, "type"), kind, path, {"form": "flat"})


_offered = Growing(_decode_tool, BYTES // 16)  # an application has a few sets of tools


def _definition(
    body: Mapping[str, Any], kind: str, path: str, extra: Mapping[str, Any]
) -> ToolDefinition:
    more = nested(kind, rest(body, "name", "description", "parameters"))
    return made(
        ToolDefinition,
        name=text_or_none(body.get("name"), f"{path}.name"),
        description=text_or_none(body.get("description"), f"{path}.description"),
        parameters=body.get("parameters"),
        type=kind,
        extra=owned({**extra, **more}),
    )


def encode_tools(tools: Iterable[ToolDefinition]) -> dict[str, Any]:
    """``tools`` and ``functions`` of a request, each where there are any."""
    out: dict[str, Any] = {}
    for tool in tools:
        extra = own(tool)
        more = extra.pop(tool.type, None)
        body = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
        body = {key: value for key, value in body.items() if value is not None}
        body |= more if isinstance(more, dict) else {}
        form = extra.pop("form", "nested" if tool.type in _KNOWN else "flat")
        if extra.pop("field", None) == _LEGACY["field"]:
            out.setdefault("functions", []).append(body)
        elif form == "nested":
            out.setdefault("tools", []).append({**extra, "type": tool.type, tool.type: body})
        else:
            out.setdefault("tools", []).append({**extra, **body, "type": tool.type})
    return out
