"""The system prompt and the messages of Anthropic Messages, to canonical messages and back.

The wire puts results of the application's tools into user messages. Here each becomes a message of role ``tool``, and
what stands beside them stays a user message. Written back, tool messages in a row make one user message, as the API
asks for; ``joined`` in ``extra`` tells where the wire had it otherwise. Beside it: ``content_form`` is ``blocks`` for
text that came in a list, ``role`` is the wire's own word, ``placed`` tells of a system prompt among the messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from llmtee.formats.anthropic_messages.own import own, owned
from llmtee.formats.anthropic_messages.parts import add_block, decode_block, encode_blocks
from llmtee.formats.anthropic_messages.tools import (
    decode_call,
    decode_result,
    encode_call,
    encode_result,
    is_call,
    is_inline,
    is_result,
)
from llmtee.jsonfields import as_list, as_object, as_text, join, rest
from llmtee.model import (
    AnyPart,
    CitationPart,
    Message,
    OtherPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

_ROLES = {"system": "system", "developer": "system", "assistant": "assistant"}
"""The wire's word for a canonical role; ``user`` for any other."""
_FORMS = ("joined", "content_form", "role", "placed")


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def decode_input(request: Mapping[str, Any], path: str) -> tuple[Message, ...]:
    """The system prompt and the messages of a request.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    found = list(_decode_system(request.get("system"), join(path, "system")))
    where = join(path, "messages")
    leading = True
    for i, raw in enumerate(as_list(request.get("messages"), where)):
        pieces = _decode_message(raw, f"{where}[{i}]")
        if leading and (leading := pieces[0].role == "system"):
            pieces[0] = _marked(pieces[0], placed="messages")
        if found and _joins(found[-1], pieces[0]):
            pieces[0] = _marked(pieces[0], joined=False)
        found += pieces
    return tuple(found)


def decode_answer(response: Mapping[str, Any], path: str) -> Message:
    """The message that a response is.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    role = as_text(response.get("role", "assistant"), join(path, "role"))
    parts = tuple(_decode_content(response.get("content"), join(path, "content"), inline=True))
    extra = {} if role == "assistant" else {"role": role}
    return Message(role=role, parts=parts, extra=owned(extra))


def _decode_system(raw: Any, path: str) -> Iterator[Message]:
    if isinstance(raw, str):
        yield Message(role="system", parts=(TextPart(text=raw),))
        return
    parts: list[AnyPart] = []
    for i, block in enumerate(as_list(raw, path)):
        where = f"{path}[{i}]"
        if isinstance(block, str) or as_object(block, where).get("type") == "text":
            parts += decode_block(block, where)
        else:
            name = block.get("type")
            name = name if isinstance(name, str) else "unknown"
            parts.append(OtherPart(name=name, data=block))
    if parts:
        yield Message(role="system", parts=tuple(parts), extra=owned(_form(parts)))


def _form(parts: Sequence[AnyPart]) -> dict[str, Any]:
    return {"content_form": "blocks"} if _plain(parts) else {}


def _plain(parts: Sequence[AnyPart]) -> bool:
    """Whether the parts may be written as a bare text."""
    return len(parts) == 1 and isinstance(parts[0], TextPart) and not own(parts[0])


def _decode_message(raw: Any, path: str) -> list[Message]:
    raw = as_object(raw, path)
    role = as_text(raw.get("role", "user"), join(path, "role"))
    extra = rest(raw, "role", "content")
    if role not in ("system", "user", "assistant"):
        extra["role"] = role
    content = raw.get("content")
    parts = list(_decode_content(content, join(path, "content"), inline=role != "user"))
    if not any(isinstance(part, ToolResultPart) and not is_inline(part) for part in parts):
        extra |= {} if isinstance(content, str) else _form(parts)
        return [Message(role=role, parts=tuple(parts), extra=owned(extra))]
    pieces: list[Message] = []
    for part, said in _runs(parts):
        message = Message(role="user" if part is None else "tool", parts=tuple(said))
        if pieces and not _joins(pieces[-1], message):
            message = _marked(message, joined=True)
        pieces.append(message)
    return [pieces[0].model_copy(update={"extra": owned(extra)}), *pieces[1:]]


