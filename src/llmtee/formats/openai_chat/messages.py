"""Messages in the shape of OpenAI Chat Completions, to canonical messages and back.

The shape is the field's lingua franca: HoneyHive's ``chat_history``, Inkeep's ``openai`` conversations and Voker's
``openai-chat-completions`` all speak it, so it stands apart from the format that wraps it in a request.

What the shape cannot say is the order of text and tool calls within a message. Everything else that llmtee reads
from it is written back as it came, apart from explicit nulls of optional fields and from what compatible servers send
and OpenAI does not: arguments as an object are written as text, and so is a tool's answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from llmtee.formats.openai_chat.parts import (
    ANNOTATION,
    TOOL_CALL,
    data_url,
    decode_content,
    encode_other,
    encode_part,
    is_text,
    nested,
    own,
    owned,
)
from llmtee.formats.openai_chat.tools import (
    arguments_text,
    decode_call,
    decode_function_call,
    decode_result,
    encode_call,
    encode_function_call,
    encode_result,
    result_text,
)
from llmtee.jsonfields import as_list, as_object, as_text, join, rest, text_or_none
from llmtee.model import (
    AnyPart,
    CitationPart,
    MediaPart,
    Message,
    OtherPart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from llmtee.model._base import made
from llmtee.model.memo import Derived, Growing

__all__ = [
    "arguments_text",
    "content_form",
    "data_url",
    "decode_content",
    "decode_message",
    "decode_messages",
    "encode_call",
    "encode_message",
    "encode_messages",
    "encode_part",
    "result_text",
]

_REASONING_FIELDS = ("reasoning_content", "reasoning")
_TYPED_FIELDS: Mapping[str, type] = {
    **dict.fromkeys(("refusal", *_REASONING_FIELDS), str),
    **dict.fromkeys(("audio", "function_call"), Mapping),
}
_MESSAGE_FIELDS = ("role", "content", "name", "tool_calls", "annotations", *_TYPED_FIELDS)
_RESULT_FIELDS = ("role", "content", "name", "tool_call_id")


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def decode_messages(raw: Any, path: str = "messages") -> tuple[Message, ...]:
    """A list of chat messages.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    return _history(as_list(raw, path), path)


def decode_message(raw: Any, path: str = "message") -> Message:
    """One chat message.

    What has no canonical home stands in ``extra["openai-chat"]``; there ``content_form`` tells what the parts cannot:
    ``parts`` for text that came in a list, ``absent`` for a message without ``content``.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    raw = as_object(raw, path)
    if _is_plain(raw):
        return made(Message, role=raw["role"], parts=(made(TextPart, text=raw["content"]),))
    role = as_text(raw.get("role", "assistant"), join(path, "role"))
    if role in ("tool", "function"):
        extra = rest(raw, *_RESULT_FIELDS)
        if role == "function":  # the ancestor of role tool, still in old logs
            extra["role"] = role
        return made(Message, role="tool", parts=(decode_result(raw, path),), extra=owned(extra))
    extra = {**rest(raw, *_MESSAGE_FIELDS), **_mistyped(raw)}
    content = raw.get("content")
    if isinstance(content, list) and all(map(is_text, content)):
        extra["content_form"] = "parts"
    elif "content" not in raw:
        extra["content_form"] = "absent"
    name = text_or_none(raw.get("name"), join(path, "name"))
    parts = tuple(_decode_parts(raw, path))
    return made(Message, role=role, parts=parts, name=name, extra=owned(extra))


_history = Growing(decode_message)


def _is_plain(raw: Mapping[str, Any]) -> bool:
    """Whether a message is a text that somebody said, and nothing else: most are, and need none of the rest."""
    return (
        type(raw.get("role")) is str
        and raw["role"] not in ("tool", "function")
        and type(raw.get("content")) is str
        and all(
            key in ("role", "content") or (value is None and key in _MESSAGE_FIELDS)
            for key, value in raw.items()
        )
    )


def _mistyped(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Known fields whose value is of another type than the shape gives them: kept as unknown ones are."""
    return {
        key: raw[key]
        for key, kind in _TYPED_FIELDS.items()
        if raw.get(key) is not None and not isinstance(raw[key], kind)
    }


