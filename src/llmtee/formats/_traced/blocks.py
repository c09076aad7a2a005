"""Content blocks inside traced messages: Anthropic's, LangChain's, Gemini's and those of OpenAI Responses.

What a tracer keeps is whatever its source sent, so each block is read by its own shape. Never raises: a block that
nobody knows is kept whole. Blocks of Chat Completions are read by `chat_messages`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee import jsontext
from llmtee.errors import InputError
from llmtee.formats.openai_chat.messages import decode_content
from llmtee.jsonfields import rest
from llmtee.model import (
    AnyPart,
    MediaPart,
    OtherPart,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

_MEDIA: Mapping[str, str] = {
    **dict.fromkeys(("image", "audio", "video"), ""),
    **dict.fromkeys(("document", "file"), "document"),
}
_TEXTS = ("input_text", "output_text")


def decode_blocks(content: Any, owner: str) -> list[AnyPart]:
    """The parts of a message's content: text, blocks, or null. What has no canonical home is ``owner``'s extra."""
    if content is None:
        return []
    if isinstance(content, str):
        return [TextPart(text=content)] if content else []
    blocks = content if isinstance(content, list) else [content]
    return [_decode_block(block, owner) for block in blocks]


def _decode_block(raw: Any, owner: str) -> AnyPart:
    if isinstance(raw, Mapping):
        for read in (_decode_said, _decode_tool, _decode_media, _decode_gemini):
            if (part := read(raw, owner)) is not None:
                return part
    try:
        [part] = decode_content([raw])
    except InputError:
        return OtherPart(name="json", data=raw)
    return part


def _extra(raw: Mapping[str, Any], owner: str, *known: str) -> dict[str, Any]:
    more = {key: value for key, value in rest(raw, "type", *known).items() if value is not None}
    return {owner: more} if more else {}


def _decode_said(raw: Mapping[str, Any], owner: str) -> AnyPart | None:
    match raw:
        case {"type": str(kind), "text": str(text)} if kind == "text" or kind in _TEXTS:
            extra = _extra(raw, owner, "text")
            if kind in _TEXTS:
                extra = {owner: {"type": kind, **extra.get(owner, {})}}
            return TextPart(text=text, extra=extra)
        case {"type": "thinking", "thinking": str(text)}:
            signature = _text(raw, "signature")
            known = ("thinking", "signature") if signature else ("thinking",)
            return ReasoningPart(text=text, signature=signature, extra=_extra(raw, owner, *known))
        case {"type": "redacted_thinking", "data": str(data)}:
            return ReasoningPart(encrypted=data, extra=_extra(raw, owner, "data"))
        case {"type": "reasoning_content", "reasoning_content": {"text": str(text)} as inner}:
            return ReasoningPart(
                text=text,
                signature=_text(inner, "signature"),
                extra=_extra(raw, owner, "reasoning_content"),
            )
        case {"type": "reasoning"}:
            return _decode_reasoning(raw, owner)
    return None


def _decode_reasoning(raw: Mapping[str, Any], owner: str) -> ReasoningPart:
    """LangChain's ``{reasoning}``, or an item of OpenAI Responses with ``summary`` and ``encrypted_content``."""
    key = next((key for key in ("reasoning", "text") if isinstance(raw.get(key), str)), None)
    summary = raw.get("summary")
    items = summary if isinstance(summary, list) else []
    texts = tuple(
        one["text"]
        for one in items
        if isinstance(one, Mapping) and isinstance(one.get("text"), str)
    )
    known = [key] if key else []
    known += ["summary"] if isinstance(summary, list) and len(texts) == len(items) else []
    fields = {"id": "id", "signature": "signature", "encrypted_content": "encrypted"}
    values = {name: raw[key] for key, name in fields.items() if isinstance(raw.get(key), str)}
    known += [key for key, name in fields.items() if name in values]
    return ReasoningPart(
        text=raw[key] if key else None,
        summary=texts if "summary" in known else (),
        extra=_extra(raw, owner, *known),
        **values,
    )


def _decode_tool(raw: Mapping[str, Any], owner: str) -> AnyPart | None:
    match raw:
        case {"type": "tool_use" | "server_tool_use" as kind, "name": str()}:
            return tool_call(raw, owner, arguments="input", call_type=_kind(kind))
        case {"type": "tool_call", "name": str()}:
            return tool_call(raw, owner, arguments="args" if "args" in raw else "arguments")
        case {"type": "function_call", "name": str()}:  # an item of OpenAI Responses
            return tool_call(raw, owner, arguments="arguments", id_field="call_id")
        case {"type": "function_call_output", "call_id": str(call_id)}:
            extra = _extra(raw, owner, "call_id", "output")
            return ToolResultPart(call_id=call_id, result=raw.get("output"), extra=extra)
        case {"type": "tool_result", "tool_use_id": str(call_id)}:
            failed = raw.get("is_error")
            known = ("tool_use_id", "content", *(("is_error",) if isinstance(failed, bool) else ()))
            return tool_result(
                raw.get("content"),
                owner,
                call_id=call_id,
                is_error=failed if isinstance(failed, bool) else None,
                extra=_extra(raw, owner, *known),
            )
    return None


