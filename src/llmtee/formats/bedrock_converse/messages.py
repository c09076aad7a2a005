"""Messages of Bedrock Converse, to canonical messages and back.

Results of tools ride in messages of role ``user``. They become messages of role ``tool``, one each; ``joined`` in
``extra`` tells that a message stood in the same one of Converse as the message before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtee.formats.bedrock_converse.blocks import decode_blocks, encode_blocks, own, owned
from llmtee.jsonfields import as_list, as_object, as_text, join, rest
from llmtee.model import AnyPart, Message, TextPart, ToolResultPart

_SYSTEM = ("system", "developer")
_IN_MESSAGES = "messages"


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def decode_messages(raw: Any, path: str) -> tuple[Message, ...]:
    """The messages of a request."""
    return tuple(
        message
        for i, one in enumerate(as_list(raw, path))
        for message in _decode_message(one, f"{path}[{i}]")
    )


def _decode_message(raw: Any, path: str) -> list[Message]:
    role, parts, extra = _take_apart(raw, path, "user")
    if role in _SYSTEM:
        extra["field"] = _IN_MESSAGES
    if role == "tool":  # no role of Converse, but one of other providers
        extra["role"] = role
    found: list[Message] = []
    for run in _runs(parts) if role == "user" else [parts]:
        is_result = role == "user" and bool(run) and isinstance(run[0], ToolResultPart)
        extra |= {"joined": True} if found else {}
        fields = {**extra, "role": "user"} if is_result else extra
        found.append(
            Message(role="tool" if is_result else role, parts=tuple(run), extra=owned(fields))
        )
        extra = {}
    return found


def decode_answer(raw: Any, path: str) -> Message:
    """The message of a response. It is the assistant's, whatever role it has."""
    role, parts, extra = _take_apart(raw, path, "assistant")
    fields = extra if role == "assistant" else {**extra, "role": role}
    return Message(role="assistant", parts=tuple(parts), extra=owned(fields))


def _take_apart(raw: Any, path: str, default: str) -> tuple[str, list[AnyPart], dict[str, Any]]:
    raw = as_object(raw, path)
    role = as_text(raw.get("role", default), join(path, "role"))
    content = raw.get("content")
    extra = rest(raw, "role", "content")
    if isinstance(content, str):  # what Converse refuses and logs hold all the same
        return role, [TextPart(text=content)], {**extra, "form": "text"}
    return role, decode_blocks(content, join(path, "content")), extra


def _runs(parts: Sequence[AnyPart]) -> list[list[AnyPart]]:
    """Each result of a tool for itself, and what stands between them together."""
    runs: list[list[AnyPart]] = []
    for part in parts:
        alone = isinstance(part, ToolResultPart)
        if alone or not runs or isinstance(runs[-1][0], ToolResultPart):
            runs.append([part])
        else:
            runs[-1].append(part)
    return runs or [[]]


def decode_system(raw: Any, path: str) -> tuple[Message, ...]:
    """``system``: a list of blocks."""
    parts = [TextPart(text=raw)] if isinstance(raw, str) else decode_blocks(raw, path)
    return (Message(role="system", parts=tuple(parts)),) if parts else ()


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def encode_messages(messages: Sequence[Message]) -> tuple[list[Any], list[Any]]:
    """``system`` and ``messages``. The leading system messages stand apart; one further on keeps its place."""
    leading = 0
    while leading < len(messages) and _is_instruction(messages[leading]):
        leading += 1
    system = encode_blocks(part for message in messages[:leading] for part in message.parts)
    encoded: list[dict[str, Any]] = []
    for previous, message in zip((None, *messages[leading:]), messages[leading:], strict=False):
        if message.parts and not encode_blocks(message.parts):
            continue  # nothing of it can be said here, and a message without content is refused
        if _joins(previous, message) and encoded and isinstance(encoded[-1]["content"], list):
            encoded[-1]["content"] += encode_blocks(message.parts)
        else:
            encoded.append(encode_message(message))
    return system, encoded


def _is_instruction(message: Message) -> bool:
    return message.role in _SYSTEM and own(message).get("field") != _IN_MESSAGES


def _joins(previous: Message | None, message: Message) -> bool:
    """Whether a message stands in one with the message before it: roles have to alternate in Converse."""
    extra = own(message)
    if extra or previous is None or own(previous):
        return extra.get("joined") is True
    return previous.role == "tool" and message.role in ("tool", "user")


def encode_message(message: Message) -> dict[str, Any]:
    """One message, without those that join it."""
    extra = own(message)
    role = {"tool": "user", "developer": "system"}.get(message.role, message.role)
    if message.role == "developer" and extra.get("field") == _IN_MESSAGES:
        role = message.role
    if isinstance(extra.get("role"), str):
        role = extra["role"]
    content: Any = encode_blocks(message.parts)
    match content:
        case [{"text": text}] if extra.get("form") == "text":
            content = text
    return {**_beside(extra), "role": role, "content": content}


def _beside(extra: Mapping[str, Any]) -> dict[str, Any]:
    return rest(extra, "role", "content", "joined", "field", "form")