def _decode_parts(raw: Mapping[str, Any], path: str) -> Iterator[AnyPart]:
    for key in _REASONING_FIELDS:
        if isinstance(raw.get(key), str):
            yield made(ReasoningPart, text=raw[key], extra=owned({"field": key}))
    yield from decode_content(raw.get("content"), join(path, "content"))
    if isinstance(raw.get("refusal"), str):
        yield made(RefusalPart, text=raw["refusal"], extra=owned({"field": "refusal"}))
    if isinstance(audio := raw.get("audio"), Mapping):
        yield _decode_audio(audio, join(path, "audio"))
    where = join(path, "annotations")
    for i, note in enumerate(as_list(raw.get("annotations"), where)):
        yield _decode_annotation(as_object(note, f"{where}[{i}]"))
    where = join(path, "tool_calls")
    for i, call in enumerate(as_list(raw.get("tool_calls"), where)):
        yield decode_call(call, f"{where}[{i}]")
    if isinstance(call := raw.get("function_call"), Mapping):
        yield decode_function_call(call, join(path, "function_call"))


def _decode_audio(raw: Mapping[str, Any], path: str) -> MediaPart:
    return made(
        MediaPart,
        media="audio",
        file_id=text_or_none(raw.get("id"), f"{path}.id"),
        data=text_or_none(raw.get("data"), f"{path}.data"),
        transcript=text_or_none(raw.get("transcript"), f"{path}.transcript"),
        extra=owned({**rest(raw, "id", "data", "transcript"), "field": "audio"}),
    )


def _decode_annotation(raw: Mapping[str, Any]) -> CitationPart | OtherPart:
    cited = raw.get("url_citation")
    if raw.get("type") != "url_citation" or not isinstance(cited, Mapping):
        return made(OtherPart, name=f"{ANNOTATION}{raw.get('type')}", data=raw)
    url, title = cited.get("url"), cited.get("title")
    start, end = cited.get("start_index"), cited.get("end_index")
    if not (
        all(value is None or isinstance(value, str) for value in (url, title))
        and all(value is None or type(value) is int for value in (start, end))
    ):
        return made(OtherPart, name=f"{ANNOTATION}url_citation", data=raw)
    return made(
        CitationPart,
        url=url,
        title=title,
        start=start,
        end=end,
        source_type="url",
        extra=owned(
            {
                **nested("url_citation", rest(cited, "url", "title", "start_index", "end_index")),
                **rest(raw, "type", "url_citation"),
            }
        ),
    )


def content_form(message: Message) -> str | None:
    """How ``content`` came, where the parts do not tell: ``parts`` or ``absent``."""
    form = own(message).get("content_form")
    return form if isinstance(form, str) else None


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def encode_messages(messages: Iterable[Message], *, join: bool = True) -> list[dict[str, Any]]:
    """Canonical messages as chat messages. A message with several tool results becomes several.

    Several texts of a message are joined, as chats are shown and answers are given; with ``join=False`` they are a list
    of parts, as requests may hold them.
    """
    if join:
        return [one for message in messages for one in _joined(message)]
    encoded = (
        (message, one) for message in messages for one in encode_message(message, join=False)
    )
    return [one for message, one in encoded if not message.parts or _says(one)]


def _says(encoded: Mapping[str, Any]) -> bool:
    """Whether anything of a message could be said; a request with an empty one is refused."""
    return bool(rest(encoded, "role", "name", "content")) or encoded.get("content") is not None


def encode_message(message: Message, *, join: bool = True) -> list[dict[str, Any]]:
    """One canonical message as chat messages: one, or one for each tool result and one for what stands beside them."""
    if plain := _plain(message):
        return plain
    results = [part for part in message.parts if isinstance(part, ToolResultPart)]
    others = [part for part in message.parts if not isinstance(part, ToolResultPart)]
    encoded = [encode_result(part, own(message)) for part in results]
    if others or not results:
        encoded.append(_encode_plain(message, others, join=join))
    return encoded


