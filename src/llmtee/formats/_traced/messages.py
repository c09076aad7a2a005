"""Messages as tracing products keep them: of whatever shape the traced library had, told apart by that shape.

Read are the messages of Chat Completions (by `chat_messages`), of Anthropic and Gemini, items of OpenAI Responses,
and LangChain's, both as constructors (``{lc, type: "constructor", id: […, "HumanMessage"], kwargs}``) and as plain
objects (``{type: "human", content}``). Never raises: what nobody can read becomes a part that holds it whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from llmtee import jsontext
from llmtee.errors import InputError
from llmtee.formats._traced.answers import answers_apart
from llmtee.formats._traced.blocks import decode_blocks, tool_call, tool_result
from llmtee.formats.openai_chat import messages as chat_messages
from llmtee.jsonfields import rest
from llmtee.model import (
    AnyPart,
    Message,
    OtherPart,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

ROLES: Mapping[str, str] = {
    **dict.fromkeys(("human", "user", "HumanMessage", "HumanMessageChunk"), "user"),
    **dict.fromkeys(("ai", "model", "assistant"), "assistant"),
    **dict.fromkeys(("AIMessage", "AIMessageChunk"), "assistant"),
    **dict.fromkeys(("SystemMessage", "SystemMessageChunk"), "system"),
    **dict.fromkeys(("ToolMessage", "ToolMessageChunk", "function"), "tool"),
    **dict.fromkeys(("FunctionMessage", "FunctionMessageChunk"), "tool"),
}
"""Words for roles, LangChain's classes among them, to the canonical ones; any other is kept."""

_LANGCHAIN_TYPES = ("human", "ai", "system", "tool", "function", "chat", *ROLES)
_CHAT_PARTS = ("text", "refusal", "image_url", "input_audio", "file")
_ITEMS = ("function_call", "function_call_output", "reasoning")
_LANGCHAIN_FIELDS = (
    *("content", "type", "role", "name", "tool_calls", "invalid_tool_calls"),
    *("additional_kwargs", "tool_call_id", "example"),
)


def is_message(raw: Any) -> bool:
    """Whether a value has the shape of a message."""
    if not isinstance(raw, Mapping):
        return False
    if langchain_body(raw) is not None or raw.get("type") in _ITEMS:
        return True
    said = ("content", "parts", "tool_calls", "function_call", "audio", "refusal")
    return isinstance(raw.get("role"), str) and any(key in raw for key in said)


