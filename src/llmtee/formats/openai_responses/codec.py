"""OpenAI Responses: request and response, or either alone, to a model call and back.

Facts: OpenAI's own SDK types and OpenAPI document, autumn 2026. The ``output`` of a response is one choice with one
message, whose parts stand in the order of the items.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from llmtee.errors import InputError
from llmtee.formats import records
from llmtee.formats._parameters import foreign, writable
from llmtee.formats._stored import joined
from llmtee.formats.openai_chat.usage import decode_cost
from llmtee.formats.openai_responses.cannot import CANNOT
from llmtee.formats.openai_responses.context import (
    conversation_of,
    history_flags,
    template_of,
    times_of,
)
from llmtee.formats.openai_responses.detect import detect, looks_like_request
from llmtee.formats.openai_responses.items import (
    calls_for_tools,
    decode_items,
    decode_output,
    encode_items,
    encode_message,
)
from llmtee.formats.openai_responses.parameters import decode_parameters, encode_parameters
from llmtee.formats.openai_responses.parts import OWNER, own, owned
from llmtee.formats.openai_responses.stream import ResponsesStream
from llmtee.formats.openai_responses.tools import decode_tools, encode_tools
from llmtee.formats.openai_responses.usage import (
    decode_usage,
    encode_finish,
    encode_usage,
    finish_of,
)
from llmtee.formats.providers import provider_of
from llmtee.jsonfields import as_list, as_object, join, rest, text_or_none
from llmtee.model import (
    Choice,
    Item,
    Message,
    ModelCall,
    Person,
    TextPart,
    Usage,
)
from llmtee.model.times import to_unix_ms
from llmtee.spec import Format

NAME = OWNER
DIALECT = "openai-responses"

_REQUEST = ("model", "input", "instructions", "tools")
_RESPONSE = ("id", "model", "output", "usage", "error")
_TEXT, _LIST = "instructions", "instructions[]"


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def decode(raw: Any) -> list[Item]:
    """One record as a list of one model call; see `decode_record`."""
    return [decode_record(raw)]


def decode_record(raw: Any) -> ModelCall:
    """One record, ``{"request": …, "response": …}`` with what stands beside them, or either alone.

    A response that is a list of chunks, or the text of server-sent events, is put together first.

    What the record says of the event (see ``formats/records.py``) goes before what request and response say:

    - the id is the record's own, else derived from the response's ``id``, else from the whole record;
    - a record without times is dated by the response's ``created_at`` and ``completed_at``;
    - a record without a person has the request's ``user``. A ``safety_identifier`` is a hash and names nobody;
    - a record without a session has the id of the ``conversation``;
    - a failure comes from ``error`` in the record, else in the response.

    Parameters keep their own names. With ``previous_response_id``, ``conversation`` or references to items, the call is
    flagged ``history_incomplete``. Fields of the response without a canonical home are in ``extra["openai-responses"]``.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    record = records.read(joined(raw, ResponsesStream), _kind)
    asked = _decode_request(record.request, record.request_path)
    answered = _decode_response(record.response, record.response_path)
    given = dict(record.fields)
    response_id = answered.pop("response_id", None)
    times = answered.pop("times", {})
    conversation = answered.pop("conversation", None) or asked.pop("conversation", None)
    asked.pop("conversation", None)
    provider = record.provider or provider_of(asked.get("model") or answered.get("response_model"))

    fields: dict[str, Any] = {**asked, **answered, **given, "provider": provider}
    flags = (*given.get("flags", ()), *asked.get("flags", ()), *answered.get("flags", ()))
    fields["flags"] = tuple(dict.fromkeys(flags))
    fields["id"] = record.event_id(NAME, response_id)
    if response_id:
        fields["source_ids"] = {provider or NAME: response_id, **given.get("source_ids", {})}
    if not {"started_at", "ended_at"} & given.keys():
        fields |= times
    if conversation is not None:
        fields.setdefault("session", conversation)
    user = asked.get("parameters", {}).get("user")
    if "person" not in given and isinstance(user, str) and user:
        fields["person"] = Person(id=user)
    ours = {**(fields.pop("remembered", None) or {}), **(fields.pop("ours", None) or {})}
    if ours:
        fields["extra"] = {**given.get("extra", {}), NAME: ours}
    native = record.native(DIALECT)
    return ModelCall(**fields, native=native)


