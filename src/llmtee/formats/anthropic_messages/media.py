"""Images, documents and uploads of Anthropic Messages, to media parts and back."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Literal

from llmtee.formats.anthropic_messages.own import own, owned
from llmtee.jsonfields import rest
from llmtee.model import MediaPart, OtherPart

_UPLOAD = "container_upload"


def decode_media(raw: Mapping[str, Any], path: str) -> MediaPart | OtherPart:
    """An ``image``, a ``document`` or a ``container_upload``; one that has no body to read is kept whole.

    A source of a kind that is not known, and one that holds blocks, stays whole in ``extra``. A document of plain
    text becomes its bytes in UTF-8, as every other document is bytes.
    """
    kind: str = raw["type"]
    if kind == _UPLOAD and isinstance(raw.get("file_id"), str):
        extra = {**rest(raw, "type", "file_id"), "form": _UPLOAD}
        return MediaPart(media="document", file_id=raw["file_id"], extra=owned(extra))
    source = raw.get("source")
    if kind == _UPLOAD or not isinstance(source, Mapping):
        return OtherPart(name=kind, data=raw)
    extra = rest(raw, "type", "source")
    found, inner = _decode_source(source)
    if inner or not found:
        extra["source"] = inner
    if source.get("type") in ("base64", "text") and source["type"] != _form(found.get("mime")):
        extra["form"] = source["type"]
    filename = None
    if kind == "document" and isinstance(extra.get("title"), str):
        filename = extra.pop("title")
    media: Literal["image", "document"] = "image" if kind == "image" else "document"
    return MediaPart(media=media, **found, filename=filename, extra=owned(extra))


def _decode_source(source: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """The fields of a media part, and what of the source has no such field: all of it where it is not known."""
    match source:
        case {"type": "base64", "media_type": str(mime), "data": str(data)}:
            return {"mime": mime, "data": data}, rest(source, "type", "media_type", "data")
        case {"type": "text", "media_type": str(mime), "data": str(text)}:
            data = base64.b64encode(text.encode()).decode()
            return {"mime": mime, "data": data}, rest(source, "type", "media_type", "data")
        case {"type": "url", "url": str(url)}:
            return {"url": url}, rest(source, "type", "url")
        case {"type": "file", "file_id": str(file_id)}:
            return {"file_id": file_id}, rest(source, "type", "file_id")
        case _:
            return {}, dict(source)


def _form(mime: str | None) -> str:
    """In which form the API takes bytes of a type."""
    return "text" if mime is not None and mime.startswith("text/") else "base64"


def encode_media(part: MediaPart) -> dict[str, Any]:
    """A media part as a block; as a text that stands for it where the shape has none."""
    extra = own(part)
    form = extra.pop("form", None)
    inner = extra.pop("source", None)
    if form == _UPLOAD and part.file_id is not None:
        return {**extra, "type": _UPLOAD, "file_id": part.file_id}
    if isinstance(inner, dict) and ("type" in inner or not _has_reference(part)):
        source: dict[str, Any] | None = inner
    else:
        source = _encode_source(part, form)
        if source is not None and isinstance(inner, dict):
            source |= inner
    image = part.media == "image"
    if source is None or part.media not in ("image", "document"):
        return {"type": "text", "text": part.transcript or f"[{part.media}]"}
    title = {} if image or part.filename is None else {"title": part.filename}
    return {**extra, "type": "image" if image else "document", "source": source, **title}


def _has_reference(part: MediaPart) -> bool:
    return any(value is not None for value in (part.data, part.file_id, part.url))


def _encode_source(part: MediaPart, form: Any) -> dict[str, Any] | None:
    if part.data is not None:
        mime = part.mime
        if mime is None:
            mime = "image/png" if part.media == "image" else "application/pdf"
        text = _text(part.data) if (form or _form(mime)) == "text" else None
        if text is not None:
            return {"type": "text", "media_type": mime, "data": text}
        return {"type": "base64", "media_type": mime, "data": part.data}
    if part.file_id is not None:
        return {"type": "file", "file_id": part.file_id}
    return None if part.url is None else {"type": "url", "url": part.url}


def _text(data: str) -> str | None:
    """The text whose bytes in base64 are ``data``; ``None`` where they are no text."""
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