def _runs(parts: Iterable[AnyPart]) -> Iterator[tuple[ToolResultPart | None, list[AnyPart]]]:
    """Each result alone, and what stands between results together."""
    for loose, run in groupby(
        parts, lambda part: isinstance(part, ToolResultPart) and not is_inline(part)
    ):
        if not loose:
            yield None, list(run)
            continue
        for part in run:
            if isinstance(part, ToolResultPart):
                yield part, [part]


def _decode_content(content: Any, path: str, *, inline: bool) -> Iterator[AnyPart]:
    if isinstance(content, str):
        yield TextPart(text=content)
        return
    for i, raw in enumerate(as_list(content, path)):
        where = f"{path}[{i}]"
        if is_call(raw):
            yield decode_call(raw, where)
        elif is_result(raw):
            yield decode_result(raw, where, inline=inline)
        else:
            yield from decode_block(raw, where)


def _marked(message: Message, **form: Any) -> Message:
    return message.model_copy(update={"extra": owned({**own(message), **form})})


def _joins(previous: Message, message: Message) -> bool:
    """Whether two messages make one on the wire where nothing tells."""
    return all(one.role == "tool" and "role" not in own(one) for one in (previous, message))


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def encode_input(messages: Sequence[Message]) -> dict[str, Any]:
    """``system`` and ``messages`` of a request.

    System prompts before all else go to ``system``; one in the midst of the messages stays there.
    """
    leading = 0
    while leading < len(messages) and _is_prompt(messages[leading]):
        leading += 1
    system = _encode_system(messages[:leading])
    found: list[dict[str, Any]] = []
    for i, message in enumerate(messages[leading:], leading):
        joined = own(message).get("joined")
        if not isinstance(joined, bool):
            joined = i > leading and _joins(messages[i - 1], message)
        for role, parts in _by_role(message):
            if joined and found and found[-1]["role"] == role == "user":
                found[-1]["content"] = [*_as_blocks(found[-1]["content"]), *_blocks(parts)]
            else:
                found.append(_encode_piece(message, role, parts))
            joined = True
    return {**({} if system is None else {"system": system}), "messages": found}


def encode_answer(message: Message) -> dict[str, Any]:
    """``role`` and ``content`` of a response. Results of tools that did not run at the server have no place in it."""
    role = own(message).get("role")
    parts = [
        part for part in message.parts if not isinstance(part, ToolResultPart) or is_inline(part)
    ]
    return {"role": role if isinstance(role, str) else "assistant", "content": _blocks(parts)}


def _is_prompt(message: Message) -> bool:
    return message.role in ("system", "developer") and not {"placed", "role"} & own(message).keys()


def _encode_system(messages: Sequence[Message]) -> Any:
    parts = [
        part
        for message in messages
        for part in message.parts
        if isinstance(part, TextPart | RefusalPart | CitationPart | OtherPart)
    ]
    if not parts:
        return None
    blocks = encode_blocks(parts)
    listed = any(own(message).get("content_form") == "blocks" for message in messages)
    return parts[0].text if _plain(parts) and not listed else blocks  # type: ignore[union-attr]


def _by_role(message: Message) -> Iterator[tuple[str, list[AnyPart]]]:
    """The parts of a message by the role that the wire gives them: results belong to the user."""
    word = own(message).get("role")
    role = word if isinstance(word, str) else _ROLES.get(message.role, "user")
    if not message.parts:
        yield role, []
    for loose, run in groupby(
        message.parts, lambda part: isinstance(part, ToolResultPart) and not is_inline(part)
    ):
        yield "user" if loose else role, list(run)


def _encode_piece(message: Message, role: str, parts: list[AnyPart]) -> dict[str, Any]:
    extra = own(message)
    content: Any = _blocks(parts)
    if _plain(parts) and extra.get("content_form") != "blocks":
        content = content[0]["text"]
    return {**rest(extra, *_FORMS), "role": role, "content": content}


def _as_blocks(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _blocks(parts: Iterable[AnyPart]) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    for part in parts:
        match part:
            case ToolCallPart():
                blocks.append(encode_call(part))
            case ToolResultPart():
                blocks.append(encode_result(part))
            case _:
                add_block(part, blocks)
    return blocks
