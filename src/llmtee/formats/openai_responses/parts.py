"""The entries of an item's ``content`` in OpenAI Responses: text, media, refusals, and the annotations of text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from llmtee.formats.openai_chat.parts import ANNOTATION, data_url, encode_other
from llmtee.jsonfields import as_list, as_object, rest
from llmtee.model import (
    AnyPart,
    CitationPart,
    MediaPart,
    Message,
    ModelCall,
    OtherPart,
    RefusalPart,
    TextPart,
    ToolDefinition,
)
from llmtee.model.parts import Part

OWNER = "openai-responses"
"""Under which key of ``extra`` the shape keeps what has no canonical home. What others keep there is never written."""

Decoded: TypeAlias = TextPart | MediaPart | RefusalPart | OtherPart

_TEXTS = ("input_text", "output_text", "text")
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,(.*)", re.DOTALL)
_AUDIO_MIMES = {"mp3": "audio/mpeg", "wav": "audio/wav"}
_AUDIO_FORMS = {mime: form for form, mime in _AUDIO_MIMES.items()}
_CITATIONS = {
    "url_citation": "url",
    "file_citation": "file",
    "container_file_citation": "container_file",
    "file_path": "file_path",
}
_ANNOTATIONS = {source: name for name, source in _CITATIONS.items()}


def owned(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of this shape, as ``extra`` keeps them."""
    return {OWNER: fields} if fields else {}


def own(value: Part | Message | ToolDefinition | ModelCall) -> dict[str, Any]:
    """What ``extra`` keeps of this shape's fields."""
    fields = value.extra.get(OWNER)
    return dict(fields) if isinstance(fields, dict) else {}


