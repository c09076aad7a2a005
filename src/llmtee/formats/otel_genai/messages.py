"""Messages in telemetry, to canonical ones: ``{role, parts}`` of OpenTelemetry and ``{role, content}`` of the SDKs.

Nothing here raises: what is not understood is kept whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llmtee.formats._traced.answers import answers_apart
from llmtee.formats.finish_reasons import finish_reason
from llmtee.formats.otel_genai.attributes import parsed
from llmtee.formats.otel_genai.parts import call_part, first_text, read_part, read_parts
from llmtee.jsonfields import rest
from llmtee.model import (
    AnyPart,
    Choice,
    Message,
    OtherPart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolDefinition,
    ToolResultPart,
)

_ROLES = {"model": "assistant", "ai": "assistant", "human": "user", "function": "tool"}


def read_messages(raw: Any, owner: str, role: str = "user") -> tuple[Message, ...]:
    """The messages of a list, of one message, or of a bare text, which is ``role``'s."""
    if raw is None:
        return ()
    listed = raw if isinstance(raw, list) else [raw]
    return tuple(
        message
        for one in listed
        for message in answers_apart(read_message(one, owner, role), owner)
    )


def read_message(raw: Any, owner: str, role: str = "user") -> Message:
    """One message. A message without a role is ``role``'s."""
    if not isinstance(raw, Mapping):
        return Message(role=role, parts=read_parts(raw, owner))
    word = first_text(raw, "role") or role
    known = ["parts" if "parts" in raw else "content", "finish_reason"]
    known += [key for key in ("role", "name") if isinstance(raw.get(key), str)]
    parts = [*_beside(raw, owner, known)]
    canonical = _ROLES.get(word, word)
    if canonical == "tool" and not any(isinstance(part, ToolResultPart) for part in parts):
        parts = [_answer(raw, parts, known)]
    extra = rest(raw, *known)
    if canonical != word:
        extra["role"] = word
    return Message(
        role=canonical,
        parts=tuple(parts),
        name=first_text(raw, "name") if canonical != "tool" else None,
        extra={owner: extra} if extra else {},
    )


def _beside(raw: Mapping[str, Any], owner: str, known: list[str]) -> Iterator[AnyPart]:
    """The parts in ``parts`` or ``content``, and what chat messages keep beside them."""
    for key in ("reasoning_content", "reasoning"):
        if isinstance(raw.get(key), str):
            known.append(key)
            yield ReasoningPart(text=raw[key])
    content = raw.get(known[0])
    yield from read_parts(_content(content), owner)
    if isinstance(raw.get("refusal"), str):
        known.append("refusal")
        yield RefusalPart(text=raw["refusal"])
    calls = parsed(raw.get("tool_calls"))
    if isinstance(calls, list):
        known.append("tool_calls")
        for call in calls:
            yield _chat_call(call, owner)
    if isinstance(raw.get("function_call"), Mapping):
        known.append("function_call")
        yield call_part(raw["function_call"], owner, {}, "function_call")


def _content(raw: Any) -> Any:
    """Content that an attribute holds as the text of a list of parts is that list."""
    found = parsed(raw)
    typed = isinstance(found, list) and all(isinstance(x, Mapping) and "type" in x for x in found)
    return found if typed and found else raw


def _chat_call(raw: Any, owner: str) -> AnyPart:
    """An entry of ``tool_calls``, with its function inside or flat."""
    if not isinstance(raw, Mapping):
        return OtherPart(name="tool_call", data=raw)
    body = raw.get("function")
    if not isinstance(body, Mapping):
        return read_part({**raw, "type": "tool_call"}, owner)
    extra = rest(raw, "id", "type", "function") | rest(body, "name", "arguments")
    return call_part({**body, "id": raw.get("id")}, owner, extra)


def _answer(raw: Mapping[str, Any], parts: list[AnyPart], known: list[str]) -> ToolResultPart:
    """The tool's answer in a message of role tool whose content is the answer itself."""
    ids = [key for key in ("tool_call_id", "id") if isinstance(raw.get(key), str)]
    known += ids
    texts = [part for part in parts if isinstance(part, TextPart)]
    plain = not isinstance(raw.get(known[0]), list)
    return ToolResultPart(
        call_id=raw[ids[0]] if ids else None,
        name=first_text(raw, "name"),
        result=raw.get(known[0]) if plain else "".join(part.text for part in texts) or None,
    )


def read_choices(
    raw: Any, owner: str, words: Iterable[str] = (), role: str = "assistant"
) -> tuple[Choice, ...]:
    """Answers: one choice for each message. ``words`` are finish reasons that stand apart, in the same order."""
    listed = [] if raw is None else raw if isinstance(raw, list) else [raw]
    apart = list(words)
    choices = []
    for i, one in enumerate(listed):
        word = first_text(one, "finish_reason") if isinstance(one, Mapping) else None
        word = apart[i] if i < len(apart) else word
        choices.append(
            Choice(
                message=read_message(one, owner, role),
                finish_reason=finish_reason(word),
                finish_reason_raw=word,
            )
        )
    return tuple(choices)


def read_tool(raw: Any, owner: str) -> ToolDefinition:
    """A tool definition: flat, in a ``function``, or as Anthropic and the Vercel AI SDK write it."""
    raw = parsed(raw)
    if not isinstance(raw, Mapping):
        return ToolDefinition(name=raw if isinstance(raw, str) else None)
    kind = first_text(raw, "type") or "function"
    body = raw["function"] if isinstance(raw.get("function"), Mapping) else raw
    schemas = ("parameters", "input_schema", "inputSchema")
    key = next((key for key in schemas if key in body), "parameters")
    named = [name for name in ("name", "description") if isinstance(body.get(name), str)]
    more = rest(body, "type", key, *named)
    if body is not raw:
        more |= rest(raw, "type", "function")
    return ToolDefinition(
        **{name: body[name] for name in named},
        parameters=parsed(body.get(key)),
        type=kind,
        extra={owner: more} if more else {},
    )
