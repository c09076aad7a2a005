"""What Gemini says about its sources, which stands beside a candidate's content, as citations.

``groundingMetadata`` and ``citationMetadata`` are kept whole with the choice and written back from there; the
citations made of them here are for whoever reads the event. Gemini counts bytes of UTF-8, llmtee counts code points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmtee.formats.gemini.names import own, owned, without_nones
from llmtee.model import AnyPart, CitationPart, RefusalPart, TextPart

_SOURCES = {"web": "url", "maps": "maps", "retrievedContext": "retrieved_context"}


def decode_citations(
    candidate: Mapping[str, Any], parts: Sequence[AnyPart]
) -> tuple[CitationPart, ...]:
    """The citations of a candidate. What is not of the shape makes none, and is kept with the rest."""
    return (
        *_grounding(candidate.get("groundingMetadata"), parts),
        *_citations(candidate.get("citationMetadata"), parts),
    )


def _grounding(raw: Any, parts: Sequence[AnyPart]) -> Iterator[CitationPart]:
    if not isinstance(raw, Mapping):
        return
    chunks = [_chunk(one) for one in _objects(raw.get("groundingChunks"))]
    cited: set[int] = set()
    for support in _objects(raw.get("groundingSupports")):
        segment = support.get("segment")
        indices = support.get("groundingChunkIndices")
        if not isinstance(segment, Mapping) or not isinstance(indices, list):
            continue
        part = segment.get("partIndex", 0)
        place = _place(segment, parts, part if type(part) is int else 0)
        for index in indices:
            if type(index) is int and 0 <= index < len(chunks):
                cited.add(index)
                yield _citation("groundingMetadata", {**chunks[index], **place})
    for index, chunk in enumerate(chunks):
        if index not in cited:
            yield _citation("groundingMetadata", chunk)


def _chunk(raw: Mapping[str, Any]) -> dict[str, Any]:
    for key, kind in _SOURCES.items():
        if isinstance(source := raw.get(key), Mapping):
            found = {"url": source.get("uri"), "title": source.get("title"), "source_type": kind}
            if key == "retrievedContext":
                found["cited_text"] = source.get("text")
            return {name: value for name, value in found.items() if isinstance(value, str)}
    return {}


def _citations(raw: Any, parts: Sequence[AnyPart]) -> Iterator[CitationPart]:
    if not isinstance(raw, Mapping):
        return
    for key in ("citations", "citationSources"):  # the SDKs and Vertex AI; the Gemini API
        for source in _objects(raw.get(key)):
            found = {"url": source.get("uri"), "title": source.get("title"), "source_type": "url"}
            found = {name: value for name, value in found.items() if isinstance(value, str)}
            yield _citation("citationMetadata", {**found, **_place(source, parts, None)})


def _citation(field: str, fields: Mapping[str, Any]) -> CitationPart:
    return CitationPart(**fields, extra=owned({"field": field}))


def _objects(raw: Any) -> list[Mapping[str, Any]]:
    if not isinstance(raw, list):
        return []
    return [one if isinstance(one, Mapping) else {} for one in raw]


def _place(raw: Mapping[str, Any], parts: Sequence[AnyPart], part: int | None) -> dict[str, int]:
    """The characters of the message's text that bytes stand for, in one of its parts or in all of it."""
    before, text = 0, _text(parts)
    if part is not None:
        if not 0 <= part < len(parts) or not isinstance(parts[part], TextPart):
            return {}
        before, text = len(_text(parts[:part])), _text(parts[part : part + 1])
    start, end = raw.get("startIndex", 0), raw.get("endIndex")
    if type(start) is not int or type(end) is not int or not 0 <= start <= end:
        return {}
    data = text.encode()
    if end > len(data):
        return {}
    count = [len(data[:index].decode("utf-8", "ignore")) for index in (start, end)]
    return {"start": before + count[0], "end": before + count[1]}


def _text(parts: Sequence[AnyPart]) -> str:
    return "".join(part.text for part in parts if isinstance(part, TextPart | RefusalPart))


def encode_citations(parts: Sequence[AnyPart]) -> dict[str, Any]:
    """``citationMetadata`` for the citations of other sources; those of Gemini's own are in the choice's ``extra``."""
    text = _text(parts)
    found = [
        without_nones(
            {
                "startIndex": _bytes(text, part.start),
                "endIndex": _bytes(text, part.end),
                "uri": part.url,
                "title": part.title,
            }
        )
        for part in parts
        if isinstance(part, CitationPart) and "field" not in own(part)
    ]
    return {"citationMetadata": {"citations": found}} if found else {}


def _bytes(text: str, index: int | None) -> int | None:
    return None if index is None else len(text[: max(index, 0)].encode())
