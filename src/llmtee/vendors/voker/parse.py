"""Voker's event to a canonical event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from llmtee import jsontext
from llmtee.errors import InputError
from llmtee.formats import anthropic_messages, gemini, openai_chat, openai_responses
from llmtee.model import Agent, Item, ModelCall, Native, Person
from llmtee.model.ids import derive_id
from llmtee.model.snapshot import clean_text, to_json_value
from llmtee.vendors.voker import wire

DIALECTS: Mapping[str, Callable[[Any], ModelCall]] = {
    wire.OPENAI_CHAT: openai_chat.decode_record,
    "anthropic-messages": anthropic_messages.decode_record,
    "anthropic-beta-messages": anthropic_messages.decode_record,
    "gemini-models": gemini.decode_record,
    "openai-responses": openai_responses.decode_record,
}
"""Who reads ``{"request": …, "response": …}`` of each ``properties.api``; the others are kept without being read."""

_PROVIDERS = {"openai": "openai", "anthropic": "anthropic", "gemini": "gcp.gemini"}
_SHAPES = {
    "choices": wire.OPENAI_CHAT,
    "content": "anthropic-messages",
    "candidates": "gemini-models",
    "output": "openai-responses",
}
_FIELDS = frozenset(wire.Event.__annotations__)


def parse(payload: Any) -> list[Item]:
    """The model call of an event's body, in a list.

    Its id is derived from the whole body apart from the fingerprint: an event has no id of its own, and the
    ids in responses of local servers repeat. Fields that Voker does not document stay in ``extra["voker"]``.

    Raises:
        InputError: the payload is not an event of Voker; the error names the JSON path.
    """
    body = _object(payload, "")
    if body.get("event_name") != "llm":
        raise InputError(
            f"must be 'llm', the only event that Voker has, not {body.get('event_name')!r:.60}",
            path="event_name",
        )
    properties = _object(body.get("properties"), "properties")
    inputs = _object(properties.get("inputs"), "properties.inputs")
    output = _object(properties.get("output"), "properties.output")
    api = _text(properties, "api", "properties.api") or _told_by_shape(output)
    return [_place(_decode(api, inputs, output), body)]


def _decode(api: str, inputs: dict[str, Any], output: dict[str, Any]) -> ModelCall:
    native = Native(dialect=api, request=inputs, response=output)
    if (decode := DIALECTS.get(api)) is None:
        return _unread(native, ())
    try:
        call = decode({"request": inputs, "response": output})
    except InputError as error:
        # What an application logged need not be what its provider documents; Voker took it, so it is kept whole.
        return _unread(native, (f"not read as {api}: {error}",))
    return call.model_copy(update={"native": native})


def _unread(native: Native, flags: tuple[str, ...]) -> ModelCall:
    return ModelCall(
        provider=_PROVIDERS.get(native.dialect.partition("-")[0]),
        model=_text_or_none(native.request.get("model")),
        response_model=_text_or_none(
            native.response.get("model") or native.response.get("model_version")
        ),
        native=native,
        flags=flags,
    )


def _place(call: ModelCall, body: dict[str, Any]) -> ModelCall:
    """The call with what the event says around it."""
    own = {key: value for key, value in body.items() if key != "fingerprint_id"}
    name, version = _text(body, "agent"), _text(body, "agent_version")
    person = _text(body, "person")
    return call.model_copy(
        update={
            "id": derive_id("voker", jsontext.dumps_sorted(to_json_value(own)).decode()),
            "session": _text(body, "session"),
            "agent": Agent(name=name, version=version) if name or version else None,
            "person": Person(id=person) if person is not None else None,
            "extra": {**call.extra, **_foreign(body)},
        }
    )


def _foreign(body: dict[str, Any]) -> dict[str, Any]:
    extra = {key: to_json_value(value) for key, value in body.items() if key not in _FIELDS}
    fingerprint = _text(body, "fingerprint_id")
    if fingerprint not in (None, wire.NO_FINGERPRINT):
        extra["fingerprint_id"] = fingerprint
    return {"voker": extra} if extra else {}


def _told_by_shape(output: dict[str, Any]) -> str:
    for key, api in _SHAPES.items():
        if isinstance(output.get(key), list):
            return api
    raise InputError(
        "is missing, and properties.output does not show whose shape it is; "
        f"use one of {', '.join(sorted(wire.APIS))}",
        path="properties.api",
    )


def _object(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError("must be an object, as in Voker's POST /api/v1/events", path=path or None)
    return value


def _text(holder: dict[str, Any], key: str, path: str | None = None) -> str | None:
    value = holder.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise InputError("must be text", path=path or key)
    return clean_text(value)


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None