def _kind(raw: Mapping[str, Any]) -> Literal["request", "response"] | None:
    """What a record without an envelope is."""
    if "output" in raw or raw.get("object") == "response":
        return "response"
    if any(key in raw for key in ("input", "instructions", "prompt", "previous_response_id")):
        return "request"
    return "response" if raw.keys() == {"error"} and isinstance(raw["error"], Mapping) else None


def _decode_request(raw: Any, path: str) -> dict[str, Any]:
    if raw is None:
        return {}
    request = as_object(raw, path)
    if "input" not in request and (other := looks_like_request(request)):
        raise InputError(f"is missing; {other}", path=join(path, "input"))
    messages = (
        *_decode_instructions(request.get("instructions"), join(path, "instructions")),
        *_decode_input(request.get("input"), join(path, "input")),
    )
    parameters = decode_parameters(rest(request, *_REQUEST))
    fields = {
        "model": text_or_none(request.get("model"), join(path, "model")),
        "parameters": parameters,
        "remembered": foreign(parameters, NAME),
        "tools": decode_tools(request.get("tools"), join(path, "tools")),
        "input": messages,
        "template": template_of(request.get("prompt")),
        "conversation": conversation_of(request),
        "flags": history_flags(request, messages),
    }
    return {key: value for key, value in fields.items() if value is not None}


def _decode_instructions(raw: Any, path: str) -> tuple[Message, ...]:
    """The system prompt that is kept apart: text, or items. ``field`` in ``extra`` tells it from messages of the input."""
    if raw is None:
        return ()
    if isinstance(raw, str):
        return (Message(role="system", parts=(TextPart(text=raw),), extra=owned({"field": _TEXT})),)
    return tuple(
        message.model_copy(update={"extra": owned({**own(message), "field": _LIST})})
        for message in decode_items(raw, path)
    )


def _decode_input(raw: Any, path: str) -> tuple[Message, ...]:
    if isinstance(raw, str):
        return (Message(role="user", parts=(TextPart(text=raw),), extra=owned({"field": "input"})),)
    return decode_items(raw, path)


