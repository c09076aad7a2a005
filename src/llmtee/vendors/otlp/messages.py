"""Messages as OpenTelemetry's GenAI conventions write them: ``{"role": …, "parts": […]}``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from llmtee.model import (
    AnyPart,
    Choice,
    CitationPart,
    MediaPart,
    Message,
    OtherPart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
)

_OWNERS = ("otel-genai", "openinference")


def split_system(messages: Iterable[Message]) -> tuple[list[Message], list[Message]]:
    """Instructions that were given apart from the messages, and the messages."""
    apart: list[Message] = []
    others: list[Message] = []
    for message in messages:
        own = next((message.extra[name] for name in _OWNERS if name in message.extra), None)
        is_apart = isinstance(own, dict) and own.get("field") == "system_instructions"
        (apart if is_apart else others).append(message)
    return apart, others


def write_message(message: Message) -> dict[str, Any]:
    """A message that went in."""
    name = {} if message.name is None else {"name": message.name}
    return {"role": message.role, **name, "parts": write_parts(message.parts)}


def write_choice(choice: Choice) -> dict[str, Any]:
    """A message that came out; the conventions demand a finish reason."""
    reason = choice.finish_reason_raw or choice.finish_reason or ""
    return {**write_message(choice.message), "finish_reason": reason}


def write_parts(parts: Iterable[AnyPart]) -> list[dict[str, Any]]:
    """Parts, in order."""
    return [_part(part) for part in parts]


def write_tool(tool: ToolDefinition) -> dict[str, Any]:
    """A tool that was offered."""
    return _present(
        {
            "type": tool.type,
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        }
    )


def _part(part: AnyPart) -> dict[str, Any]:
    match part:
        case TextPart():
            return {"type": "text", "content": part.text}
        case RefusalPart():
            return {"type": "refusal", "content": part.text}
        case ReasoningPart():
            return _reasoning(part)
        case ToolCallPart():
            said = part.arguments if part.arguments_text is None else part.arguments_text
            call = {"id": part.id, "name": part.name, "arguments": said}
            return {"type": "tool_call", **_present(call)}
        case ToolResultPart():
            return _result(part)
        case MediaPart():
            return _media(part)
        case CitationPart():
            fields = part.model_dump(mode="json", exclude_defaults=True, exclude={"extra", "type"})
            return {**fields, "type": "citation"}
        case OtherPart(data=dict() as data):
            return {**data, "type": part.name}
        case OtherPart():
            return {"type": part.name, "content": part.data}


def _reasoning(part: ReasoningPart) -> dict[str, Any]:
    text = part.text if part.text is not None else "\n\n".join(part.summary)
    more = {"signature": part.signature, "id": part.id, "encrypted_content": part.encrypted}
    return {"type": "reasoning", "content": text, **_present(more)}


def _result(part: ToolResultPart) -> dict[str, Any]:
    response = write_parts(part.parts) if part.parts else part.result
    about = _present({"id": part.call_id, "name": part.name, "is_error": part.is_error})
    return {"type": "tool_call_response", **about, "response": response}


def _media(part: MediaPart) -> dict[str, Any]:
    about = _present({"mime_type": part.mime, "filename": part.filename})
    about["modality"] = part.media
    if part.data is not None:
        return {"type": "blob", **about, "content": part.data}
    if part.url is not None:
        return {"type": "uri", **about, "uri": part.url}
    if part.file_id is not None:
        return {"type": "file", **about, "file_id": part.file_id}
    return {"type": "media", **about, **_present({"sha256": part.sha256, "size": part.size})}


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}
