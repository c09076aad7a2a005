"""Content blocks of Bedrock Converse: objects with one key, which names what they hold, to parts and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from llmtee import jsontext
from llmtee.jsonfields import as_list, as_object, as_text, rest, text_or_none
from llmtee.model import (
    AnyPart,
    Choice,
    CitationPart,
    MediaPart,
    Message,
    ModelCall,
    OtherPart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
)
from llmtee.model.parts import Part

OWNER = "bedrock-converse"
"""Under which key of ``extra`` the shape keeps what has no canonical home. What others keep there is never written."""

_MIMES = {
    "pdf": "application/pdf",
    "csv": "text/csv",
    "html": "text/html",
    "txt": "text/plain",
    "md": "text/markdown",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_FORMATS = {mime: form for form, mime in _MIMES.items()}
_DEFAULTS = {"image": "png", "audio": "wav", "video": "mp4", "document": "txt"}
_BARE = "text"
"""Kept under ``input`` of a tool call whose input is text instead of an object: its stream was cut short."""
_STATUS = {"success": False, "error": True}


def owned(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of this shape, as ``extra`` keeps them."""
    return {OWNER: dict(fields)} if fields else {}


def own(value: Part | Message | ToolDefinition | Choice | ModelCall) -> dict[str, Any]:
    """What ``extra`` keeps of this shape's fields."""
    fields = value.extra.get(OWNER)
    return dict(fields) if isinstance(fields, dict) else {}