def _decode_response(raw: Any, path: str) -> dict[str, Any]:
    if raw is None:
        return {}
    if isinstance(raw, str):
        # A gateway's page with status 200 reaches the application as text: kept in ``native`` as it came.
        return {"flags": ("response_not_json",)}
    if _is_stream_event(raw):
        raise InputError(
            "holds one event of a stream; a list of all its events can be read", path=path
        )
    response = as_object(raw, path)
    if all(response.get(key) is None for key in ("output", "error", "status")):
        raise InputError("has neither output nor error, so it is no answer of Responses", path=path)
    beside = rest(response, *_RESPONSE)
    if beside.get("object") == "response":
        del beside["object"]
    usage = decode_usage(response.get("usage"), join(path, "usage"))
    error = records.decode_error(response.get("error"), join(path, "error"))
    choices = _decode_choices(response, join(path, "output"), failed=error is not None)
    fields = {
        "response_id": text_or_none(response.get("id"), join(path, "id")),
        "times": times_of(response),
        "conversation": conversation_of(response),
        "response_model": text_or_none(response.get("model"), join(path, "model")),
        "choices": choices,
        "usage": usage,
        "cost": decode_cost(response.get("usage"), join(path, "usage.cost")),
        "error": error,
        "flags": (*history_flags(response), *_usage_flags(usage)),
        "ours": {"response": beside} if beside or not (choices or error) else None,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _is_stream_event(raw: Any) -> bool:
    kind = raw.get("type") if isinstance(raw, Mapping) else None
    return isinstance(kind, str) and kind.startswith("response.")


def _usage_flags(usage: Usage | None) -> tuple[str, ...]:
    return () if usage is None else tuple(f"usage: {problem}" for problem in usage.problems())


def _decode_choices(response: Mapping[str, Any], path: str, failed: bool) -> tuple[Choice, ...]:
    """One choice; none where nothing came back because the call failed."""
    output = as_list(response.get("output"), path)
    if not output and (failed or not isinstance(response.get("status"), str)):
        return ()
    message = decode_output(output, path)
    reason, word = finish_of(response, calls_for_tools(message.parts))
    return (Choice(message=message, finish_reason=reason, finish_reason_raw=word),)


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def encode_call(call: ModelCall) -> dict[str, Any]:
    """A model call as ``{"request": …, "response": …}``, from the canonical fields, never from ``native``.

    Total: what Responses cannot say is written as the nearest thing it can, or left out; of several choices, the first
    is written. ``response`` is ``None`` for a call without an answer, and an error body for one that failed.
    """
    return {"request": _encode_request(call), "response": _encode_response(call)}


def _encode_request(call: ModelCall) -> dict[str, Any]:
    apart = [message for message in call.input if own(message).get("field") in (_TEXT, _LIST)]
    sent = [message for message in call.input if own(message).get("field") not in (_TEXT, _LIST)]
    request: dict[str, Any] = {} if call.model is None else {"model": call.model}
    if apart:
        text = _only_text(apart, _TEXT)
        request["instructions"] = encode_items(apart) if text is None else text
    text = _only_text(sent, "input")
    request["input"] = encode_items(sent) if text is None else text
    if call.tools:
        request["tools"] = encode_tools(call.tools)
    parameters = encode_parameters(writable(call.parameters, NAME, own(call)))
    return {**request, **rest(parameters, *_REQUEST)}


def _only_text(messages: list[Message], field: str) -> str | None:
    """The text of messages that came as text alone."""
    match messages:
        case [Message(parts=(TextPart(text=text) as part,)) as message]:
            return text if own(message) == {"field": field} and not own(part) else None
    return None


def _encode_response(call: ModelCall) -> dict[str, Any] | None:
    found = own(call).get("response")
    beside = rest(found, *_RESPONSE) if isinstance(found, dict) else {}
    failed = {} if call.error is None else {"error": records.encode_error(call.error)}
    model = {} if call.response_model is None else {"model": call.response_model}
    usage = {} if call.usage is None else {"usage": encode_usage(call.usage)}
    if not call.choices and not isinstance(found, dict):
        return {**_id(call, None), **model, **usage, **failed} if failed else None
    choice = call.choices[0] if call.choices else None
    said = None if choice is None else choice.message.model_copy(update={"role": "assistant"})
    return {
        **_id(call, call.id),
        "object": "response",
        **_encode_times(call),
        **model,
        "output": [] if said is None else encode_message(said, output=True),
        **usage,
        **_encode_beside(choice, beside),
        **failed,
    }


def _id(call: ModelCall, default: str | None) -> dict[str, str]:
    found = call.source_ids.get(call.provider or NAME, default)
    return {} if found is None else {"id": found}


def _encode_beside(choice: Choice | None, beside: dict[str, Any]) -> dict[str, Any]:
    """The other fields, and how the answer ended: as it was read, unless the choice says something else."""
    if choice is None:
        return beside
    ended = (choice.finish_reason, choice.finish_reason_raw)
    if finish_of(beside, calls_for_tools(choice.message.parts)) == ended:
        return beside
    return {**rest(beside, "status", "incomplete_details"), **encode_finish(*ended)}


def _encode_times(call: ModelCall) -> dict[str, float]:
    times = {"created_at": call.started_at, "completed_at": call.ended_at}
    return {key: to_unix_ms(value) / 1000 for key, value in times.items() if value is not None}


FORMAT = Format(
    name=NAME,
    title="OpenAI Responses",
    dialect=DIALECT,
    decode=decode,
    encode=encode_call,
    detect=detect,
    stream=ResponsesStream,
    cannot=CANNOT,
)
