"""The five ways in which telemetry has written a call's messages. The first that a span has is read, alone.

1. ``gen_ai.input.messages`` and its companions, on the span or on the event of the operation's details
2. one event per message: ``gen_ai.user.message``, ``gen_ai.choice``, …
3. OpenLLMetry: ``gen_ai.prompt.0.role``, ``gen_ai.completion.0.content``, ``llm.prompts.0.…``, ``traceloop.entity.*``
4. OpenInference: ``llm.input_messages.0.message.role``, ``input.value``
5. the Vercel AI SDK's ``ai.*``, Logfire's and pydantic-ai's, Langfuse's and LangSmith's

The order is 1, 4, 3, 2, 5. Two dialects on one span say the same thing twice, so they are never merged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from llmtee.formats.otel_genai.attributes import Attributes, parsed
from llmtee.formats.otel_genai.messages import read_choices, read_message, read_messages
from llmtee.formats.otel_genai.openinference import chat_messages
from llmtee.formats.otel_genai.otlp import SpanEvent
from llmtee.formats.otel_genai.parts import read_parts
from llmtee.formats.otel_genai.pieces import CHOICE, DETAILS, MESSAGE_ATTRIBUTES, MESSAGES
from llmtee.model import Choice, Message


@dataclass(frozen=True)
class Exchange:
    """What went in and what came out, and which dialect said so."""

    dialect: int
    input: tuple[Message, ...] = ()
    choices: tuple[Choice, ...] = ()
    events: tuple[SpanEvent, ...] = ()
    """The span's events that were read for it."""


Reader = Callable[[Attributes, tuple[SpanEvent, ...], str, list[str]], Exchange | None]


def read_exchange(
    attributes: Attributes, events: tuple[SpanEvent, ...], owner: str, words: list[str]
) -> Exchange | None:
    """The messages of a model call; ``None`` where the span has none. ``words`` are its finish reasons."""
    readers: tuple[Reader, ...] = (_current, _openinference, _indexed, _per_message, _vendors)
    for read in readers:
        found = read(attributes, events, owner, words)
        if found is not None and (found.input or found.choices):
            return found
    return None


def _current(
    attributes: Attributes, events: tuple[SpanEvent, ...], owner: str, words: list[str]
) -> Exchange | None:
    details = tuple(event for event in events if event.name == DETAILS)[:1]
    if not details and not attributes.has(*MESSAGE_ATTRIBUTES):
        return None
    beside = details[0].attributes if details else {}
    own = [attributes.json(name) for name in MESSAGE_ATTRIBUTES]
    told = [parsed(beside.get(name)) for name in MESSAGE_ATTRIBUTES]
    if all(one is None or mine is not None for one, mine in zip(told, own, strict=True)):
        details = ()  # it says nothing that the span does not say
    system, asked, answered = (
        one if mine is None else mine for one, mine in zip(told, own, strict=True)
    )
    return Exchange(
        1,
        (*_system(system, owner), *read_messages(asked, owner)),
        read_choices(answered, owner, words),
        details,
    )


def _system(raw: Any, owner: str) -> tuple[Message, ...]:
    """System instructions are a list of parts; some emitters write messages."""
    if raw is None or raw == []:
        return ()
    if isinstance(raw, list) and all(isinstance(one, Mapping) and "role" in one for one in raw):
        return read_messages(raw, owner, "system")
    extra = {owner: {"field": "system_instructions"}}
    return (Message(role="system", parts=read_parts(raw, owner), extra=extra),)


def _openinference(
    attributes: Attributes, _: tuple[SpanEvent, ...], owner: str, words: list[str]
) -> Exchange | None:
    if attributes.has("llm.input_messages.", "llm.output_messages.") or attributes.has(
        "llm.input_messages", "llm.output_messages"
    ):
        asked = attributes.tree("llm.input_messages")
        answered = attributes.tree("llm.output_messages")
        return Exchange(
            4,
            read_messages(None if asked is None else chat_messages(asked), owner),
            read_choices(None if answered is None else chat_messages(answered), owner, words),
        )
    if not attributes.has("openinference.span.kind"):
        return None
    asked, answered = attributes.json("input.value"), attributes.json("output.value")
    return Exchange(
        4, read_messages(_asked(asked), owner), read_choices(_answered(answered), owner, words)
    )


def _asked(raw: Any) -> Any:
    """The messages in a provider's request; anything else is what the user said."""
    if isinstance(raw, Mapping):
        return raw.get("messages", raw.get("input", [{"role": "user", "content": _said(raw)}]))
    return raw


def _answered(raw: Any) -> Any:
    """The messages in a provider's response; anything else is what the model said."""
    if isinstance(raw, Mapping):
        choices = raw.get("choices")
        if isinstance(choices, list) and choices and all(isinstance(x, Mapping) for x in choices):
            return [_flat_choice(choice) for choice in choices]
        if "role" not in raw and "content" not in raw:
            return [{"role": "assistant", "content": _said(raw)}]
    return raw


def _said(raw: Mapping[str, Any]) -> Any:
    return [{"type": "json", "json": dict(raw)}]