def nested(key: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The unknown fields of an inner object, as ``extra`` keeps them."""
    return {key: fields} if fields else {}


def inner(extra: dict[str, Any], key: str) -> dict[str, Any]:
    """Takes out of ``extra`` what `nested` put into it."""
    fields = extra.pop(key, None)
    return dict(fields) if isinstance(fields, dict) else {}


def without_nones(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that say something."""
    return {key: value for key, value in fields.items() if value is not None}


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def decode_blocks(raw: Any, path: str) -> list[AnyPart]:
    """The parts of a list of blocks.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    blocks = enumerate(as_list(raw, path))
    return [part for i, block in blocks for part in _decode(block, f"{path}[{i}]")]


def _decode(raw: Any, path: str) -> list[AnyPart]:
    raw = as_object(raw, path)
    match raw:
        case {"text": str(text)}:
            return [TextPart(text=text, extra=owned(rest(raw, "text")))]
        case {"toolUse": Mapping() as body}:
            return [_tool_use(raw, body, f"{path}.toolUse")]
        case {"toolResult": Mapping() as body}:
            return [_tool_result(raw, body, f"{path}.toolResult")]
        case {"reasoningContent": Mapping() as body}:
            return [_reasoning(raw, body) or _other(raw)]
        case {"guardContent": {"text": {"text": str(text)}}}:
            return [TextPart(text=text, extra=owned({**raw, "form": "guardContent"}))]
        case {"citationsContent": {"content": list(content)} as body} if (
            _texts(content) is not None
        ):
            return [
                TextPart(text=_texts(content) or "", extra=owned({**raw, "form": "citations"})),
                *_citations(body.get("citations")),
            ]
        case _:
            return [_media(raw) or _other(raw)]


def _other(raw: Mapping[str, Any]) -> OtherPart:
    name = next(iter(raw), "unknown")
    return OtherPart(name=name or "unknown", data=raw, extra=owned({"form": "whole"}))


def _tool_use(raw: Mapping[str, Any], body: Mapping[str, Any], path: str) -> ToolCallPart:
    kind = body.get("type")
    known = ["toolUseId", "name", "input", *(["type"] if isinstance(kind, str) else [])]
    received = body.get("input")
    text = received if isinstance(received, str) else None  # of a stream that was cut short
    return ToolCallPart(
        id=text_or_none(body.get("toolUseId"), f"{path}.toolUseId"),
        name=as_text(body.get("name", ""), f"{path}.name"),
        arguments=received if text is None else _parsed(text),
        arguments_text=text,
        call_type=kind if isinstance(kind, str) else "function",
        extra=owned(
            {
                **nested("toolUse", rest(body, *known)),
                **rest(raw, "toolUse"),
                **({} if text is None else {"input": _BARE}),
            }
        ),
    )


def _parsed(text: str) -> Any:
    try:
        return jsontext.loads(text)
    except ValueError:
        return None


def _tool_result(raw: Mapping[str, Any], body: Mapping[str, Any], path: str) -> ToolResultPart:
    result: Any = None
    parts: tuple[TextPart | MediaPart | OtherPart, ...] = ()
    match body.get("content"):
        case [{"text": str(text)} as only] if len(only) == 1:
            result = text
        case [{"json": value} as only] if len(only) == 1 and not isinstance(value, str):
            result = value
        case content:
            where = f"{path}.content"
            parts = tuple(
                _result_part(as_object(one, f"{where}[{i}]"))
                for i, one in enumerate(as_list(content, where))
            )
    status = body.get("status")
    known = ["toolUseId", "content"]
    failed = _STATUS.get(status) if isinstance(status, str) else None
    known += [] if failed is None else ["status"]
    return ToolResultPart(
        call_id=text_or_none(body.get("toolUseId"), f"{path}.toolUseId"),
        result=result,
        parts=parts,
        is_error=failed,
        extra=owned({**nested("toolResult", rest(body, *known)), **rest(raw, "toolResult")}),
    )


def _result_part(raw: Mapping[str, Any]) -> TextPart | MediaPart | OtherPart:
    if isinstance(text := raw.get("text"), str):
        return TextPart(text=text, extra=owned(rest(raw, "text")))
    return _media(raw) or _other(raw)


def _reasoning(raw: Mapping[str, Any], body: Mapping[str, Any]) -> ReasoningPart | None:
    beside = rest(raw, "reasoningContent")
    match body:
        case {"reasoningText": {"text": str(text)} as told} if len(body) == 1:
            signature = told.get("signature")
            known = ["text", *(["signature"] if isinstance(signature, str) else [])]
            return ReasoningPart(
                text=text,
                signature=signature if isinstance(signature, str) else None,
                extra=owned({**nested("reasoningText", rest(told, *known)), **beside}),
            )
        case {"redactedContent": str(data)} if len(body) == 1:
            return ReasoningPart(encrypted=data, extra=owned(beside))
        case _:
            return None


def _media(raw: Mapping[str, Any]) -> MediaPart | None:
    for kind in ("image", "document", "video", "audio"):
        body = raw.get(kind)
        if not isinstance(body, Mapping):
            continue
        form, name = body.get("format"), body.get("name")
        source: Any = body.get("source")
        match source:
            case {"bytes": str(data)}:
                where, left = {"data": data}, rest(source, "bytes")
            case {"s3Location": {"uri": str(uri)} as place}:
                where = {"url": uri}
                left = {**rest(source, "s3Location"), **nested("s3Location", rest(place, "uri"))}
            case _:
                return None
        known = ["source", *(["format"] if isinstance(form, str) else [])]
        known += ["name"] if isinstance(name, str) else []
        return MediaPart(
            media=kind,
            mime=_mime(kind, form) if isinstance(form, str) else None,
            filename=name if isinstance(name, str) else None,
            extra=owned(
                {**nested(kind, rest(body, *known)), **nested("source", left), **rest(raw, kind)}
            ),
            **where,
        )
    return None


def _mime(kind: str, form: str) -> str:
    return _MIMES.get(form, f"application/{form}") if kind == "document" else f"{kind}/{form}"


def _texts(content: Iterable[Any]) -> str | None:
    """The text of blocks that are nothing but text."""
    found = [one.get("text") if isinstance(one, Mapping) else None for one in content]
    texts = [text for text in found if isinstance(text, str)]
    return "".join(texts) if len(texts) == len(found) else None


def _citations(raw: Any) -> list[CitationPart]:
    """Citations for whoever reads the event; the block is written back from the text before them."""
    found = []
    for one in raw if isinstance(raw, list) else []:
        if not isinstance(one, Mapping):
            continue
        title, location = one.get("title"), one.get("location")
        kind = next(iter(location), None) if isinstance(location, Mapping) else None
        web = location.get("web") if isinstance(location, Mapping) else None
        url = web.get("url") if isinstance(web, Mapping) else None
        quoted = one.get("sourceContent")
        found.append(
            CitationPart(
                title=title if isinstance(title, str) else None,
                url=url if isinstance(url, str) else None,
                source_type="url" if kind == "web" else kind,
                cited_text=_texts(quoted) if isinstance(quoted, list) else None,
                extra=owned({"form": "citations"}),
            )
        )
    return found


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def encode_blocks(parts: Iterable[AnyPart]) -> list[dict[str, Any]]:
    """Parts as blocks, without what Converse cannot say. A citation of another source joins the text before it."""
    blocks: list[dict[str, Any]] = []
    for part in parts:
        if isinstance(part, CitationPart):
            if not own(part) and blocks:
                _cite(blocks, part)
        elif (encoded := encode_block(part)) is not None:
            blocks.append(encoded)
    return blocks


def _cite(blocks: list[dict[str, Any]], part: CitationPart) -> None:
    last = blocks[-1]
    if last.keys() == {"text"}:
        last = {"citationsContent": {"content": [last], "citations": []}}
        blocks[-1] = last
    body = last.get("citationsContent")
    if not isinstance(body, dict) or not isinstance(body.get("citations"), list):
        return
    cited = {
        "title": part.title,
        "sourceContent": None if part.cited_text is None else [{"text": part.cited_text}],
        "location": None if part.url is None else {"web": {"url": part.url}},
    }
    body["citations"] = [*body["citations"], without_nones(cited)]


def encode_block(part: AnyPart) -> dict[str, Any] | None:
    """A part as a block; ``None`` for what Converse cannot say."""
    match part:
        case TextPart():
            return _encode_text(part)
        case RefusalPart():
            return {"text": part.text}
        case ReasoningPart():
            return _encode_reasoning(part)
        case MediaPart():
            return _encode_media(part)
        case ToolCallPart():
            return _encode_tool_use(part)
        case ToolResultPart():
            return _encode_tool_result(part)
        case OtherPart() if own(part).get("form") == "whole" and isinstance(part.data, dict):
            return part.data
        case _:
            return None


def _encode_text(part: TextPart) -> dict[str, Any]:
    extra = own(part)
    form = extra.pop("form", None)
    whole = extra.get("guardContent" if form == "guardContent" else "citationsContent")
    if form == "guardContent" and isinstance(whole, dict):
        told = whole.get("text")
        told = told if isinstance(told, dict) else {}
        return {**extra, form: {**whole, "text": {**told, "text": part.text}}}
    if form == "citations" and isinstance(whole, dict):
        return {**extra, "citationsContent": dict(whole)}
    return {**extra, "text": part.text}


def _encode_reasoning(part: ReasoningPart) -> dict[str, Any] | None:
    extra = own(part)
    more = inner(extra, "reasoningText")
    text = "\n".join(part.summary) if part.text is None and part.summary else part.text
    if text is not None:
        told = without_nones({"text": text, "signature": part.signature})
        return {**extra, "reasoningContent": {"reasoningText": {**more, **told}}}
    if part.encrypted is not None:
        return {**extra, "reasoningContent": {"redactedContent": part.encrypted}}
    return None


def _encode_media(part: MediaPart) -> dict[str, Any]:
    extra = own(part)
    kind = part.media if part.media != "other" else "document"
    more, left = inner(extra, kind), inner(extra, "source")
    form = None
    if part.mime is not None:
        form = _FORMATS.get(part.mime, part.mime.partition("/")[2])
    elif not own(part) and part.media == "other":
        form = _DEFAULTS[kind]
    name = part.filename
    if part.data is not None:
        source: dict[str, Any] = {"bytes": part.data, **left}
    elif part.url is not None:
        source = {**left, "s3Location": {**inner(left, "s3Location"), "uri": part.url}}
    else:
        return {"text": f"[{part.media}]"}  # its bytes were not kept
    return {
        **extra,
        kind: {**more, **without_nones({"format": form, "name": name}), "source": source},
    }


def _encode_tool_use(part: ToolCallPart) -> dict[str, Any]:
    extra = own(part)
    arguments = part.arguments
    bare = extra.pop("input", None) == _BARE
    if bare and part.arguments_text is not None:
        arguments = part.arguments_text
    elif arguments is None and part.arguments_text:  # no JSON: a custom tool's, or cut short
        arguments = {"input": part.arguments_text}
    body = {"toolUseId": part.id, "name": part.name, "input": arguments}
    kind = {} if part.call_type in ("function", "custom") else {"type": part.call_type}
    return {**extra, "toolUse": {**inner(extra, "toolUse"), **without_nones(body), **kind}}


def _encode_tool_result(part: ToolResultPart) -> dict[str, Any]:
    extra = own(part)
    more = inner(extra, "toolResult")
    content: list[Any] = [block for one in part.parts if (block := encode_block(one)) is not None]
    if not content and part.result is not None:
        key = "text" if isinstance(part.result, str) else "json"
        content = [{key: part.result}]
    status = {None: None, True: "error", False: "success"}[part.is_error]
    body = without_nones({"toolUseId": part.call_id, "content": content, "status": status})
    return {**extra, "toolResult": {**more, **body}}
