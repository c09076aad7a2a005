"""Tool calls, tool results and tool definitions of Anthropic Messages, those that run at Anthropic's among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from llmtee import jsontext
from llmtee.errors import InputError
from llmtee.formats.anthropic_messages.own import own, owned
from llmtee.formats.anthropic_messages.parts import decode_content_block, encode_blocks
from llmtee.jsonfields import as_list, as_object, as_text, join, rest, text_or_none, type_name
from llmtee.model import ToolCallPart, ToolDefinition, ToolResultPart

RESULT = "tool_result"
_CALL, _SERVER_CALL, _MCP_CALL = "tool_use", "server_tool_use", "mcp_tool_use"
_CALLS = (_CALL, _SERVER_CALL, _MCP_CALL)
_BLOCK_RESULTS = (RESULT, "mcp_tool_result")
"""Results that hold text or blocks; what a server-side tool answers is an object of its own shape."""
_NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}


# ── calls ───────────────────────────────────────────────────────────────────────────────────────────────────────


def is_call(raw: Any) -> bool:
    """Whether a block is a tool call."""
    return isinstance(raw, Mapping) and raw.get("type") in _CALLS


def decode_call(raw: Mapping[str, Any], path: str) -> ToolCallPart:
    """A ``tool_use``, ``server_tool_use`` or ``mcp_tool_use``.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    kind: str = raw["type"]
    arguments = raw.get("input")
    text = arguments if isinstance(arguments, str) else None  # of a stream that was cut short
    extra = rest(raw, "type", "id", "name", "input")
    if not isinstance(arguments, Mapping):
        extra["form"] = "bare"
    return ToolCallPart(
        id=text_or_none(raw.get("id"), f"{path}.id") or None,
        name=as_text(raw.get("name", ""), f"{path}.name"),
        arguments=arguments if text is None else _parse(text),
        arguments_text=text,
        call_type="function" if kind == _CALL else kind,
        extra=owned(extra),
    )


def _parse(text: str) -> Any:
    try:
        return jsontext.loads(text)
    except ValueError:
        return None


def encode_call(part: ToolCallPart) -> dict[str, Any]:
    """A tool call as a block. A type that the shape does not know is written as ``tool_use``."""
    extra = own(part)
    bare = extra.pop("form", None) == "bare"
    received = part.arguments if part.arguments_text is None else part.arguments_text
    return {
        **extra,
        "type": part.call_type if part.call_type in (_SERVER_CALL, _MCP_CALL) else _CALL,
        "id": part.id or "",
        "name": part.name,
        "input": received if bare else _input(part),
    }


def _input(part: ToolCallPart) -> dict[str, Any]:
    """The arguments as the object that the shape asks for."""
    if isinstance(part.arguments, dict):
        return part.arguments
    if part.arguments is not None:
        return {"value": part.arguments}
    return {"input": part.arguments_text} if part.arguments_text else {}


# ── results ─────────────────────────────────────────────────────────────────────────────────────────────────────


def is_result(raw: Any) -> bool:
    """Whether a block is a tool's answer, from the application or from a server-side tool."""
    if not isinstance(raw, Mapping) or not isinstance(kind := raw.get("type"), str):
        return False
    return kind == RESULT or kind.endswith("_tool_result")


def is_inline(part: ToolResultPart) -> bool:
    """Whether a result stands where it stands: those of server-side tools do, beside their calls."""
    return isinstance(own(part).get("type"), str)


def decode_result(raw: Mapping[str, Any], path: str, *, inline: bool) -> ToolResultPart:
    """A ``tool_result``, or the result of a server-side tool.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    kind: str = raw["type"]
    content = raw.get("content")
    server = kind not in _BLOCK_RESULTS
    extra = rest(raw, "type", "tool_use_id", "content", *(() if server else ("is_error",)))
    if inline or kind != RESULT:
        extra["type"] = kind
    blocks = content if isinstance(content, list) and not server else []
    if content is not None and not server and not isinstance(content, str | list):
        extra["form"] = "bare"
    return ToolResultPart(
        call_id=text_or_none(raw.get("tool_use_id"), f"{path}.tool_use_id") or None,
        name=kind.removesuffix("_tool_result") if server else None,
        result=content if server or not isinstance(content, list) else None,
        parts=tuple(
            decode_content_block(block, f"{path}.content[{i}]") for i, block in enumerate(blocks)
        ),
        is_error=_failed(content) if server else _flag(raw.get("is_error"), f"{path}.is_error"),
        extra=owned(extra),
    )


def _failed(content: Any) -> bool | None:
    """A server-side tool answers a failure with an object of type ``web_search_tool_result_error`` and the like."""
    kind = content.get("type") if isinstance(content, Mapping) else None
    return True if isinstance(kind, str) and kind.endswith("_error") else None


def _flag(value: Any, path: str) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise InputError(f"must be true or false, not {type_name(value)}", path=path)


def encode_result(part: ToolResultPart) -> dict[str, Any]:
    """A tool's answer as a block."""
    extra = own(part)
    kind = extra.pop("type", RESULT)
    bare = extra.pop("form", None) == "bare"
    out = {**extra, "type": kind, "tool_use_id": part.call_id or ""}
    if kind not in _BLOCK_RESULTS:
        return {**out, "content": part.result}
    content: Any = encode_blocks(part.parts)
    if not content and part.result is not None:
        text = isinstance(part.result, str)
        content = part.result if bare or text else jsontext.dumps(part.result).decode()
    if content != []:
        out["content"] = content
    return out if part.is_error is None else {**out, "is_error": part.is_error}


# ── definitions ─────────────────────────────────────────────────────────────────────────────────────────────────


def decode_tools(raw: Any, path: str) -> tuple[ToolDefinition, ...]:
    """The tools offered: the application's own become functions, the others keep their type.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    return tuple(_decode_tool(tool, f"{path}[{i}]") for i, tool in enumerate(as_list(raw, path)))


def _decode_tool(raw: Any, path: str) -> ToolDefinition:
    raw = as_object(raw, path)
    kind = text_or_none(raw.get("type"), join(path, "type"))
    extra = rest(raw, "type", "name", "description", "input_schema")
    function = kind in (None, "custom", "function")
    if function and kind is not None:
        extra["type"] = kind
    if function and raw.get("input_schema") is None:
        extra["input_schema"] = None
    return ToolDefinition(
        name=text_or_none(raw.get("name"), join(path, "name")),
        description=text_or_none(raw.get("description"), join(path, "description")),
        parameters=raw.get("input_schema"),
        type="function" if function or kind is None else kind,
        extra=owned(extra),
    )


def encode_tools(tools: Iterable[ToolDefinition]) -> list[dict[str, Any]]:
    """Tools as the shape defines them. A free-form tool of another provider is written as one without parameters."""
    return [_encode_tool(tool) for tool in tools]


def _encode_tool(tool: ToolDefinition) -> dict[str, Any]:
    extra = own(tool)
    body: dict[str, Any] = {"name": tool.name, "description": tool.description}
    function = tool.type in ("function", "custom")
    parameters = tool.parameters
    if function and parameters is None and "input_schema" not in extra:
        parameters = _NO_PARAMETERS
    body["input_schema"] = parameters
    kind = {} if function else {"type": tool.type}
    return {**kind, **extra, **{key: value for key, value in body.items() if value is not None}}
