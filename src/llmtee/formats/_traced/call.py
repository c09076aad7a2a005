"""What a traced model was sent and what it answered, told by the shape of the values that a tracer kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llmtee.formats._traced.blocks import decode_blocks
from llmtee.formats._traced.fields import first_text, unwrapped
from llmtee.formats._traced.messages import (
    decode_message,
    decode_messages,
    is_message,
    langchain_body,
)
from llmtee.formats._traced.tools import parameters, read_tools
from llmtee.formats.finish_reasons import finish_reason
from llmtee.jsonfields import rest
from llmtee.model import Choice, Message, Native, OtherPart, ToolDefinition

_CHAT = "openai-chat-completions"
_RESPONSES = "openai-responses"
_ANTHROPIC = "anthropic-messages"
_LISTS = ("messages", "input", "contents", "prompts")
_SYSTEMS = ("system", "instructions", "systemInstruction", "system_instruction")


@dataclass(frozen=True)
class Asked:
    """What a model was sent."""

    messages: tuple[Message, ...] = ()
    tools: tuple[ToolDefinition, ...] = ()
    model: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answered:
    """What a model answered, and the blocks of it that tell more."""

    choices: tuple[Choice, ...] = ()
    model: str | None = None
    response_id: str | None = None
    usage: tuple[Any, ...] = ()
    """Blocks of token counts that came with the answer, the most telling first."""


# ── what was sent ───────────────────────────────────────────────────────────────────────────────────────────────


def read_input(value: Any, owner: str) -> Asked:
    """A prompt, a message, a list of messages, or a request body of any provider. Never raises."""
    value = _readable(value)
    if value is None:
        return Asked()
    if isinstance(value, Mapping) and not is_message(value):
        return _read_request(value, owner)
    return Asked(messages=_messages(value, owner))


def _readable(value: Any) -> Any:
    """JSON text that holds messages is read; other text is what was said, even where it is JSON."""
    found = unwrapped(value)
    if found is value:
        return value
    if isinstance(found, list):
        return found if found and all(map(is_message, _flat(found))) else value
    keys = (*_LISTS, "choices", "generations", "candidates", "output")
    told = is_message(found) or any(isinstance(found.get(key), list) for key in keys)
    return found if told else value


def _flat(value: list[Any]) -> list[Any]:
    """LangChain keeps a list of messages for each of a batch of prompts."""
    if value and all(isinstance(one, list) for one in value):
        return [message for batch in value for message in batch]
    return value


def _messages(value: Any, owner: str) -> tuple[Message, ...]:
    if not isinstance(value, list):
        return decode_messages([value], owner)
    members = _flat(value)
    if all(isinstance(one, str) or is_message(one) for one in members):
        return decode_messages(members, owner)
    if all(isinstance(one, Mapping) and "type" in one for one in members):
        return (Message(role="user", parts=tuple(decode_blocks(members, owner))),)
    if any(map(is_message, members)):
        return decode_messages(members, owner)
    return (Message(role="user", parts=(OtherPart(name="json", data=value),)),)


def _read_request(body: Mapping[str, Any], owner: str) -> Asked:
    key = next((key for key in _LISTS if isinstance(body.get(key), list | str)), None)
    if key is None and isinstance(body.get("prompt"), str):
        key = "prompt"
    if key is None and isinstance(body.get("messages"), Mapping):
        key = "messages"
    if key is None:
        return Asked(messages=(Message(role="user", parts=(OtherPart(name="json", data=body),)),))
    system = [
        _system(body[name], owner)
        for name in _SYSTEMS
        if isinstance(body.get(name), str | list | Mapping) and body[name]
    ]
    tools = read_tools(body.get("tools"), owner)
    used = [key, *(name for name in _SYSTEMS if isinstance(body.get(name), str | list | Mapping))]
    used += ["tools"] if tools or not body.get("tools") else []
    model = body.get("model")
    used += ["model"] if isinstance(model, str) else []
    return Asked(
        messages=(*system, *_messages(body[key], owner)),
        tools=tools,
        model=model if isinstance(model, str) else None,
        parameters=parameters(rest(body, *used)),
    )


def _system(value: Any, owner: str) -> Message:
    if isinstance(value, Mapping) and isinstance(value.get("parts"), list):
        value = value["parts"]
    return Message(role="system", parts=tuple(decode_blocks(value, owner)))


# ── what came back ──────────────────────────────────────────────────────────────────────────────────────────────


def read_output(value: Any, owner: str) -> Answered:
    """A text, a message, a list of messages, or a response body of any provider. Never raises."""
    value = _readable(value)
    match value:
        case None:
            return Answered()
        case {"generations": [[*generations], *_]} | {"generations": [*generations]}:
            return _read_generations(value, generations, owner)
        case {"choices": [*choices]}:
            return _read_body(value, [_read_choice(one, owner) for one in choices])
        case {"output": [*items]} if all(isinstance(one, Mapping) for one in items):
            word = value.get("status")
            return _read_body(value, [_turn(items, owner, word)])
        case {"candidates": [*candidates]}:
            choices = [_read_candidate(one, owner) for one in candidates]
            return _read_body(value, choices)
        case {"messages": [*messages]} if not is_message(value):
            return _read_body(value, [_turn(_flat(messages), owner, None)])
        case {"message": Mapping() as message} if is_message(message):
            return _read_body(value, [_choice(message, owner, value.get("finish_reason"))])
        case {"output": dict() | str() as inner} if value.keys() <= {"output"}:
            return read_output(inner, owner)
        case list() if value and all(map(is_message, value)):
            return Answered(choices=(_turn(value, owner, None),))
        case Mapping() if is_message(value):
            word = value.get("stop_reason")
            body = rest(value, *(("stop_reason", "stop_sequence") if word else ()))
            if value.get("type") == "message":  # a whole answer of Anthropic
                body = rest(body, "usage", "model", "id")
            return _read_body(value, [_choice(body, owner, word)])
    return Answered(choices=(Choice(message=decode_message(value, owner, "assistant")),))


def _read_body(body: Mapping[str, Any], choices: list[Choice]) -> Answered:
    found = langchain_body(body)
    fields = found[1] if found is not None else body
    usage = [fields.get(key) for key in ("usage_metadata", "usage", "usageMetadata")]
    match fields.get("response_metadata"):
        case {"token_usage": Mapping() as counts} | {"usage": Mapping() as counts}:
            usage.append(counts)
    return Answered(
        choices=tuple(choices),
        model=first_text(
            (fields.get("model"), fields.get("modelVersion"), _metadata(fields, "model_name"))
        ),
        response_id=first_text((fields.get("id"), fields.get("responseId"))),
        usage=tuple(one for one in usage if isinstance(one, Mapping)),
    )


def _metadata(fields: Mapping[str, Any], key: str) -> Any:
    found = fields.get("response_metadata")
    return found.get(key) if isinstance(found, Mapping) else None


def _read_generations(body: Mapping[str, Any], raw: list[Any], owner: str) -> Answered:
    choices: list[Choice] = []
    usage: list[Any] = []
    models: list[Any] = []
    ids: list[Any] = []
    for one in raw:
        info = one.get("generation_info") if isinstance(one, Mapping) else None
        info = info if isinstance(info, Mapping) else {}
        message = one.get("message") if isinstance(one, Mapping) else None
        if isinstance(message, Mapping) and is_message(message):
            inner = read_output(message, owner)
            usage += inner.usage
            models.append(inner.model)
            ids.append(inner.response_id)
            word = first_text((info.get("finish_reason"), info.get("stop_reason")))
            choices += [_with_word(choice, word) for choice in inner.choices]
        else:
            text = one.get("text") if isinstance(one, Mapping) else one
            made = decode_message(text if isinstance(text, str) else one, owner, "assistant")
            word = first_text((info.get("finish_reason"), info.get("stop_reason")))
            choices.append(_with_word(Choice(message=made), word))
    output = body.get("llm_output")
    output = output if isinstance(output, Mapping) else {}
    usage += [output.get(key) for key in ("token_usage", "usage")]
    models += [output.get("model_name"), output.get("model")]
    return Answered(
        choices=tuple(choices),
        model=first_text(models),
        response_id=first_text((output.get("id"), *ids)),
        usage=tuple(one for one in usage if isinstance(one, Mapping)),
    )


def _with_word(choice: Choice, word: str | None) -> Choice:
    if word is None:
        return choice
    reason = finish_reason(word)
    if word in ("completed", "STOP") and choice.message.tool_calls:
        reason = "tool_call"  # Responses and Gemini have no word of their own for it
    return choice.model_copy(update={"finish_reason": reason, "finish_reason_raw": word})


def _read_choice(raw: Any, owner: str) -> Choice:
    if not isinstance(raw, Mapping):
        return Choice(message=decode_message(raw, owner, "assistant"))
    extra = {
        key: value
        for key, value in rest(raw, "index", "message", "finish_reason", "text").items()
        if value is not None
    }
    said = raw.get("message", raw.get("text", raw))
    choice = _choice(said, owner, raw.get("finish_reason"))
    return choice.model_copy(update={"extra": {owner: extra}}) if extra else choice


def _read_candidate(raw: Any, owner: str) -> Choice:
    if not isinstance(raw, Mapping):
        return Choice(message=decode_message(raw, owner, "assistant"))
    content = raw.get("content")
    extra = rest(raw, "content", "finishReason", "index")
    said = content if isinstance(content, Mapping) else {"role": "model", "parts": []}
    choice = _choice(said, owner, raw.get("finishReason"))
    return choice.model_copy(update={"extra": {owner: extra}}) if extra else choice


def _choice(raw: Any, owner: str, word: Any) -> Choice:
    if isinstance(raw, Mapping) and "role" not in raw and langchain_body(raw) is None:
        raw = {"role": "assistant", **raw}
    found = langchain_body(raw) if isinstance(raw, Mapping) else None
    if word is None and found is not None:
        word = first_text(_metadata(found[1], key) for key in ("finish_reason", "stop_reason"))
    message = decode_message(raw, owner, "assistant")
    return _with_word(Choice(message=message), word if isinstance(word, str) and word else None)


def _turn(raw: list[Any], owner: str, word: Any) -> Choice:
    """A turn in several messages or items as one answer; a history before it is left where it came from."""
    messages = decode_messages(raw, owner, "assistant")
    last = max((i for i, one in enumerate(messages) if one.role == "user"), default=-1)
    turn = messages[last + 1 :]
    if len(turn) == 1:
        [message] = turn
        found = langchain_body(raw[-1]) if isinstance(raw[-1], Mapping) else None
        if word is None and found is not None:
            word = _metadata(found[1], "finish_reason")
    else:
        parts = tuple(part for one in turn for part in one.parts)
        message = Message(role="assistant", parts=parts)
    return _with_word(Choice(message=message), word if isinstance(word, str) and word else None)


# ── both ────────────────────────────────────────────────────────────────────────────────────────────────────────


def native(owner: str, request: Any, response: Any) -> Native:
    """Both as the tracer keeps them, under a provider's dialect where they are surely a provider's own."""
    asked, answered = _readable(request), _readable(response)
    dialect = _dialect(asked, answered)
    if dialect is None:
        return Native(dialect=owner, request=request, response=response)
    return Native(dialect=dialect, request=asked, response=answered)


def _dialect(asked: Any, answered: Any) -> str | None:
    if isinstance(answered, Mapping) and "usage_metadata" in answered:
        return None  # LangSmith's wrapper put its own block in the place of the provider's usage
    match asked, answered:
        case {"messages": [{"role": str()}, *_], "model": str()}, {
            "object": "chat.completion",
            "choices": [{"message": Mapping()}, *_],
        }:
            return _CHAT
        case {"input": str() | list(), "model": str()}, {"object": "response", "output": list()}:
            return _RESPONSES
        case {"messages": [{"role": str()}, *_], "model": str(), "max_tokens": int()}, {
            "type": "message",
            "role": "assistant",
            "content": list(),
        }:
            return _ANTHROPIC
    return None
