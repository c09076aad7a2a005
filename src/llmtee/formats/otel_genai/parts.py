"""Parts of messages in telemetry: OpenTelemetry's own, and those that instrumentations copy from provider SDKs.

Nothing here raises: what is not understood is kept whole as `OtherPart`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from llmtee.formats.otel_genai.attributes import parsed
from llmtee.jsonfields import rest
from llmtee.model import (
    AnyPart,
    MediaPart,
    OtherPart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

Media = Literal["image", "audio", "video", "document", "other"]

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,(.*)", re.DOTALL)
_MEDIA: Mapping[str, Media] = {
    "image": "image",
    "audio": "audio",
    "video": "video",
    "document": "document",
    "application": "document",
    "text": "document",
}
_RESULT_KEYS = ("response", "result", "output", "content")


def first_text(raw: Mapping[str, Any], *keys: str) -> str | None:
    """The first of ``keys`` that holds text."""
    return next((raw[key] for key in keys if isinstance(raw.get(key), str)), None)


def read_parts(raw: Any, owner: str) -> tuple[AnyPart, ...]:
    """The parts of a message's content: text, one part, a list of parts, or null."""
    if raw is None:
        return ()
    if isinstance(raw, list):
        return tuple(read_part(one, owner) for one in raw)
    return (read_part(raw, owner),)


def read_part(raw: Any, owner: str) -> AnyPart:
    """One part."""
    if isinstance(raw, str):
        return TextPart(text=raw)
    if not isinstance(raw, Mapping):
        return OtherPart(name="unknown", data=raw)
    kind = raw.get("type", "text" if isinstance(raw.get("text"), str) else None)
    read = _READERS.get(kind) if isinstance(kind, str) else None
    part = read(raw, owner) if read else None
    return part or OtherPart(name=kind if isinstance(kind, str) and kind else "unknown", data=raw)


def owned(owner: str, raw: Mapping[str, Any], *known: str) -> dict[str, Any]:
    """The fields of ``raw`` that are not ``known``, as ``extra`` keeps them."""
    more = rest(raw, "type", *known)
    return {owner: more} if more else {}


def _text(raw: Mapping[str, Any], owner: str) -> AnyPart | None:
    key = next((key for key in ("content", "text") if isinstance(raw.get(key), str)), None)
    return None if key is None else TextPart(text=raw[key], extra=owned(owner, raw, key))


def _refusal(raw: Mapping[str, Any], owner: str) -> AnyPart | None:
    key = next((key for key in ("refusal", "content") if isinstance(raw.get(key), str)), None)
    return None if key is None else RefusalPart(text=raw[key], extra=owned(owner, raw, key))


def _reasoning(raw: Mapping[str, Any], owner: str) -> AnyPart | None:
    key = next((k for k in ("content", "thinking", "text") if isinstance(raw.get(k), str)), None)
    hidden = next((k for k in ("encrypted_content", "data") if isinstance(raw.get(k), str)), None)
    if key is None and hidden is None:
        return None
    named = [name for name in ("signature", "id") if isinstance(raw.get(name), str)]
    known = [name for name in (key, hidden, *named) if name is not None]
    return ReasoningPart(
        text=raw[key] if key else None,
        encrypted=raw[hidden] if hidden else None,
        **{name: raw[name] for name in named},
        extra=owned(owner, raw, *known),
    )


def call_part(
    raw: Mapping[str, Any], owner: str, extra: dict[str, Any], kind: str = "function"
) -> ToolCallPart:
    """A tool call of ``id``, ``name`` and ``arguments``, the last as text, as an object, or absent."""
    received = raw.get("arguments")
    text = received if isinstance(received, str) else None
    arguments = parsed(received)
    return ToolCallPart(
        id=first_text(raw, "id") or None,
        name=first_text(raw, "name") or "",
        # Text that is no JSON object or list stays text alone: a stream cut short leaves half a document.
        arguments=None if isinstance(arguments, str) else arguments,
        arguments_text=text,
        call_type=kind,
        extra={owner: extra} if extra else {},
    )