def langchain_body(raw: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    """A LangChain message's word for its role, and its fields; ``None`` if it is none."""
    match raw:
        case {"type": "constructor", "id": [*_, str(cls)], "kwargs": Mapping() as kwargs} if (
            cls in ROLES or cls.startswith("ChatMessage")
        ):
            role = kwargs.get("role")
            return (role if cls not in ROLES and isinstance(role, str) else cls), kwargs
        case {"type": str(word), "data": {"content": _} as data} if word in _LANGCHAIN_TYPES:
            return word, data
        case {"type": str(word), "content": _} if word in _LANGCHAIN_TYPES and "role" not in raw:
            return word, raw
    return None


def decode_messages(raw: Iterable[Any], owner: str, role: str = "user") -> tuple[Message, ...]:
    """Messages in order. Tool results that ride in a user's message become messages of role ``tool``."""
    return tuple(
        message for one in raw for message in answers_apart(decode_message(one, owner, role), owner)
    )


def decode_message(raw: Any, owner: str, role: str = "user") -> Message:
    """One message. ``role`` is who said what has no role of its own."""
    if isinstance(raw, str):
        return Message(role=role, parts=(TextPart(text=raw),))
    if not isinstance(raw, Mapping):
        return Message(role=role, parts=(OtherPart(name="json", data=raw),))
    if (found := langchain_body(raw)) is not None:
        return _decode_langchain(*found, owner)
    if not is_message(raw):
        return Message(role=role, parts=(OtherPart(name="json", data=raw),))
    if raw.get("type") in _ITEMS:
        return _decode_item(raw, owner)
    try:
        return _decode_plain(raw, owner)
    except InputError:
        role = ROLES.get(raw["role"], raw["role"])
        return Message(role=role, parts=(OtherPart(name="json", data=raw),))


def _decode_item(raw: Mapping[str, Any], owner: str) -> Message:
    parts = tuple(decode_blocks([raw], owner))
    answered = any(isinstance(part, ToolResultPart) for part in parts)
    return Message(role="tool" if answered else "assistant", parts=parts)


def _decode_plain(raw: Mapping[str, Any], owner: str) -> Message:
    """A message with ``role``: through `chat_messages`, apart from content that Chat Completions does not have."""
    role = ROLES.get(raw["role"], raw["role"]) if raw["role"] != "function" else "function"
    if "parts" in raw and "content" not in raw:  # Gemini
        parts = decode_blocks(raw["parts"], owner)
        extra = rest(raw, "role", "parts")
        return Message(role=role, parts=tuple(parts), extra={owner: extra} if extra else {})
    content = raw.get("content")
    if raw.get("type") == "message":  # an item of OpenAI Responses, or a whole answer of Anthropic
        raw = rest(raw, "type")
    calls = raw.get("tool_calls")
    if isinstance(calls, list) and calls and all(map(_is_langchain_call, calls)):
        message = _decode_plain(rest(raw, "tool_calls"), owner)
        asked = [tool_call(call, owner, arguments="args") for call in calls]
        return message.model_copy(update={"parts": tuple(_merged(list(message.parts), asked))})
    if content is None or isinstance(content, str) or _is_chat_content(content):
        return chat_messages.decode_message({**raw, "role": role})
    if role in ("tool", "function"):
        beside = chat_messages.decode_message({**raw, "role": role, "content": None})
        result = beside.parts[0]
        fields = result.model_dump(include={"call_id", "name"})
        return beside.model_copy(update={"parts": (tool_result(content, owner, **fields),)})
    beside = chat_messages.decode_message({**raw, "role": role, "content": None})
    parts = _merged(decode_blocks(content, owner), beside.parts)
    return beside.model_copy(update={"parts": tuple(parts)})


def _is_langchain_call(raw: Any) -> bool:
    return isinstance(raw, Mapping) and "args" in raw and isinstance(raw.get("name"), str)


def _is_chat_content(content: Any) -> bool:
    return isinstance(content, list) and all(
        isinstance(one, str)
        or (isinstance(one, Mapping) and one.get("type") in _CHAT_PARTS and "source" not in one)
        for one in content
    )


def _merged(said: list[AnyPart], beside: Iterable[AnyPart]) -> list[AnyPart]:
    """Content parts with those that stand beside the content: reasoning first, each tool call once."""
    first = [part for part in beside if isinstance(part, ReasoningPart)]
    if any(isinstance(part, ReasoningPart) for part in said):
        first = []  # some libraries say it again beside the blocks
    calls = [part for part in said if isinstance(part, ToolCallPart)]
    seen = {_identity(call) for call in calls}
    last = [
        part
        for part in beside
        if not isinstance(part, ReasoningPart)
        and not (isinstance(part, ToolCallPart) and _identity(part) in seen)
    ]
    return [*first, *said, *last]


def _identity(call: ToolCallPart) -> str:
    if call.id:
        return call.id
    return f"{call.name} {jsontext.dumps_sorted(call.arguments).decode()}"


# ── LangChain ───────────────────────────────────────────────────────────────────────────────────────────────────


def _decode_langchain(word: str, body: Mapping[str, Any], owner: str) -> Message:
    role = ROLES.get(word, word)
    if word == "chat" and isinstance(body.get("role"), str):
        role = ROLES.get(body["role"], body["role"])
    extra = {
        key: value
        for key, value in rest(body, *_LANGCHAIN_FIELDS).items()
        if value is not None and value not in ({}, [])
    }
    name = body.get("name")
    if not isinstance(name, str) and name is not None:
        extra["name"] = name
    name = name if isinstance(name, str) else None
    if role == "tool":
        call_id, status = body.get("tool_call_id"), extra.get("status")
        if status in ("success", "error"):
            del extra["status"]
        result = tool_result(
            body.get("content"),
            owner,
            call_id=call_id if isinstance(call_id, str) else None,
            name=name,
            is_error=status == "error" if status in ("success", "error") else None,
        )
        return Message(role=role, parts=(result,), extra={owner: extra} if extra else {})
    beside, more = _beside(body, owner)
    if more:
        extra["additional_kwargs"] = more
    parts = _merged(decode_blocks(body.get("content"), owner), beside)
    return Message(role=role, parts=tuple(parts), name=name, extra={owner: extra} if extra else {})


def _beside(body: Mapping[str, Any], owner: str) -> tuple[list[AnyPart], dict[str, Any]]:
    """What stands beside the content, and the rest of ``additional_kwargs``.

    The provider's own tool calls have the arguments as they were received and go before LangChain's parsed copies.
    """
    kwargs = body.get("additional_kwargs")
    kwargs = kwargs if isinstance(kwargs, Mapping) else {}
    known = ("tool_calls", "function_call", "reasoning_content", "refusal", "audio", "annotations")
    given = {key: kwargs[key] for key in known if kwargs.get(key) is not None}
    more = {key: value for key, value in rest(kwargs, *given).items() if value is not None}
    try:
        parts = list(chat_messages.decode_message({"content": None, **given}).parts)
    except InputError:
        parts, more = [], dict(kwargs)
    for key in ("tool_calls", "invalid_tool_calls"):
        calls = body.get(key)
        for call in calls if isinstance(calls, list) else []:
            if not isinstance(call, Mapping):
                parts.append(OtherPart(name=key, data=call))
                continue
            part = tool_call(call, owner, arguments="args")
            seen = {_identity(one) for one in parts if isinstance(one, ToolCallPart)}
            if _identity(part) not in seen:
                parts.append(part)
    return parts, more
