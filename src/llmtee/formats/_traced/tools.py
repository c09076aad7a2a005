"""Parameters and tools that a traced model was given, in the words of any provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.errors import InputError
from llmtee.formats._traced.fields import unwrapped
from llmtee.formats.openai_chat.tools import decode_tools
from llmtee.jsonfields import rest
from llmtee.model import ToolDefinition

_MAX_TOKENS = ("max_completion_tokens", "max_tokens", "maxTokens", "maxOutputTokens")


def parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a call without nulls, with the canonical name of the limit of tokens."""
    found = {key: value for key, value in given.items() if value is not None}
    name = next((name for name in _MAX_TOKENS if name in found), None)
    if name is None or "max_output_tokens" in found:
        return found
    return {"max_output_tokens" if key == name else key: value for key, value in found.items()}


def read_tools(raw: Any, owner: str) -> tuple[ToolDefinition, ...]:
    """Tools in the shape of OpenAI or Anthropic; one that cannot be read is kept whole in its ``extra``."""
    raw = unwrapped(raw)
    if isinstance(raw, Mapping):  # by name, as Langfuse keeps them
        raw = [_named(str(name), unwrapped(one)) for name, one in raw.items()]
    return tuple(_read_tool(one, owner) for one in raw) if isinstance(raw, list) else ()


def _named(name: str, raw: Any) -> Any:
    if not isinstance(raw, Mapping) or "function" in raw:
        return raw
    schema = {} if "input_schema" in raw or "parameters" in raw else {"parameters": raw}
    return {"type": "function", "function": {"name": name, **(schema or raw)}}


def _read_tool(raw: Any, owner: str) -> ToolDefinition:
    if isinstance(raw, Mapping) and "input_schema" in raw and "function" not in raw:
        body = {**rest(raw, "type", "input_schema"), "parameters": raw["input_schema"]}
        raw = {"type": "function", "function": body}
    try:
        [tool] = decode_tools({"tools": [unwrapped(raw)]}, "")
    except InputError:
        return ToolDefinition(type="unknown", extra={owner: {"tool": raw}})
    return tool
