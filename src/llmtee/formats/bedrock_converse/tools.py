"""Tool definitions in the shape of Bedrock Converse."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from llmtee.formats.bedrock_converse.blocks import inner, nested, own, owned, without_nones
from llmtee.jsonfields import as_list, as_object, rest, text_or_none
from llmtee.model import ToolDefinition


def decode_tools(raw: Any, path: str) -> tuple[tuple[ToolDefinition, ...], Any, dict[str, Any]]:
    """The tools of ``toolConfig``, the choice among them, and what else stands there.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    config = as_object({} if raw is None else raw, path)
    where = f"{path}.tools"
    tools = tuple(
        _decode_tool(as_object(one, f"{where}[{i}]"), f"{where}[{i}]")
        for i, one in enumerate(as_list(config.get("tools"), where))
    )
    return tools, config.get("toolChoice"), rest(config, "tools", "toolChoice")


def _decode_tool(raw: Mapping[str, Any], path: str) -> ToolDefinition:
    spec = raw.get("toolSpec")
    if not isinstance(spec, Mapping):  # a cache point, or a tool that Bedrock runs itself
        kind = next(iter(raw), "unknown")
        body = raw.get(kind)
        name = body.get("name") if isinstance(body, Mapping) else None
        name = name if isinstance(name, str) else None
        return ToolDefinition(type=kind, name=name, extra=owned({"tool": raw}))
    schema = spec.get("inputSchema")
    holds = isinstance(schema, Mapping) and "json" in schema
    left = rest(spec, "name", "description", *(["inputSchema"] if holds else []))
    return ToolDefinition(
        name=text_or_none(spec.get("name"), f"{path}.toolSpec.name"),
        description=text_or_none(spec.get("description"), f"{path}.toolSpec.description"),
        parameters=schema["json"] if isinstance(schema, Mapping) and holds else None,
        extra=owned({**nested("toolSpec", left), **rest(raw, "toolSpec")}),
    )


def encode_tools(
    tools: Iterable[ToolDefinition], choice: Any, more: Mapping[str, Any]
) -> dict[str, Any]:
    """``toolConfig``. Tools that another provider runs itself are left out: here nobody would answer them."""
    encoded = [one for tool in tools if (one := _encode_tool(tool)) is not None]
    known = without_nones({"tools": encoded or None, "toolChoice": choice})
    return {**more, **known}


def _encode_tool(tool: ToolDefinition) -> dict[str, Any] | None:
    extra = own(tool)
    if isinstance(whole := extra.get("tool"), dict):
        return whole
    if tool.type not in ("function", "custom"):
        return None
    schema = None if tool.parameters is None else {"json": tool.parameters}
    spec = {"name": tool.name, "description": tool.description, "inputSchema": schema}
    return {**extra, "toolSpec": {**inner(extra, "toolSpec"), **without_nones(spec)}}
