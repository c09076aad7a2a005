"""OpenAI Chat Completions: request and response, or either alone, to a model call and back.

Facts: OpenAI's own SDK types and OpenAPI document, autumn 2026. Servers that are compatible with it (OpenRouter,
vLLM, Mistral, …) are read as well; what they add stays under its own name.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal

from llmtee.errors import InputError
from llmtee.formats import records
from llmtee.formats._parameters import foreign, moved, writable
from llmtee.formats._stored import joined
from llmtee.formats.openai_chat.cannot import CANNOT
from llmtee.formats.openai_chat.detect import detect, looks_like_request
from llmtee.formats.openai_chat.messages import (
    decode_message,
    decode_messages,
    encode_message,
    encode_messages,
)
from llmtee.formats.openai_chat.parts import OWNER, own, owned
from llmtee.formats.openai_chat.stream import ChatStream
from llmtee.formats.openai_chat.tools import decode_tools, encode_tools
from llmtee.formats.openai_chat.usage import decode_cost, decode_usage, encode_usage
from llmtee.formats.providers import provider_of
from llmtee.jsonfields import as_list, as_object, join, rest, text_or_none
from llmtee.model import (
    Choice,
    Item,
    Message,
    ModelCall,
    Person,
    ToolResultPart,
    Usage,
)
from llmtee.model._base import made
from llmtee.model.times import from_unix, to_unix_ms
from llmtee.spec import Format

NAME = OWNER
DIALECT = "openai-chat-completions"

FINISH_REASONS: Mapping[str, str] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_call",
    "function_call": "tool_call",
    "content_filter": "content_filter",
    "error": "error",  # OpenRouter
}
"""The words of the wire to the canonical ones; any other is kept as the raw word only."""

_WORDS = {
    "stop": "stop",
    "length": "length",
    "tool_call": "tool_calls",
    "content_filter": "content_filter",
    "pause": "stop",
    "error": "error",
}
_REQUEST = ("model", "messages", "tools", "functions")
_RESPONSE = ("id", "model", "choices", "usage", "error")
_MAX_TOKENS = ("max_completion_tokens", "max_tokens")
"""The two names of ``max_output_tokens``, the current one first."""


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def decode(raw: Any) -> list[Item]:
    """One record as a list of one model call; see `decode_record`."""
    return [decode_record(raw)]


def decode_record(raw: Any) -> ModelCall:
    """One record, ``{"request": …, "response": …}`` with what stands beside them, or either alone.

    A response that is a list of chunks, or the text of server-sent events, is put together first.

    What the record says of the event (see ``formats/records.py``) goes before what request and response say:

    - the id is the record's own, else derived from the response's ``id``, else from the whole record;
    - a record without times is dated by the response's ``created``, which the server writes in whole seconds;
    - a record without a person has the request's ``user``. A ``safety_identifier`` is a hash and names nobody;
    - a failure comes from ``error`` in the record, else in the response.

    Parameters keep their own names, apart from ``max_completion_tokens`` (of old ``max_tokens``), which becomes
    ``max_output_tokens``. Fields of the response without a canonical home are in ``extra["openai-chat"]``.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    record = records.read(joined(raw, ChatStream), _kind)
    asked = _decode_request(record.request, record.request_path)
    answered = _decode_response(record.response, record.response_path)
    response_id = answered.pop("response_id", None)
    created = answered.pop("created", None)
    ours = {**asked.pop("ours", {}), **answered.pop("ours", {})}
    given = dict(record.fields)

    provider = record.provider or provider_of(asked.get("model") or answered.get("response_model"))
    fields: dict[str, Any] = {**asked, **answered, **given, "provider": provider}
    if "flags" in fields:
        flags = (*given.get("flags", ()), *answered.get("flags", ()))
        fields["flags"] = tuple(dict.fromkeys(flags))
    fields["id"] = record.event_id(NAME, response_id)
    if response_id:
        ids = given.get("source_ids", {})
        fields["source_ids"] = {provider or NAME: response_id, **ids}
    if created is not None and "started_at" not in given and "ended_at" not in given:
        fields["started_at"] = created
    user = asked.get("parameters", {}).get("user")
    if "person" not in given and isinstance(user, str) and user:
        fields["person"] = made(Person, id=user)
    if ours:
        fields["extra"] = {**given.get("extra", {}), NAME: ours}
    native = record.native(DIALECT)
    return made(ModelCall, **fields, native=native)


