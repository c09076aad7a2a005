"""The entries of a chat message's ``content``: text, images, audio, files, refusals. See ``chat_messages``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from llmtee.jsonfields import as_list, as_object, rest, text_or_none
from llmtee.model import (
    AnyPart,
    Choice,
    MediaPart,
    Message,
    ModelCall,
    OtherPart,
    RefusalPart,
    TextPart,
    ToolDefinition,
)
from llmtee.model._base import made
from llmtee.model.parts import Part

ANNOTATION, TOOL_CALL = "annotation:", "tool_call:"
"""How the names of parts begin that the shape keeps beside the content and that llmtee does not know."""

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,(.*)", re.DOTALL)
_AUDIO_MIMES = {"mp3": "audio/mpeg", "wav": "audio/wav"}
_AUDIO_FORMS = {mime: form for form, mime in _AUDIO_MIMES.items()}

OWNER = "openai-chat"
"""Under which key of ``extra`` the shape keeps what has no canonical home. What others keep there is never written."""

Decoded: TypeAlias = TextPart | MediaPart | RefusalPart | OtherPart


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def decode_content(content: Any, path: str = "content") -> Iterator[Decoded]:
    """The parts of a message's ``content``: text, a list of parts, or null.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    if isinstance(content, str):
        yield made(TextPart, text=content)
        return
    for i, part in enumerate(as_list(content, path)):
        yield _decode_part(part, f"{path}[{i}]")


def is_text(raw: Any) -> bool:
    """Whether an entry of ``content`` is a text; some servers take bare strings as well."""
    if isinstance(raw, str):
        return True
    return (
        isinstance(raw, Mapping) and raw.get("type") == "text" and isinstance(raw.get("text"), str)
    )


def _decode_part(raw: Any, path: str) -> Decoded:
    if isinstance(raw, str):
        return made(TextPart, text=raw)
    raw = as_object(raw, path)
    match raw:
        case {"type": "text", "text": str(text)}:
            return made(TextPart, text=text, extra=owned(rest(raw, "type", "text")))
        case {"type": "refusal", "refusal": str(text)}:
            return made(RefusalPart, text=text, extra=owned(rest(raw, "type", "refusal")))
        case {"type": "image_url", "image_url": str() | {"url": str()}}:
            return _decode_image(raw)
        case {"type": "input_audio", "input_audio": {"data": str(), "format": str()}}:
            return _decode_audio(raw)
        case {"type": "file", "file": Mapping()}:
            return _decode_file(raw, f"{path}.file")
        case {"type": str(name)}:
            return made(OtherPart, name=name, data=raw)
        case _:
            return made(OtherPart, name="unknown", data=raw)


def _decode_image(raw: Mapping[str, Any]) -> MediaPart:
    image = raw["image_url"]
    extra = rest(raw, "type", "image_url")
    if isinstance(image, str):  # compatible servers take the bare address
        return made(
            MediaPart, media="image", **_reference(image), extra=owned({**extra, "form": "text"})
        )
    known = ("url", "detail") if isinstance(image.get("detail"), str) else ("url",)
    return made(
        MediaPart,
        media="image",
        **_reference(image["url"]),
        detail=image["detail"] if "detail" in known else None,
        extra=owned({**nested("image_url", rest(image, *known)), **extra}),
    )


def _decode_audio(raw: Mapping[str, Any]) -> MediaPart:
    audio = raw["input_audio"]
    form = audio["format"]
    mime = _AUDIO_MIMES.get(form, f"audio/{form}")
    known = ("data", "format") if _audio_form(mime) == form else ("data",)
    return made(
        MediaPart,
        media="audio",
        data=audio["data"],
        mime=mime,
        extra=owned(
            {**nested("input_audio", rest(audio, *known)), **rest(raw, "type", "input_audio")}
        ),
    )


def _decode_file(raw: Mapping[str, Any], path: str) -> MediaPart:
    file = raw["file"]
    data = text_or_none(file.get("file_data"), f"{path}.file_data")
    return made(
        MediaPart,
        media="document",
        **({} if data is None else _reference(data)),
        file_id=text_or_none(file.get("file_id"), f"{path}.file_id"),
        filename=text_or_none(file.get("filename"), f"{path}.filename"),
        extra=owned(
            {
                **nested("file", rest(file, "file_data", "file_id", "filename")),
                **rest(raw, "type", "file"),
            }
        ),
    )


def owned(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of this shape, as ``extra`` keeps them."""
    return {OWNER: fields} if fields else {}


def own(value: Part | Message | ToolDefinition | Choice | ModelCall) -> dict[str, Any]:
    """What ``extra`` keeps of this shape's fields."""
    fields = value.extra.get(OWNER)
    return dict(fields) if isinstance(fields, dict) else {}


def nested(key: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The unknown fields of an inner object, as ``extra`` keeps them."""
    return {key: fields} if fields else {}


def _reference(address: str) -> dict[str, str]:
    """``url``, or ``mime`` and ``data`` of a data URL."""
    if match := _DATA_URL.fullmatch(address):
        return {"mime": match[1], "data": match[2]}
    return {"url": address}


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def encode_part(part: AnyPart) -> dict[str, Any] | None:
    """A part as an entry of ``content``; ``None`` for what the shape keeps beside the content or cannot say."""
    match part:
        case TextPart():
            return {"type": "text", "text": part.text, **rest(own(part), "type", "text")}
        case RefusalPart() if own(part).get("field") != "refusal":
            return {"type": "refusal", "refusal": part.text, **own(part)}
        case MediaPart() if own(part).get("field") != "audio":
            return _encode_media(part)
        case OtherPart() if not part.name.startswith((ANNOTATION, TOOL_CALL)):
            return encode_other(part)
        case _:
            return None


def encode_other(part: OtherPart) -> dict[str, Any]:
    """A part of a type that llmtee does not know: as it came, with its type where that was missing."""
    if not isinstance(part.data, dict):
        return {"type": part.name}
    whole = "type" in part.data or part.name == "unknown"
    return part.data if whole else {"type": part.name, **part.data}


def _encode_media(part: MediaPart) -> dict[str, Any]:
    address = data_url(part) or part.url
    extra = own(part)
    if part.media == "image" and address is not None:
        if extra.pop("form", None) == "text":
            return {"type": "image_url", "image_url": address, **extra}
        image = {"url": address, **({} if part.detail is None else {"detail": part.detail})}
        return {"type": "image_url", "image_url": {**image, **_inner(extra, "image_url")}, **extra}
    if part.media == "audio" and part.data is not None:
        audio = {"data": part.data, "format": _audio_form(part.mime or "audio/wav")}
        audio |= _inner(extra, "input_audio")
        return {"type": "input_audio", "input_audio": audio, **extra}
    file = {"file_id": part.file_id, "file_data": address, "filename": part.filename}
    file = {key: value for key, value in file.items() if value is not None}
    if not file and part.media != "document":
        return {"type": "text", "text": f"[{part.media}]"}  # its bytes were not kept
    return {"type": "file", "file": {**file, **_inner(extra, "file")}, **extra}


def _inner(extra: dict[str, Any], key: str) -> dict[str, Any]:
    fields = extra.pop(key, None)
    return fields if isinstance(fields, dict) else {}


def _audio_form(mime: str) -> str:
    return _AUDIO_FORMS.get(mime, mime.partition("/")[2])


def data_url(part: MediaPart) -> str | None:
    """The part's bytes as a data URL; ``None`` when it has none."""
    if part.data is None:
        return None
    return f"data:{part.mime or 'application/octet-stream'};base64,{part.data}"