def text_type(role: str) -> str:
    """What a text is called in a message of this role."""
    return "output_text" if role == "assistant" else "input_text"


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def decode_content(content: Any, path: str, role: str) -> Iterator[AnyPart]:
    """The parts of a message's ``content``: text, a list of parts, or null. Citations follow the text they support.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    if isinstance(content, str):
        yield TextPart(text=content)
        return
    for i, entry in enumerate(as_list(content, path)):
        where = f"{path}[{i}]"
        raw = as_object(entry, where)
        annotations = as_list(raw.get("annotations"), f"{where}.annotations")
        part = decode_part(raw, where, text_type(role))
        if not isinstance(part, TextPart):
            yield part
            continue
        yield part.model_copy(update={"extra": owned(rest(own(part), "annotations"))})
        for j, note in enumerate(annotations):
            yield _decode_annotation(as_object(note, f"{where}.annotations[{j}]"))


def decode_part(raw: Any, path: str, text: str = "input_text") -> Decoded:
    """One entry of a content list; ``text`` is the type that a text has here without saying so in ``extra``."""
    raw = as_object(raw, path)
    match raw:
        case {"type": str(name), "text": str(said)} if name in _TEXTS:
            extra = rest(raw, "type", "text")
            if extra.get("logprobs") == []:
                del extra["logprobs"]
            return TextPart(
                text=said, extra=owned(extra | ({} if name == text else {"type": name}))
            )
        case {"type": "refusal", "refusal": str(said)}:
            return RefusalPart(text=said, extra=owned(rest(raw, "type", "refusal")))
        case {"type": "input_audio", "input_audio": {"data": str(), "format": str()}}:
            return _decode_audio(raw)
        case {"type": "output_audio", "data": str(data)} if _texts(raw, "transcript"):
            extra = {**rest(raw, "type", "data", "transcript"), "type": "output_audio"}
            transcript = raw.get("transcript")
            return MediaPart(media="audio", data=data, transcript=transcript, extra=owned(extra))
        case {"type": "input_image"} if _texts(raw, "image_url", "file_id", some=True):
            return _decode_image(raw)
        case {"type": "input_file"} if _texts(raw, *_FILE, some=True):
            return _decode_file(raw)
        case {"type": str(name)}:
            return OtherPart(name=name, data=raw)
        case _:
            return OtherPart(name="unknown", data=raw)


_FILE = ("file_id", "file_url", "file_data", "filename")


def _texts(raw: Mapping[str, Any], *keys: str, some: bool = False) -> bool:
    """Whether the fields are texts or missing; with ``some``, whether one is there besides."""
    found = [raw[key] for key in keys if raw.get(key) is not None]
    return all(isinstance(value, str) for value in found) and (bool(found) or not some)


def _decode_audio(raw: Mapping[str, Any]) -> MediaPart:
    audio = raw["input_audio"]
    mime = _AUDIO_MIMES.get(audio["format"], f"audio/{audio['format']}")
    known = ("data", "format") if _audio_form(mime) == audio["format"] else ("data",)
    more = rest(audio, *known)
    extra = {**rest(raw, "type", "input_audio"), **({"input_audio": more} if more else {})}
    return MediaPart(media="audio", data=audio["data"], mime=mime, extra=owned(extra))


def _audio_form(mime: str) -> str:
    return _AUDIO_FORMS.get(mime, mime.partition("/")[2])


def _decode_image(raw: Mapping[str, Any]) -> MediaPart:
    detail = raw.get("detail")
    known = ("detail",) if detail is None or isinstance(detail, str) else ()
    address = raw.get("image_url")
    found = _DATA_URL.fullmatch(address) if address is not None else None
    return MediaPart(
        media="image",
        url=None if found else address,
        mime=found[1] if found else None,
        data=found[2] if found else None,
        file_id=raw.get("file_id"),
        detail=detail if known else None,
        extra=owned(rest(raw, "type", "image_url", "file_id", *known)),
    )


def _decode_file(raw: Mapping[str, Any]) -> MediaPart:
    data = raw.get("file_data")
    found = _DATA_URL.fullmatch(data) if data is not None else None
    return MediaPart(
        media="document",
        url=raw.get("file_url"),
        mime=found[1] if found else None,
        data=found[2] if found else data,
        file_id=raw.get("file_id"),
        filename=raw.get("filename"),
        extra=owned(rest(raw, "type", *_FILE)),
    )


def _decode_annotation(raw: Mapping[str, Any]) -> CitationPart | OtherPart:
    kind = raw.get("type")
    spans = [raw.get("start_index"), raw.get("end_index")]
    if (
        not isinstance(kind, str)
        or kind not in _CITATIONS
        or not _texts(raw, "url", "title", "file_id", "filename")
        or not all(value is None or type(value) is int for value in spans)
    ):
        return OtherPart(name=f"{ANNOTATION}{kind}", data=raw, extra=owned({"note": True}))
    named = "title" if kind == "url_citation" else "filename"
    return CitationPart(
        url=raw.get("url"),
        title=raw.get(named),
        file_id=raw.get("file_id"),
        start=spans[0],
        end=spans[1],
        source_type=_CITATIONS[kind],
        extra=owned(rest(raw, "type", "url", named, "file_id", "start_index", "end_index")),
    )


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def encode_content(parts: Iterable[AnyPart], role: str) -> list[dict[str, Any]]:
    """Parts as a content list; a citation becomes an annotation of the text before it."""
    kind = text_type(role)
    out: list[dict[str, Any]] = []
    for part in parts:
        note = _encode_annotation(part)
        if note is None:
            if (encoded := encode_part(part, kind)) is not None:
                out.append(encoded)
            continue
        if not out or out[-1].get("type") not in _TEXTS or "text" not in out[-1]:
            out.append({"type": kind, "text": ""})
        notes = out[-1].get("annotations")
        out[-1]["annotations"] = [*(notes if isinstance(notes, list) else []), note]
    return [
        {**one, "annotations": one.get("annotations") or []}
        if one.get("type") == "output_text"
        else one
        for one in out
    ]


def encode_part(part: AnyPart, text: str = "input_text") -> dict[str, Any] | None:
    """A part as an entry of a content list; ``None`` for what is no content."""
    extra = rest(own(part), "item", "note")
    match part:
        case TextPart():
            return {"type": text, "text": part.text, **extra}
        case RefusalPart():
            return {"type": "refusal", "refusal": part.text, **extra}
        case MediaPart():
            return _encode_media(part, extra)
        case OtherPart():
            return dict(encode_other(part))
        case _:
            return None


def _encode_media(part: MediaPart, extra: dict[str, Any]) -> dict[str, Any]:
    address = data_url(part) or part.url
    if part.media == "image" and (address is not None or part.file_id is not None):
        image = {"image_url": address, "file_id": part.file_id, "detail": part.detail}
        return {"type": "input_image", **_present(image), **extra}
    if part.media == "audio" and part.data is not None:
        if extra.get("type") == "output_audio":
            said = {"data": part.data, "transcript": part.transcript}
            return {**extra, **_present(said)}
        more = extra.pop("input_audio", None)
        audio = {"data": part.data, "format": _audio_form(part.mime or "audio/wav")}
        audio |= more if isinstance(more, dict) else {}
        return {"type": "input_audio", "input_audio": audio, **extra}
    file = {
        "file_id": part.file_id,
        "file_url": part.url,
        "file_data": part.data if part.mime is None else data_url(part),
        "filename": part.filename,
    }
    if not _present(file):
        return {"type": "input_text", "text": f"[{part.media}]"}  # its bytes were not kept
    return {"type": "input_file", **_present(file), **extra}


def _encode_annotation(part: AnyPart) -> dict[str, Any] | None:
    if isinstance(part, OtherPart) and part.name.startswith(ANNOTATION):
        known = isinstance(part.data, dict) and own(part).get("note") is True
        return part.data if known else {**encode_other(part)}
    if not isinstance(part, CitationPart):
        return None
    default = "url_citation" if part.file_id is None else "file_citation"
    kind = _ANNOTATIONS.get(part.source_type or "", default)
    cited = {
        "url": part.url,
        "title" if kind == "url_citation" else "filename": part.title,
        "file_id": part.file_id,
        "start_index": part.start,
        "end_index": part.end,
    }
    return {"type": kind, **_present(cited), **own(part)}


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}