def _kind(raw: Mapping[str, Any]) -> Literal["request", "response"] | None:
    """What a record without an envelope is."""
    if "choices" in raw:
        return "response"
    if "messages" in raw:
        return "request"
    return "response" if raw.keys() == {"error"} and isinstance(raw["error"], Mapping) else None


def _decode_request(raw: Any, path: str) -> dict[str, Any]:
    if raw is None:
        return {}
    request = as_object(raw, path)
    if "messages" not in request and (other := looks_like_request(request)):
        raise InputError(f"is missing; {other}", path=join(path, "messages"))
    parameters = rest(request, *_REQUEST)
    ours: dict[str, Any] = {}
    name = next((name for name in _MAX_TOKENS if parameters.get(name) is not None), None)
    if name is not None and "max_output_tokens" not in parameters:
        parameters = _renamed(parameters, name, "max_output_tokens")
        if name != _MAX_TOKENS[0]:
            ours["max_tokens_field"] = name
    elif "max_output_tokens" in parameters:
        ours["max_tokens_field"] = "max_output_tokens"
    ours |= foreign(parameters, NAME)
    if isinstance(parameters.get("reasoning"), dict):  # OpenRouter's
        effort = parameters["reasoning"].get("effort")
        found = dict(parameters)
        moved(found, "reasoning", "effort", "reasoning_effort", effort, effort)
        if found.keys() != parameters.keys():
            parameters, ours = found, {**ours, "effort_field": "reasoning"}
    return {
        "model": text_or_none(request.get("model"), join(path, "model")),
        "parameters": parameters,
        "tools": decode_tools(request, path),
        "input": decode_messages(request.get("messages"), join(path, "messages")),
        "ours": ours,
    }


