"""Anthropic Messages: request and response, or either alone, to a model call and back.

Facts: Anthropic's own SDK types and API reference, autumn 2026. The same shape is spoken by Claude on Bedrock
(``InvokeModel``) and on Vertex AI, which name themselves in ``anthropic_version``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from llmtee.errors import InputError
from llmtee.formats import records
from llmtee.formats._parameters import foreign, writable
from llmtee.formats._stored import joined
from llmtee.formats.anthropic_messages.cannot import CANNOT
from llmtee.formats.anthropic_messages.detect import detect
from llmtee.formats.anthropic_messages.messages import (
    decode_answer,
    decode_input,
    encode_answer,
    encode_input,
)
from llmtee.formats.anthropic_messages.own import OWNER, own, owned
from llmtee.formats.anthropic_messages.parameters import decode_parameters, encode_parameters
from llmtee.formats.anthropic_messages.stream import AnthropicStream
from llmtee.formats.anthropic_messages.tools import decode_tools, encode_tools
from llmtee.formats.anthropic_messages.usage import decode_usage, encode_usage
from llmtee.jsonfields import as_object, join, rest, text_or_none
from llmtee.model import (
    Choice,
    ErrorInfo,
    Item,
    ModelCall,
    Person,
    RefusalPart,
    Usage,
)
from llmtee.spec import Format

NAME = OWNER
DIALECT = "anthropic-messages"

FINISH_REASONS: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_call",
    "refusal": "content_filter",
    "pause_turn": "pause",
}
"""The words of the wire to the canonical ones; any other is kept as the raw word only."""

_WORDS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_call": "tool_use",
    "content_filter": "refusal",
    "pause": "pause_turn",
}
_REQUEST = ("model", "system", "messages", "tools")
_CHOICE = ("stop_sequence", "stop_details")
_RESPONSE = (
    *("id", "type", "role", "model", "content", "stop_reason"),
    *(*_CHOICE, "usage", "error"),
)


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def decode(raw: Any) -> list[Item]:
    """One record as a list of one model call; see `decode_record`."""
    return [decode_record(raw)]


def decode_record(raw: Any) -> ModelCall:
    """One record, ``{"request": …, "response": …}`` with what stands beside them, or either alone.

    A response that is a list of chunks, or the text of server-sent events, is put together first.

    What the record says of the event (see ``formats/records.py``) goes before what request and response say:

    - the id is the record's own, else derived from the response's ``id``, else from the whole record;
    - times are the record's: Anthropic sends none;
    - a record without a person has the request's ``metadata.user_id``;
    - a failure comes from ``error`` in the record, else in the response.

    Parameters have their canonical names where they can be written back from there (see ``_parameters.py``). What has
    no canonical home is in ``extra["anthropic-messages"]``.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    record = records.read(joined(raw, AnthropicStream), _kind)
    asked = _decode_request(record.request, record.request_path)
    answered = _decode_response(record.response, record.response_path)
    response_id = answered.pop("response_id", None)
    ours = {**asked.pop("ours", {}), **answered.pop("ours", {})}
    given = dict(record.fields)

    parameters = asked.get("parameters", {})
    provider = record.provider or _provider(parameters.get("anthropic_version"))
    fields: dict[str, Any] = {**asked, **answered, **given, "provider": provider}
    flags = (*given.get("flags", ()), *answered.get("flags", ()))
    fields["flags"] = tuple(dict.fromkeys(flags))
    fields["id"] = record.event_id(NAME, response_id)
    if response_id:
        fields["source_ids"] = {provider: response_id, **given.get("source_ids", {})}
    metadata = parameters.get("metadata")
    user = metadata.get("user_id") if isinstance(metadata, dict) else parameters.get("user")
    if "person" not in given and isinstance(user, str) and user:
        fields["person"] = Person(id=user)
    if ours:
        fields["extra"] = {**given.get("extra", {}), NAME: ours}
    native = record.native(DIALECT)
    return ModelCall(**fields, native=native)


def _kind(raw: Mapping[str, Any]) -> Literal["request", "response"] | None:
    """What a record without an envelope is."""
    if "messages" in raw:
        return "request"
    if raw.get("type") in ("message", "error") or {"content", "stop_reason"} <= raw.keys():
        return "response"
    return "response" if raw.keys() == {"error"} and isinstance(raw["error"], Mapping) else None


def _provider(version: Any) -> str:
    """Who served it: the platforms of others have a version of their own."""
    text = version if isinstance(version, str) else ""
    places = {"bedrock": "aws.bedrock", "vertex": "gcp.vertex_ai"}
    return places.get(text.partition("-")[0], "anthropic")


def _decode_request(raw: Any, path: str) -> dict[str, Any]:
    if raw is None:
        return {}
    request = as_object(raw, path)
    parameters = decode_parameters(rest(request, *_REQUEST))
    literal = [name for name in ("response_format",) if name in request]
    return {
        "model": text_or_none(request.get("model"), join(path, "model")),
        "parameters": parameters,
        "ours": foreign(parameters, NAME, *literal),
        "tools": decode_tools(request.get("tools"), join(path, "tools")),
        "input": decode_input(request, path),
    }


