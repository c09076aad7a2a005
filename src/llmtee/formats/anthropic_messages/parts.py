"""The blocks of a message's ``content`` in Anthropic Messages, apart from tools. See ``_anthropic_messages``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llmtee.formats.anthropic_messages.media import decode_media, encode_media
from llmtee.formats.anthropic_messages.own import own, owned
from llmtee.jsonfields import as_list, as_object, rest, text_or_none
from llmtee.model import (
    AnyPart,
    CitationPart,
    MediaPart,
    OtherPart,
    ReasoningPart,
    RefusalPart,
    TextPart,
)

_DOCUMENT_LOCATIONS = ("char_location", "page_location", "content_block_location")
_WEB_LOCATION, _SEARCH_LOCATION = "web_search_result_location", "search_result_location"
_LOCATIONS = (*_DOCUMENT_LOCATIONS, _WEB_LOCATION, _SEARCH_LOCATION)


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def decode_block(raw: Any, path: str) -> Iterator[AnyPart]:
    """A block that is no tool's: one part, and one more for each citation of a text.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    if isinstance(raw, Mapping) and raw.get("type") == "text" and isinstance(raw.get("text"), str):
        yield TextPart(text=raw["text"], extra=owned(rest(raw, "type", "text", "citations")))
        where = f"{path}.citations"
        for i, citation in enumerate(as_list(raw.get("citations"), where)):
            yield _decode_citation(as_object(citation, f"{where}[{i}]"))
        return
    match raw:
        case {"type": "thinking", "thinking": str(text)}:
            signature = text_or_none(raw.get("signature"), f"{path}.signature")
            extra = owned(rest(raw, "type", "thinking", "signature"))
            yield ReasoningPart(text=text, signature=signature, extra=extra)
        case {"type": "redacted_thinking", "data": str(data)}:
            yield ReasoningPart(encrypted=data, extra=owned(rest(raw, "type", "data")))
        case _:
            yield decode_content_block(raw, path)


def decode_content_block(raw: Any, path: str) -> TextPart | MediaPart | OtherPart:
    """A block as a tool result may hold it. Citations of its text stay as they came: they have no part there.

    Raises:
        InputError: it is neither an object nor text; the error names its JSON path.
    """
    if isinstance(raw, str):
        return TextPart(text=raw)
    raw = as_object(raw, path)
    match raw:
        case {"type": "text", "text": str(text)}:
            return TextPart(text=text, extra=owned(rest(raw, "type", "text")))
        case {"type": "image" | "document" | "container_upload"}:
            return decode_media(raw, path)
        case {"type": str(name)}:
            return OtherPart(name=name, data=raw)
        case _:
            return OtherPart(name="unknown", data=raw)


def _decode_citation(raw: Mapping[str, Any]) -> CitationPart:
    """A citation of any location type.

    Its offsets count in the source, those of a canonical citation in the answer: they are kept under their own names.
    """
    kind = raw.get("type")
    title_key, url_key = _citation_keys(kind)
    wire = {"title": title_key, "url": url_key, "cited_text": "cited_text", "file_id": "file_id"}
    values = {name: raw.get(key) for name, key in wire.items()}
    if kind == _SEARCH_LOCATION and not str(values["url"]).startswith(("http://", "https://")):
        values["url"] = ...  # the source of a search result is any text
    found = {name: value for name, value in values.items() if isinstance(value, str)}
    extra = rest(raw, "type", *(wire[name] for name in wire if name in found or not values[name]))
    if kind not in _LOCATIONS:
        extra["type"] = kind
    return CitationPart(
        **found,
        source_type=kind if isinstance(kind, str) else None,
        extra=owned(extra),
    )


def _citation_keys(kind: Any) -> tuple[str, str]:
    """What the wire calls ``title`` and ``url`` of a citation."""
    title = "document_title" if kind in _DOCUMENT_LOCATIONS else "title"
    return title, "source" if kind == _SEARCH_LOCATION else "url"


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def encode_blocks(parts: Iterable[AnyPart]) -> list[dict[str, Any]]:
    """Parts that are no tool's, as blocks. Citations go to the text before them; without one they are left out."""
    blocks: list[dict[str, Any]] = []
    for part in parts:
        add_block(part, blocks)
    return blocks


def add_block(part: AnyPart, blocks: list[dict[str, Any]]) -> None:
    """Writes one part that is no tool's at the end of ``blocks``."""
    if isinstance(part, CitationPart):
        text = next((block for block in reversed(blocks) if block.get("type") == "text"), None)
        cited = _encode_citation(part)
        if text is not None and cited is not None:
            text["citations"] = [*(text.get("citations") or ()), cited]
    elif (block := encode_block(part)) is not None:
        blocks.append(block)


def encode_block(part: AnyPart) -> dict[str, Any] | None:
    """A part as a block of its own; ``None`` for what is none or what the shape cannot say."""
    match part:
        case TextPart() | RefusalPart():
            return {**rest(own(part), "type", "text"), "type": "text", "text": part.text}
        case MediaPart():
            return encode_media(part)
        case ReasoningPart():
            return _encode_reasoning(part)
        case OtherPart():
            return _encode_other(part)
        case _:
            return None


def _encode_reasoning(part: ReasoningPart) -> dict[str, Any] | None:
    extra = rest(own(part), "type")
    if part.text is None and not part.summary:
        if part.encrypted is None:
            return None
        return {**extra, "type": "redacted_thinking", "data": part.encrypted}
    text = "\n".join(part.summary) if part.text is None else part.text
    signature = {} if part.signature is None else {"signature": part.signature}
    return {**extra, "type": "thinking", "thinking": text, **signature}


def _encode_other(part: OtherPart) -> dict[str, Any]:
    """A block of a type that llmtee does not know: as it came, with its type where that was missing."""
    if not isinstance(part.data, dict):
        return {"type": part.name}
    whole = "type" in part.data or part.name == "unknown"
    return dict(part.data) if whole else {"type": part.name, **part.data}


def _encode_citation(part: CitationPart) -> dict[str, Any] | None:
    extra = own(part)
    kind = extra.get("type", part.source_type)
    if not extra and kind not in _LOCATIONS:
        if part.url is None:
            return None  # all other locations need a place in a document of the request
        kind, extra = _WEB_LOCATION, {"encrypted_index": ""}
    title_key, url_key = _citation_keys(kind)
    found = {
        "type": kind,
        "cited_text": part.cited_text,
        title_key: part.title,
        url_key: part.url,
        "file_id": part.file_id,
    }
    return {**extra, **{key: value for key, value in found.items() if value is not None}}