def _renamed(fields: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    return {new if key == old else key: value for key, value in fields.items()}


def _decode_response(raw: Any, path: str) -> dict[str, Any]:
    if raw is None:
        return {}
    if isinstance(raw, str):
        # A gateway's page with status 200 reaches the application as text: kept in ``native`` as it came.
        return {"flags": ("response_not_json",)}
    if _is_chunk(raw):
        raise InputError(
            "holds one chunk of a stream; a list of all its chunks can be read", path=path
        )
    response = as_object(raw, path)
    if response.get("choices") is None and response.get("error") is None:
        raise InputError(
            "has neither choices nor error, so it is no answer of Chat Completions", path=path
        )
    beside = rest(response, *_RESPONSE)
    if beside.get("object") == "chat.completion":
        del beside["object"]
    usage = decode_usage(response.get("usage"), join(path, "usage"))
    choices = _decode_choices(response.get("choices"), join(path, "choices"))
    error = records.decode_error(response.get("error"), join(path, "error"))
    answered_nothing = not choices and error is None
    fields = {
        "response_id": text_or_none(response.get("id"), join(path, "id")),
        "created": _created(response.get("created")),
        "response_model": text_or_none(response.get("model"), join(path, "model")),
        "choices": choices,
        "usage": usage,
        "cost": decode_cost(response.get("usage"), join(path, "usage.cost")),
        "error": error,
        "flags": _usage_flags(usage) or None,
        "ours": {"response": beside} if beside or answered_nothing else {},
    }
    return {key: value for key, value in fields.items() if value is not None}


def _is_chunk(raw: Any) -> bool:
    return isinstance(raw, Mapping) and raw.get("object") == "chat.completion.chunk"


def _usage_flags(usage: Usage | None) -> tuple[str, ...]:
    return () if usage is None else tuple(f"usage: {problem}" for problem in usage.problems())


def _created(value: Any) -> dt.datetime | None:
    """The time of ``created`` where it is one: local servers write 0 for unknown."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return None
    try:
        return from_unix(value)
    except ValueError:
        return None


def _decode_choices(raw: Any, path: str) -> tuple[Choice, ...]:
    return tuple(
        _decode_choice(choice, f"{path}[{i}]", i) for i, choice in enumerate(as_list(raw, path))
    )


def _decode_choice(raw: Any, path: str, position: int) -> Choice:
    choice = as_object(raw, path)
    if "message" not in choice:
        found = next((key for key in ("delta", "text") if key in choice), None)
        hint = {"delta": "a chunk of a stream", "text": "a legacy completion"}.get(found or "")
        raise InputError(
            "is missing" + (f"; with {found!r} it is {hint}" if hint else ""),
            path=f"{path}.message",
        )
    word = text_or_none(choice.get("finish_reason"), f"{path}.finish_reason")
    extra = rest(choice, "index", "message", "finish_reason")
    if extra.get("logprobs", ...) is None:
        del extra["logprobs"]
    if choice.get("index", position) != position:
        extra["index"] = choice["index"]
    return made(
        Choice,
        message=decode_message(choice["message"], f"{path}.message"),
        finish_reason=FINISH_REASONS.get(word) if word else None,
        finish_reason_raw=word,
        extra=owned(extra),
    )


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def encode_call(call: ModelCall) -> dict[str, Any]:
    """A model call as ``{"request": …, "response": …}``, from the canonical fields, never from ``native``.

    Total: what Chat Completions cannot say is written as the nearest thing it can, or left out. ``response`` is
    ``None`` for a call without an answer, and an error body for one that failed.
    """
    return {"request": _encode_request(call), "response": _encode_response(call)}


def _encode_request(call: ModelCall) -> dict[str, Any]:
    name = own(call).get("max_tokens_field")
    if name not in ("max_tokens", "max_output_tokens"):
        name = _MAX_TOKENS[0]
    request = {} if call.model is None else {"model": call.model}
    parameters = writable(call.parameters, NAME, own(call))
    if own(call).get("effort_field") == "reasoning" and "reasoning_effort" in parameters:
        inner, effort = parameters.get("reasoning", {}), parameters.pop("reasoning_effort")
        parameters["reasoning"] = {**inner, "effort": effort} if isinstance(inner, dict) else inner
    return {
        **request,
        "messages": encode_messages(call.input, join=False),
        **encode_tools(call.tools),
        **rest(_renamed(parameters, "max_output_tokens", name), *_REQUEST),
    }


def _encode_response(call: ModelCall) -> dict[str, Any] | None:
    beside = own(call).get("response")
    beside_answer = rest(beside, *_RESPONSE) if isinstance(beside, dict) else {}
    model = {} if call.response_model is None else {"model": call.response_model}
    usage = {} if call.usage is None else {"usage": encode_usage(call.usage)}
    failed = {} if call.error is None else {"error": records.encode_error(call.error)}
    if not call.choices and failed:
        return {**_id(call, None), **model, **usage, **beside_answer, **failed}
    if not call.choices and beside is None:
        return None
    created = {} if call.started_at is None else {"created": to_unix_ms(call.started_at) // 1000}
    return {
        **_id(call, call.id),
        "object": "chat.completion",
        **created,
        **model,
        "choices": [_encode_choice(choice, i) for i, choice in enumerate(call.choices)],
        **usage,
        **beside_answer,
        **failed,
    }


def _id(call: ModelCall, default: str | None) -> dict[str, str]:
    found = call.source_ids.get(call.provider or NAME, default)
    return {} if found is None else {"id": found}


def _encode_choice(choice: Choice, position: int) -> dict[str, Any]:
    word = choice.finish_reason_raw
    if choice.finish_reason is not None and FINISH_REASONS.get(word or "") != choice.finish_reason:
        word = _WORDS.get(choice.finish_reason, word)
    return {
        "index": position,
        "message": _encode_answer(choice.message),
        "finish_reason": word,
        **rest(own(choice), "message", "finish_reason"),
    }


def _encode_answer(message: Message) -> dict[str, Any]:
    """An answer is one message: results of server-side tools in it have no place beside it."""
    parts = tuple(part for part in message.parts if not isinstance(part, ToolResultPart))
    role = "assistant" if message.role in ("tool", "function") else message.role
    [encoded] = encode_message(message.model_copy(update={"role": role, "parts": parts}))
    return encoded


FORMAT = Format(
    name=NAME,
    title="OpenAI Chat Completions",
    dialect=DIALECT,
    decode=decode,
    encode=encode_call,
    detect=detect,
    stream=ChatStream,
    cannot=CANNOT,
)