def _decode_response(raw: Any, path: str) -> dict[str, Any]:
    if raw is None:
        return {}
    if isinstance(raw, str):
        # A gateway's page with status 200 reaches the application as text: kept in ``native`` as it came.
        return {"flags": ("response_not_json",)}
    response = as_object(raw, path)
    if "content" not in response and response.get("error") is None:
        raise InputError(
            "has neither content nor error, so it is no answer of Anthropic Messages",
            path=path or "content",
        )
    usage = decode_usage(response.get("usage"), join(path, "usage"))
    error = records.decode_error(response.get("error"), join(path, "error"))
    said = response.get("content") is not None or error is None
    ours = _beside(response, error)
    fields = {
        "response_id": text_or_none(response.get("id"), join(path, "id")),
        "response_model": text_or_none(response.get("model"), join(path, "model")),
        "choices": (_decode_choice(response, path),) if said else (),
        "usage": usage,
        "error": error,
        "flags": _usage_flags(usage),
        "ours": ours,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _beside(response: Mapping[str, Any], error: ErrorInfo | None) -> dict[str, Any]:
    """What the response has beside its message, and how its error stood."""
    beside = rest(response, *_RESPONSE)
    ours: dict[str, Any] = {"response": beside} if beside else {}
    if error is not None and error.type is None:
        ours["error_form"] = "untyped"
    return ours


def _usage_flags(usage: Usage | None) -> tuple[str, ...]:
    return () if usage is None else tuple(f"usage: {problem}" for problem in usage.problems())


def _decode_choice(response: Mapping[str, Any], path: str) -> Choice:
    word = text_or_none(response.get("stop_reason"), join(path, "stop_reason"))
    stopped = {key: response[key] for key in _CHOICE if response.get(key) is not None}
    return Choice(
        message=decode_answer(response, path),
        finish_reason=FINISH_REASONS.get(word) if word else None,
        finish_reason_raw=word,
        extra=owned(stopped),
    )


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def encode_call(call: ModelCall) -> dict[str, Any]:
    """A model call as ``{"request": …, "response": …}``, from the canonical fields, never from ``native``.

    Total: what Anthropic Messages cannot say is written as the nearest thing it can, or left out; of several choices
    the first is written. ``response`` is ``None`` for a call without an answer, and an error body for one that failed.
    """
    return {"request": _encode_request(call), "response": _encode_response(call)}


def _encode_request(call: ModelCall) -> dict[str, Any]:
    model = {} if call.model is None else {"model": call.model}
    tools = encode_tools(call.tools)
    parameters = encode_parameters(writable(call.parameters, NAME, own(call)), own(call))
    return {
        **model,
        **encode_input(call.input),
        **({"tools": tools} if tools else {}),
        **rest(parameters, *_REQUEST),
    }


def _encode_response(call: ModelCall) -> dict[str, Any] | None:
    beside = own(call).get("response")
    beside_answer = rest(beside, *_RESPONSE) if isinstance(beside, dict) else {}
    failed = {} if call.error is None else {"error": _encode_error(call.error, own(call))}
    usage = {} if call.usage is None else {"usage": encode_usage(call.usage)}
    model = {} if call.response_model is None else {"model": call.response_model}
    if not call.choices:
        if not failed:
            return None
        return {"type": "error", **_id(call, None), **model, **usage, **beside_answer, **failed}
    choice = call.choices[0]
    return {
        **_id(call, call.id),
        "type": "message",
        **model,
        **encode_answer(choice.message),
        **_encode_stop(choice),
        **usage,
        **beside_answer,
        **failed,
    }


def _id(call: ModelCall, default: str | None) -> dict[str, str]:
    found = call.source_ids.get(call.provider or NAME, default)
    return {} if found is None else {"id": found}


def _encode_error(error: ErrorInfo, ours: Mapping[str, Any]) -> dict[str, Any]:
    out = records.encode_error(error)
    if "type" not in out and ours.get("error_form") != "untyped":
        out["type"] = "api_error"
    return out


def _encode_stop(choice: Choice) -> dict[str, Any]:
    word = choice.finish_reason_raw
    if choice.finish_reason is not None and FINISH_REASONS.get(word or "") != choice.finish_reason:
        word = _WORDS.get(choice.finish_reason)
    if any(isinstance(part, RefusalPart) for part in choice.message.parts):
        word = "refusal"  # the shape has no such block; this is how it says that the model declined
    stopped = {key: value for key, value in own(choice).items() if key in _CHOICE}
    return {"stop_reason": word, "stop_sequence": None, **stopped}


FORMAT = Format(
    name=NAME,
    title="Anthropic Messages",
    dialect=DIALECT,
    decode=decode,
    encode=encode_call,
    detect=detect,
    stream=AnthropicStream,
    cannot=CANNOT,
)
