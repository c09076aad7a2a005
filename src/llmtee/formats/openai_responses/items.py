"""Items of OpenAI Responses to messages and back.

A turn of the assistant is a row of items there and one message here: what it thought, called and said, in order. Each
part keeps the fields of its item (id, status, …) in ``extra["openai-responses"]``; the first part of what it said keeps
those of the message item under ``item``, so that the same items can be written again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llmtee.formats.openai_chat.parts import encode_other
from llmtee.formats.openai_responses.parts import (
    decode_content,
    encode_content,
    own,
    owned,
)
from llmtee.formats.openai_responses.tools import (
    decode_call,
    decode_reasoning,
    decode_result,
    encode_call,
    encode_reasoning,
    encode_result,
    is_call,
    is_result,
)
from llmtee.jsonfields import as_list, as_object, as_text, join, rest
from llmtee.model import (
    AnyPart,
    Message,
    OtherPart,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

_USERS_ITEMS = ("mcp_approval_response",)
_RUN_BY_CALLER = (
    *("function_call", "custom_tool_call", "computer_call"),
    *("local_shell_call", "shell_call", "apply_patch_call"),
)


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def decode_items(raw: Any, path: str) -> tuple[Message, ...]:
    """A list of items as messages: what the assistant did between two messages of others is one message.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    messages: list[Message] = []
    turn: list[AnyPart] = []

    def close() -> None:
        if turn:
            messages.append(Message(role="assistant", parts=tuple(turn)))
            turn.clear()

    for i, entry in enumerate(as_list(raw, path)):
        where = f"{path}[{i}]"
        item = as_object(entry, where)
        message = _decode_message(item, where)
        if message is None:
            turn.extend(_decode_item(item, where))
        else:
            close()
            messages.append(message)
    close()
    return tuple(messages)


def decode_output(raw: Any, path: str) -> Message:
    """The ``output`` of a response: one message, whatever items it holds.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    parts: list[AnyPart] = []
    for i, item in enumerate(as_list(raw, path)):
        where = f"{path}[{i}]"
        parts.extend(_decode_item(as_object(item, where), where))
    return Message(role="assistant", parts=tuple(parts))


def _kind(raw: Mapping[str, Any]) -> str:
    """The type of an item; the two that may leave it out are told by their fields."""
    kind = raw.get("type")
    if isinstance(kind, str):
        return kind
    if kind is None and "role" in raw:
        return "message"
    return "item_reference" if kind is None and "id" in raw else "unknown"


def _decode_message(raw: Mapping[str, Any], path: str) -> Message | None:
    """An item that is a message of its own; ``None`` for one of the assistant's turn."""
    kind = _kind(raw)
    if is_result(raw, kind):
        return Message(role="tool", parts=(decode_result(raw, kind, path),))
    if kind in _USERS_ITEMS:
        return Message(role="user", parts=(_whole(raw, kind),))
    if kind != "message" or _role(raw, path) == "assistant":
        return None
    role = _role(raw, path)
    extra = {**rest(raw, "role", "content"), **_form(raw)}
    if role in ("tool", "function"):
        extra["role"] = role
    parts = tuple(decode_content(raw.get("content"), join(path, "content"), role))
    return Message(role=role, parts=parts, extra=owned(extra))


def _role(raw: Mapping[str, Any], path: str) -> str:
    return as_text(raw.get("role", "assistant"), join(path, "role"))


def _form(raw: Mapping[str, Any]) -> dict[str, str]:
    """How ``content`` came, where it was no text."""
    if "content" not in raw:
        return {"content_form": "absent"}
    if isinstance(raw["content"], str):
        return {}
    return {"content_form": "null" if raw["content"] is None else "parts"}


def _decode_item(raw: Mapping[str, Any], path: str) -> list[AnyPart]:
    """The parts of one item of a turn."""
    kind = _kind(raw)
    if kind == "message":
        return _said(raw, path)
    if kind == "reasoning":
        return [decode_reasoning(raw, path)]
    if is_call(raw, kind):
        return [decode_call(raw, kind, path)]
    if is_result(raw, kind):
        return [decode_result(raw, kind, path)]
    return [_whole(raw, kind)]


