"""When two messages are the same message.

A recorded reply comes back in the history of the next call with whatever fields the application kept. So identity
rests on what a model must be told again: role, text, tool calls, tool results, media. Reasoning, citations, names
and unknown fields do not count.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from llmtee import jsontext
from llmtee.model import (
    ContentPart,
    MediaPart,
    Message,
    OtherPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)


def identity(message: Message) -> str:
    """Text that is equal for two copies of one message, and the root of its id."""
    said = f"{message.role}\x1f{message.text.strip()}"
    rest = [part for part in map(_part, message.parts) if part is not None]
    return f"{said}\x1f{jsontext.dumps_sorted(rest).decode()}" if rest else said


def _part(part: Any) -> list[Any] | None:
    match part:
        case ToolCallPart():
            return ["call", None if part.synthetic_id else part.id, part.name, _arguments(part)]
        case ToolResultPart():
            return ["result", part.call_id, *_result(part)]
        case MediaPart():
            return _media(part)
        case OtherPart():
            return ["other", part.name, part.data]
        case _:
            return None


def _arguments(part: ToolCallPart) -> Any:
    if part.arguments is not None:
        return part.arguments
    # Some clients write no arguments as "", some as "{}".
    return part.arguments_text.strip() if part.arguments_text else {}


def _result(part: ToolResultPart) -> list[Any]:
    if part.parts:
        return [_joined(part.parts), *filter(None, map(_beside_text, part.parts))]
    return [part.result.strip() if isinstance(part.result, str) else part.result]


def _joined(parts: Iterable[ContentPart]) -> str:
    return "".join(part.text for part in parts if isinstance(part, TextPart)).strip()


def _beside_text(part: ContentPart) -> list[Any] | None:
    return None if isinstance(part, TextPart) else _part(part)


def _media(part: MediaPart) -> list[Any]:
    # By id first: a client that got an audio with id and bytes sends only the id back.
    if part.file_id is not None:
        return ["media", "file", part.file_id]
    if part.data is not None:
        return ["media", "sha256", sha256(part.data.encode()).hexdigest()]
    if part.url is not None:
        return ["media", "url", part.url]
    return ["media", part.media, part.sha256]