def _flat_choice(raw: Mapping[str, Any]) -> Any:
    """``{"message": {…}, "finish_reason": …}`` as a message with a finish reason."""
    message = parsed(raw.get("message"))
    if message is None:
        message = {
            key: raw[key] for key in ("content", "tool_calls", "role", "parts") if key in raw
        }
    if not isinstance(message, Mapping):
        message = {"content": message}
    word = raw.get("finish_reason")
    return {"role": "assistant", **message, **({"finish_reason": word} if word else {})}


def _indexed(
    attributes: Attributes, _: tuple[SpanEvent, ...], owner: str, words: list[str]
) -> Exchange | None:
    for asked, answered in (
        ("gen_ai.prompt", "gen_ai.completion"),
        ("llm.prompts", "llm.completions"),
    ):
        if attributes.has(f"{asked}.", f"{answered}.") or attributes.has(asked, answered):
            return Exchange(
                3,
                read_messages(attributes.tree(asked), owner),
                read_choices(attributes.tree(answered), owner, words),
            )
    if attributes.has("traceloop.entity.input", "traceloop.entity.output"):
        return Exchange(
            3,
            read_messages(_asked(attributes.json("traceloop.entity.input")), owner),
            read_choices(_answered(attributes.json("traceloop.entity.output")), owner, words),
        )
    return None


def _per_message(
    _: Attributes, events: tuple[SpanEvent, ...], owner: str, words: list[str]
) -> Exchange | None:
    read = tuple(e for e in events if e.name in MESSAGES or e.name == CHOICE)
    answers = [_flat_choice(_body(event)) for event in read if event.name == CHOICE]
    asked = tuple(
        message
        for event in read
        if event.name is not None and event.name != CHOICE
        for message in read_messages(_body(event), owner, MESSAGES[event.name])
    )
    return Exchange(2, asked, read_choices(answers or None, owner, words), read)


def _body(event: SpanEvent) -> dict[str, Any]:
    """What an event says, without the names of the system; Azure's emitters put all of it into one JSON text."""
    body = parsed(event.attributes.get("gen_ai.event.content"))
    if isinstance(body, Mapping):
        return dict(body)
    dropped = ("gen_ai.system", "gen_ai.provider.name", "event.name")
    return {key: value for key, value in event.attributes.items() if key not in dropped}


def _vendors(
    attributes: Attributes, _: tuple[SpanEvent, ...], owner: str, words: list[str]
) -> Exchange | None:
    if attributes.has("ai.prompt.messages", "ai.prompt"):
        return _vercel(attributes, owner, words)
    for name in ("events", "all_messages_events"):
        if isinstance(listed := parsed(attributes.values.get(name)), list):
            attributes.take(name)
            return _logfire(listed, owner, words)
    if (told := attributes.json("pydantic_ai.all_messages")) is not None:
        messages = told if isinstance(told, list) else [told]
        last = messages[-1] if messages else None
        spoken = isinstance(last, Mapping) and last.get("role") in ("assistant", "model")
        asked = messages[:-1] if spoken else messages
        return Exchange(
            5, read_messages(asked, owner), read_choices([last] if spoken else None, owner, words)
        )
    for asked_key, answered_key in (
        ("langfuse.observation.input", "langfuse.observation.output"),
        ("input.value", "output.value"),
    ):
        if attributes.has(asked_key, answered_key):
            asked, answered = attributes.json(asked_key), attributes.json(answered_key)
            return Exchange(
                5,
                read_messages(_asked(asked), owner),
                read_choices(_answered(answered), owner, words),
            )
    return None


def _vercel(attributes: Attributes, owner: str, words: list[str]) -> Exchange:
    told = attributes.json("ai.prompt.messages", "ai.prompt")
    system = told.get("system") if isinstance(told, Mapping) else None
    if isinstance(told, Mapping):
        told = told.get("messages", told.get("prompt"))
    answer = {
        "reasoning": attributes.text("ai.response.reasoning"),
        "content": attributes.text("ai.response.text", "ai.response.object"),
        "tool_calls": attributes.json("ai.response.toolCalls"),
    }
    answer = {key: value for key, value in answer.items() if value is not None}
    return Exchange(
        5,
        (*_system(system, owner), *read_messages(told, owner)),
        read_choices([{"role": "assistant", **answer}] if answer else None, owner, words),
    )


def _logfire(listed: list[Any], owner: str, words: list[str]) -> Exchange:
    """Logfire keeps the events of dialect 2 as one list in an attribute."""
    asked: list[Message] = []
    answers: list[Any] = []
    for one in listed:
        if not isinstance(one, Mapping):
            asked.append(read_message(one, owner))
            continue
        name = one.get("event.name")
        dropped = ("event.name", "gen_ai.message.index", "gen_ai.system")
        body = {key: value for key, value in one.items() if key not in dropped}
        if name == CHOICE:
            answers.append(_flat_choice(body))
        else:
            role = MESSAGES.get(name, "user") if isinstance(name, str) else "user"
            asked += read_messages(body, owner, role)
    return Exchange(5, tuple(asked), read_choices(answers or None, owner, words))