def _whole(raw: Mapping[str, Any], kind: str) -> OtherPart:
    return OtherPart(name=kind, data=raw, extra=owned({"item": {}}))


def _said(raw: Mapping[str, Any], path: str) -> list[AnyPart]:
    role = _role(raw, path)
    parts = list(decode_content(raw.get("content"), join(path, "content"), "assistant"))
    if not parts:
        return [_whole(raw, "message")]
    item = {**rest(raw, "role", "content"), **_form(raw)}
    if role != "assistant":
        item["role"] = role
    if isinstance(parts[0], OtherPart):  # an item of its own is told from content by its mark
        item["in_message"] = True
    extra = {**own(parts[0]), "item": item}
    return [parts[0].model_copy(update={"extra": owned(extra)}), *parts[1:]]


def calls_for_tools(parts: Iterable[AnyPart]) -> bool:
    """Whether a turn ends with calls that the application has to answer."""
    parts = tuple(parts)
    answered = {part.call_id for part in parts if isinstance(part, ToolResultPart)}
    for part in parts:
        match part:
            case ToolCallPart(id=call_id) if encode_call(part)["type"] in _RUN_BY_CALLER:
                pass
            case OtherPart(name=name, data={"call_id": str(call_id)}) if name in _RUN_BY_CALLER:
                pass
            case _:
                continue
        if call_id is None or call_id not in answered:
            return True
    return False


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def encode_items(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Messages as input items."""
    return [item for message in messages for item in encode_message(message)]


def encode_message(message: Message, *, output: bool = False) -> list[dict[str, Any]]:
    """One message as items, in the order of its parts; parts that are content share a message item.

    With ``output``, the items are those of a response, where a message says that it is complete.
    """
    items: list[dict[str, Any]] = []
    said: list[AnyPart] = []
    head = rest(own(message), "field")

    def close() -> None:
        if said:
            items.append(_encode_said(message.role, said, head, output))
            said.clear()
            head.clear()

    for part in message.parts:
        item = _encode_item(part)
        if item is not None:
            close()
            items.append(item)
            continue
        if isinstance(own(part).get("item"), dict):
            close()
        said.append(part)
    close()
    if not message.parts and message.role != "assistant":
        items.append(_encode_said(message.role, (), head, output))
    return items


def _encode_item(part: AnyPart) -> dict[str, Any] | None:
    match part:
        case ReasoningPart():
            return encode_reasoning(part)
        case ToolCallPart():
            return encode_call(part)
        case ToolResultPart():
            return encode_result(part)
        case OtherPart():
            item = own(part).get("item")
            if isinstance(item, dict) and not item.get("in_message"):
                return dict(encode_other(part)) if _typed(part) else dict(part.data)
    return None


def _typed(part: OtherPart) -> bool:
    """Whether a whole item has to be given its type: one that came without stays as it came."""
    return not isinstance(part.data, dict) or part.name not in ("message", "item_reference")


def _encode_said(
    role: str, parts: Sequence[AnyPart], message_head: Mapping[str, Any], output: bool
) -> dict[str, Any]:
    head = dict(message_head)
    if role == "assistant":
        found = own(parts[0]).get("item") if parts else None
        default = {"type": "message", "content_form": "parts"}
        default |= {"status": "completed"} if output else {}
        head = rest(found, "in_message") if isinstance(found, dict) else default
    form = head.pop("content_form", None)
    said_by = head.pop("role", None)
    if not isinstance(said_by, str):
        # A message of role tool must answer a call; one that answers none is what somebody said.
        said_by = "user" if role in ("tool", "function") else role
    item = {**head, "role": said_by}
    if parts or form not in ("absent", "null"):
        item["content"] = _content(parts, role, form)
    elif form == "null":
        item["content"] = None
    return item


def _content(parts: Sequence[AnyPart], role: str, form: Any) -> Any:
    match parts:
        case [TextPart(text=text) as part] if form is None and not rest(own(part), "item"):
            return text
    return encode_content(parts, role)
