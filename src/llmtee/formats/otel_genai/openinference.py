"""OpenInference's flattened messages and tools, put together as chat messages. See its semantic conventions, 2026."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.formats.otel_genai.attributes import Attributes, parsed
from llmtee.jsonfields import rest


def chat_messages(tree: Any) -> list[Any]:
    """``[{"message": {…}}]`` as chat messages, for ``_otel_messages`` to read."""
    listed = tree if isinstance(tree, list) else [tree]
    return [_message(one) for one in listed]


def _message(raw: Any) -> Any:
    message = raw.get("message", raw) if isinstance(raw, Mapping) else raw
    if not isinstance(message, Mapping):
        return message
    out = rest(
        message, "contents", "tool_calls", "function_call_name", "function_call_arguments_json"
    )
    if isinstance(contents := message.get("contents"), list):
        if message.get("content") is not None:  # some emitters write the text twice
            out["text"] = message["content"]
        out["content"] = [_content(one) for one in contents]
    if isinstance(calls := message.get("tool_calls"), list):
        out["tool_calls"] = [_call(one) for one in calls]
    if isinstance(name := message.get("function_call_name"), str):
        arguments = message.get("function_call_arguments_json")
        out["function_call"] = {"name": name, "arguments": arguments}
    return out


def _call(raw: Any) -> Any:
    return raw.get("tool_call", raw) if isinstance(raw, Mapping) else raw


def _content(raw: Any) -> Any:
    part = raw.get("message_content", raw) if isinstance(raw, Mapping) else raw
    if not isinstance(part, Mapping):
        return part
    image, audio = part.get("image"), part.get("audio")
    if isinstance(image, Mapping):
        inner = image.get("image", image)
        url = inner.get("url") if isinstance(inner, Mapping) else inner
        return {**rest(part, "image", "type"), "type": "image_url", "image_url": url}
    if isinstance(audio, Mapping):
        inner = audio.get("audio", audio)
        if isinstance(inner, Mapping):
            more = rest(part, "audio", "type")
            return {**more, **inner, "type": "uri", "modality": "audio"}
    return part


def tool_definitions(attributes: Attributes) -> list[Any]:
    """The JSON schemas of the tools offered."""
    tree = attributes.tree("llm.tools")
    found = []
    for one in tree if isinstance(tree, list) else []:
        tool = one.get("tool", one) if isinstance(one, Mapping) else one
        schema = tool.get("json_schema", tool) if isinstance(tool, Mapping) else tool
        found.append(parsed(schema))
    return found
