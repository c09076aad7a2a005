"""Parts of a Gemini content: text, thoughts, media; the rest is in ``_gemini_tools``.

A part is an object with one field of data (``text``, ``inlineData``, …) and fields about it (``thought``,
``thoughtSignature``, ``videoMetadata``). What is about it and has no canonical home is kept beside it in ``extra``:
a ``thoughtSignature`` on a text or on a function call has to go back to Gemini exactly where it came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.formats.gemini.names import inner, nested, own, owned, without_nones
from llmtee.formats.gemini.tools import (
    Pairing,
    decode_tool_part,
    encode_tool_call,
    tool_result_body,
)
from llmtee.jsonfields import as_object, rest
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

_DATA = (
    *("text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode"),
    *("codeExecutionResult", "toolCall", "toolResponse", "thought", "thoughtSignature"),
)
_DEFAULT_MIMES = {
    "image": "image/jpeg",
    "audio": "audio/wav",
    "video": "video/mp4",
    "document": "application/pdf",
}


def is_part(raw: Mapping[str, Any]) -> bool:
    """Whether an object is a part rather than a content, which has a role and parts."""
    return not {"parts", "role"} & raw.keys() and any(key in raw for key in _DATA)


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def decode_part(raw: Any, path: str, pairing: Pairing) -> AnyPart:
    """One part; bare text is one as well.

    Raises:
        InputError: it is neither an object nor text; the error names its JSON path.
    """
    if isinstance(raw, str):  # the SDKs take bare text for a part
        return TextPart(text=raw, extra=owned({"form": "text"}))
    raw = as_object(raw, path)
    tool = decode_tool_part(raw, path, pairing)
    if isinstance(tool, ToolResultPart):
        return _with_media(tool, raw, path)
    return tool or _decode_media(raw) or _decode_text(raw) or other(raw)


def other(raw: Mapping[str, Any]) -> OtherPart:
    """A part that nobody knows, whole."""
    name = next((key for key in raw if key not in ("thought", "thoughtSignature")), "unknown")
    return OtherPart(name=name, data=raw, extra=owned({"form": "whole"}))


def _decode_text(raw: Mapping[str, Any]) -> TextPart | ReasoningPart | None:
    text, signature = raw.get("text"), raw.get("thoughtSignature")
    if "text" in raw and not isinstance(text, str):
        return None
    if raw.get("thought") is True:
        known = ["text", "thought"] + (["thoughtSignature"] if isinstance(signature, str) else [])
        return ReasoningPart(
            text=text,
            signature=signature if isinstance(signature, str) else None,
            extra=owned(rest(raw, *known)),
        )
    if isinstance(text, str):
        return TextPart(text=text, extra=owned(rest(raw, "text")))
    if raw.keys() == {"thoughtSignature"} and isinstance(signature, str):
        return ReasoningPart(signature=signature, extra=owned({"form": "signature"}))
    return None


def _decode_media(raw: Mapping[str, Any]) -> MediaPart | None:
    for key, field, to in (("inlineData", "data", "data"), ("fileData", "fileUri", "url")):
        blob = raw.get(key)
        if not isinstance(blob, Mapping) or not isinstance(blob.get(field), str):
            continue
        mime, name = blob.get("mimeType"), blob.get("displayName")
        known = [field]
        known += ["mimeType"] if isinstance(mime, str) else []
        known += ["displayName"] if isinstance(name, str) else []
        return MediaPart(
            media=media_of(mime if isinstance(mime, str) else None),
            mime=mime if isinstance(mime, str) else None,
            filename=name if isinstance(name, str) else None,
            extra=owned({**nested(key, rest(blob, *known)), **rest(raw, key)}),
            **{to: blob[field]},
        )
    return None


def media_of(mime: str | None) -> Any:
    """What kind of media a MIME type is."""
    kind = (mime or "").partition("/")[0]
    if kind in ("image", "audio", "video"):
        return kind
    return "document" if kind in ("text", "application") else "other"


def _with_media(part: ToolResultPart, raw: Mapping[str, Any], path: str) -> ToolResultPart:
    """A function's answer may bring media along, in parts of its own."""
    body = raw.get("functionResponse")
    parts = body.get("parts") if isinstance(body, Mapping) else None
    if not isinstance(parts, list):
        return part
    found: list[MediaPart | OtherPart] = []
    for i, one in enumerate(parts):
        entry = as_object(one, f"{path}.functionResponse.parts[{i}]")
        found.append(_decode_media(entry) or other(entry))
    return part.model_copy(update={"parts": tuple(found)})


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def encode_part(part: AnyPart, names: Mapping[str, str]) -> Any:
    """A part as Gemini writes it; ``None`` for what the shape cannot say.

    Args:
        part: Any part but a citation, which stands beside the content.
        names: Which tool a call asked for, by the call's id. A result of another source may not name it.
    """
    match part:
        case TextPart() if own(part) == {"form": "text"}:
            return part.text
        case TextPart():
            return {"text": part.text, **rest(own(part), "text", "thought")} | _said(part)
        case RefusalPart():
            return {"text": part.text}
        case ReasoningPart():
            return _encode_reasoning(part)
        case MediaPart():
            return _encode_media(part)
        case ToolCallPart():
            return encode_tool_call(part)
        case ToolResultPart():
            return _encode_result(part, names)
        case OtherPart() if own(part).get("form") == "whole" and isinstance(part.data, dict):
            return part.data
        case _:
            return None


def _said(part: TextPart) -> dict[str, Any]:
    thought = own(part).get("thought")
    return {} if thought is None or thought is True else {"thought": thought}


def _encode_reasoning(part: ReasoningPart) -> dict[str, Any] | None:
    text = "\n".join(part.summary) if part.text is None and part.summary else part.text
    extra = own(part)
    if extra.pop("form", None) == "signature" and part.signature is not None and text is None:
        return {"thoughtSignature": part.signature}
    if text is None and part.encrypted is not None:
        return None  # encrypted for another provider
    said = without_nones({"text": text, "thought": True, "thoughtSignature": part.signature})
    return {**rest(extra, "text", "thought"), **said}


def _encode_media(part: MediaPart) -> dict[str, Any]:
    extra = own(part)
    mime = part.mime or _DEFAULT_MIMES.get(part.media)
    if part.data is not None:
        key, blob = "inlineData", {"mimeType": mime, "data": part.data}
    elif (address := part.url if part.url is not None else part.file_id) is not None:
        key, blob = "fileData", {"mimeType": mime, "fileUri": address}
    else:
        return {"text": f"[{part.media}]"}  # its bytes were not kept
    blob = without_nones({**blob, "displayName": part.filename})
    more = inner(extra, key)
    return {**extra, key: {**more, **blob}}


def _encode_result(part: ToolResultPart, names: Mapping[str, str]) -> dict[str, Any]:
    key, body, extra = tool_result_body(part, names)
    media = [
        encoded
        for one in part.parts
        if not isinstance(one, TextPart) and isinstance(encoded := encode_part(one, names), dict)
    ]
    if media and key == "functionResponse":
        body["parts"] = media
    return {**extra, key: body}