_joined = Derived(encode_message)
"""A history comes back with each call of its session, in messages that `decode_messages` shares."""


def _plain(message: Message) -> list[dict[str, Any]] | None:
    """A message of one text and nothing else, as most are, like any other but sooner; ``None`` for another one."""
    if len(message.parts) != 1 or message.name is not None or message.extra:
        return None
    part = message.parts[0]
    if type(part) is not TextPart or part.extra:
        return None
    return [{"role": _spoken_as(message.role), "content": part.text}]


def _encode_plain(message: Message, parts: Sequence[AnyPart], *, join: bool) -> dict[str, Any]:
    extra = own(message)
    form = extra.pop("content_form", None)
    as_parts = form == "parts" or (not join and sum(isinstance(one, TextPart) for one in parts) > 1)
    out: dict[str, Any] = {"role": _spoken_as(message.role)}
    if (content := _content(parts, as_parts=as_parts)) is not None or form != "absent":
        out["content"] = content
    if message.name is not None:
        out["name"] = message.name
    for part in parts:
        _encode_beside(part, out)
    return {**extra, **out}


def _spoken_as(role: str) -> str:
    """A message of role tool must answer a call; one that answers none is what somebody said."""
    return "user" if role in ("tool", "function") else role


def _content(parts: Iterable[AnyPart], *, as_parts: bool) -> Any:
    """Text where it is nothing else, a list of parts, or ``None`` where there is nothing to say."""
    said = [(part, encoded) for part in parts if (encoded := encode_part(part)) is not None]
    if as_parts or any(own(part) or not isinstance(part, TextPart) for part, _ in said):
        return [encoded for _, encoded in said]
    return "".join(encoded["text"] for _, encoded in said) if said else None


def _encode_beside(part: AnyPart, out: dict[str, Any]) -> None:
    match part:
        case ToolCallPart(call_type="function_call"):
            out["function_call"] = encode_function_call(part)
        case ToolCallPart():
            out.setdefault("tool_calls", []).append(encode_call(part))
        case OtherPart(name=name) if name.startswith(TOOL_CALL):
            out.setdefault("tool_calls", []).append(encode_other(part))
        case OtherPart(name=name) if name.startswith(ANNOTATION):
            out.setdefault("annotations", []).append(encode_other(part))
        case CitationPart():
            out.setdefault("annotations", []).append(_encode_citation(part))
        case ReasoningPart():
            _encode_reasoning(part, out)
        case RefusalPart() if own(part).get("field") == "refusal":
            out["refusal"] = part.text
        case MediaPart() if own(part).get("field") == "audio":
            audio = {"id": part.file_id, "data": part.data, "transcript": part.transcript}
            audio = {key: value for key, value in audio.items() if value is not None}
            out["audio"] = {**rest(own(part), "field"), **audio}
        case _:
            pass  # it stands in the content


def _encode_reasoning(part: ReasoningPart, out: dict[str, Any]) -> None:
    text = "\n".join(part.summary) if part.text is None else part.text
    if part.text is None and not part.summary:
        return  # encrypted; the shape has no field for it
    field = own(part).get("field")
    key = field if field in _REASONING_FIELDS else _REASONING_FIELDS[0]
    out[key] = f"{out[key]}\n{text}" if key in out else text


def _encode_citation(part: CitationPart) -> dict[str, Any]:
    cited = {
        "start_index": part.start,
        "end_index": part.end,
        "url": part.url,
        "title": part.title,
    }
    cited = {key: value for key, value in cited.items() if value is not None}
    extra = own(part)
    more = extra.pop("url_citation", None)
    inner = {**cited, **more} if isinstance(more, dict) else cited
    return {"type": "url_citation", "url_citation": inner, **extra}