def _kind(block: str) -> str:
    return "function" if block == "tool_use" else block


def tool_call(
    raw: Mapping[str, Any],
    owner: str,
    *,
    arguments: str,
    id_field: str = "id",
    call_type: str = "function",
) -> ToolCallPart:
    """A tool call whose arguments stand under ``arguments``, as text or as a value."""
    received = raw.get(arguments)
    known = ["name", arguments]
    if (call_id := _text(raw, id_field)) is not None:
        known.append(id_field)
    return ToolCallPart(
        id=call_id or None,
        name=_text(raw, "name") or "",
        arguments=_parsed(received) if isinstance(received, str) else received,
        arguments_text=received if isinstance(received, str) else None,
        call_type=call_type,
        extra=_extra(raw, owner, *known),
    )


def tool_result(content: Any, owner: str, **fields: Any) -> ToolResultPart:
    """A tool's answer: blocks as parts, anything else as the result."""
    if not isinstance(content, list) or not all(isinstance(one, Mapping) for one in content):
        return ToolResultPart(result=content, **fields)
    if not all(isinstance(one.get("type"), str) for one in content):
        return ToolResultPart(result=content, **fields)
    blocks = zip(content, decode_blocks(content, owner), strict=True)
    parts = [
        part
        if isinstance(part, TextPart | MediaPart | OtherPart)
        else OtherPart(name=raw["type"], data=raw)
        for raw, part in blocks
    ]
    return ToolResultPart(parts=tuple(parts), **fields)


def _parsed(text: str) -> Any:
    try:
        return jsontext.loads(text)
    except ValueError:  # a stream cut short; the text is kept beside it
        return None


def _decode_media(raw: Mapping[str, Any], owner: str) -> MediaPart | None:
    kind = raw.get("type")
    if not isinstance(kind, str) or kind not in _MEDIA or isinstance(raw.get("file"), Mapping):
        return None
    media: Any = _MEDIA[kind] or kind
    source = raw.get("source")
    nested = isinstance(source, Mapping)
    place: Mapping[str, Any] = source if isinstance(source, Mapping) else raw
    names = {"url": "url", "file_id": "file_id", "media_type": "mime", "mime_type": "mime"}
    names |= {"filename": "filename", "base64": "data", "data": "data"}
    found = {key: name for key, name in names.items() if isinstance(place.get(key), str)}
    values = {name: place[key] for key, name in found.items()}
    if not values.keys() & {"url", "data", "file_id"}:
        return None
    values |= _data_url(values.get("url"))
    if nested:
        inner = rest(
            place, *found, *(("type",) if place.get("type") in ("base64", "url", "file") else ())
        )
        extra = _extra(raw, owner, "source")
        if inner:
            extra = {owner: {**extra.get(owner, {}), "source": inner}}
    else:
        extra = _extra(raw, owner, *found, "source_type")
    return MediaPart(media=media, extra=extra, **values)


def _data_url(url: str | None) -> dict[str, Any]:
    """What stands in a data URL, taken apart as `chat_messages` does; nothing for any other address."""
    if url is None or not url.startswith("data:"):
        return {}
    [part] = decode_content([{"type": "image_url", "image_url": {"url": url}}])
    return part.model_dump(include={"url", "mime", "data"})


def _decode_gemini(raw: Mapping[str, Any], owner: str) -> AnyPart | None:
    if "type" in raw:
        return None
    match raw:
        case {"text": str(text)}:
            if raw.get("thought") is True:
                signature = _text(raw, "thoughtSignature")
                known = ("text", "thought", *(("thoughtSignature",) if signature else ()))
                return ReasoningPart(
                    text=text, signature=signature, extra=_extra(raw, owner, *known)
                )
            return TextPart(text=text, extra=_extra(raw, owner, "text"))
        case {"functionCall": {"name": str()} as call} | {"function_call": {"name": str()} as call}:
            part = tool_call(call, owner, arguments="args")
            beside = _extra(raw, owner, "functionCall", "function_call").get(owner, {})
            extra = {owner: {**beside, **part.extra.get(owner, {})}} if beside else part.extra
            return part.model_copy(update={"extra": extra})
        case {"functionResponse": Mapping() as answer} | {"function_response": Mapping() as answer}:
            return ToolResultPart(
                call_id=_text(answer, "id"),
                name=_text(answer, "name"),
                result=answer.get("response"),
                extra=_extra(raw, owner, "functionResponse", "function_response"),
            )
    return None


def _text(raw: Mapping[str, Any], key: str) -> str | None:
    value = raw.get(key)
    return value if isinstance(value, str) else None