def _tool_call(raw: Mapping[str, Any], owner: str) -> AnyPart | None:
    ids = ("id", "toolCallId", "tool_call_id", "call_id")
    names = ("name", "toolName")
    received = ("arguments", "args", "input")
    key = next((key for key in received if key in raw), "arguments")
    call = {
        "id": first_text(raw, *ids),
        "name": first_text(raw, *names),
        "arguments": raw.get(key),
    }
    known = [k for k in (*ids, *names) if isinstance(raw.get(k), str)]
    return call_part(call, owner, rest(raw, "type", key, *known))


def _server_tool_call(raw: Mapping[str, Any], owner: str) -> AnyPart | None:
    body = raw.get("server_tool_call", raw.get("input"))
    kind = body.get("type") if isinstance(body, Mapping) else None
    call = {"id": raw.get("id"), "name": raw.get("name"), "arguments": body}
    extra = rest(raw, "type", "id", "name", "server_tool_call", "input")
    return call_part(call, owner, extra, kind if isinstance(kind, str) else "server_tool_call")


def _tool_result(raw: Mapping[str, Any], owner: str) -> AnyPart | None:
    ids = ("id", "toolCallId", "tool_call_id", "tool_use_id", "call_id")
    names = ("name", "toolName")
    key = next(
        (key for key in ("server_tool_call_response", *_RESULT_KEYS) if key in raw), "response"
    )
    known = [k for k in (*ids, *names) if isinstance(raw.get(k), str)]
    failed = raw.get("is_error")
    return ToolResultPart(
        call_id=first_text(raw, *ids) or None,
        name=first_text(raw, *names),
        result=raw.get(key),
        is_error=failed if isinstance(failed, bool) else None,
        extra=owned(owner, raw, key, "is_error" if isinstance(failed, bool) else key, *known),
    )


def _media(raw: Mapping[str, Any], owner: str) -> AnyPart | None:
    """``blob``, ``uri`` and ``file`` of OpenTelemetry; ``image`` and ``file`` of the Vercel AI SDK."""
    mimes = ("mime_type", "mimeType", "mediaType", "media_type")
    places = ("uri", "url", "file_id", "content", "data", "image")
    mime = first_text(raw, *mimes)
    key = next((key for key in places if isinstance(raw.get(key), str)), None)
    if key is None:
        return None
    modality = raw.get("modality")
    word = (mime or "").partition("/")[0] or ("image" if raw.get("type") == "image" else "")
    media = _MEDIA.get(modality if isinstance(modality, str) else word, "other")
    known = [name for name in (*mimes, "modality", "filename") if isinstance(raw.get(name), str)]
    return MediaPart(
        media=media,
        **{"mime": mime, **_place(key, raw[key])},
        filename=first_text(raw, "filename"),
        extra=owned(owner, raw, key, *known),
    )


def _place(key: str, value: str) -> dict[str, str]:
    if key == "file_id":
        return {"file_id": value}
    if match := _DATA_URL.fullmatch(value):
        return {"mime": match[1], "data": match[2]}
    if key in ("uri", "url") or re.match(r"[a-z][a-z0-9+.-]+://", value):
        return {"url": value}
    return {"data": value}


def _image_url(raw: Mapping[str, Any], owner: str) -> AnyPart | None:
    image = raw.get("image_url")
    if isinstance(image, str):
        image = {"url": image}
    if not isinstance(image, Mapping) or not isinstance(image.get("url"), str):
        return None
    detail = image.get("detail")
    more = rest(image, "url", *(("detail",) if isinstance(detail, str) else ()))
    extra = {**rest(raw, "type", "image_url"), **({"image_url": more} if more else {})}
    return MediaPart(
        media="image",
        **_place("url", image["url"]),
        detail=detail if isinstance(detail, str) else None,
        extra={owner: extra} if extra else {},
    )


_READERS = {
    **dict.fromkeys(("text", "input_text", "output_text"), _text),
    **dict.fromkeys(("reasoning", "thinking", "redacted_thinking"), _reasoning),
    **dict.fromkeys(("tool_call", "tool-call", "tool_use"), _tool_call),
    **dict.fromkeys(("tool_call_response", "tool-result", "tool_result"), _tool_result),
    "server_tool_call": _server_tool_call,
    "server_tool_call_response": _tool_result,
    **dict.fromkeys(("blob", "uri", "file", "image"), _media),
    "image_url": _image_url,
    "refusal": _refusal,
}
