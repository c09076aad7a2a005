"""The record around a provider's request and response: who, when, in which session.

All provider formats share it::

    {"request": {…}, "response": {…}, "session": "s1", "agent": "support", "agent_version": "v2", "person": "user_1",
     "started_at": "2026-11-17T09:14:02Z", "ended_at": …, "error": …, "properties": {…}, "tags": ["eu"]}

Every field is optional, but for one of ``request``, ``response`` and ``error``. Also read: ``id``, ``parent``,
``trace_id``, ``name``, ``first_token_at``, ``duration_ms`` (milliseconds), ``metrics``, ``feedback``, ``cost`` (an
amount in US dollars, or an object with ``amount`` and ``currency``), ``source``, ``provider``, ``source_ids``,
``flags``. ``agent`` and ``person`` are a name or an id, or the canonical objects. Anything else is kept in
``extra["record"]``. A bare request or response is a record without the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from llmtee import jsontext
from llmtee.errors import InputError
from llmtee.formats._build import build
from llmtee.jsonfields import (
    as_amount,
    as_list,
    as_number,
    as_object,
    as_text,
    join,
    rest,
    text_or_none,
)
from llmtee.model import Agent, Cost, ErrorInfo, EventBase, Native, Person
from llmtee.model._base import made
from llmtee.model.ids import as_uuid, derive_id
from llmtee.model.snapshot import to_json_value
from llmtee.model.times import parse_time

Bare: TypeAlias = Callable[[Mapping[str, Any]], Literal["request", "response"] | None]
"""How a format tells what a record without an envelope is."""

OWNER = "record"
"""Under which name ids and fields of the envelope are kept in ``source_ids`` and ``extra``."""


@dataclass(frozen=True)
class Record:
    """What a record says, apart from what only the provider's format can read."""

    raw: Mapping[str, Any]
    request: Any = None
    response: Any = None
    request_path: str = "request"
    response_path: str = "response"
    provider: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the event, by name. ``id`` is among them only where the record has one."""

    def event_id(self, format_name: str, response_id: str | None) -> str:
        """The id of the event: the record's own, or else a derived one; the same record always gives the same."""
        if "id" in self.fields:
            return str(self.fields["id"])
        if response_id:
            return derive_id(format_name, response_id)
        return derive_id(format_name, jsontext.dumps_sorted(self.raw).decode())

    def native(self, dialect: str) -> Native:
        """Request and response, verbatim."""
        return made(Native, dialect=dialect, request=self.request, response=self.response)


def read(raw: Any, bare: Bare) -> Record:
    """The record in a JSON value.

    Raises:
        InputError: ``raw`` is no record, or a field has the wrong type; the error names the JSON path.
    """
    raw = as_object(to_json_value(raw), "")
    if any(raw.get(key) is not None for key in ("request", "response")):
        return _read_envelope(raw)
    kind = bare(raw)
    if kind == "request":
        return Record(raw, request=raw, request_path="")
    if kind == "response":
        return Record(raw, response=raw, response_path="")
    if raw.get("error") is not None:  # a call that failed before anything came back
        return _read_envelope(raw)
    keys = ", ".join(sorted(raw)[:12]) or "none"
    raise InputError(
        f"is neither a record (request, response, error) nor a bare request or response; it has the keys: {keys}"
    )


def _read_envelope(raw: Mapping[str, Any]) -> Record:
    fields: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    for key, value in raw.items():
        if (read_as := _READERS.get(key)) is not None:
            fields[key] = None if value is None else read_as(value, key)
        elif key not in _KNOWN:
            unknown[key] = value
    version = text_or_none(raw.get("agent_version"), "agent_version")
    fields |= {"agent": _agent(raw.get("agent"), version), **_ids(raw)}
    if unknown:
        fields["extra"] = {OWNER: unknown}
    return Record(
        raw,
        request=raw.get("request"),
        response=raw.get("response"),
        provider=text_or_none(raw.get("provider"), "provider"),
        fields={key: value for key, value in fields.items() if value is not None},
    )


def _ids(raw: Mapping[str, Any]) -> dict[str, Any]:
    """``id``, ``parent`` and ``source_ids``. An id that is no UUID becomes one, and so does a parent: they still meet."""
    own, parent = text_or_none(raw.get("id"), "id"), text_or_none(raw.get("parent"), "parent")
    given = as_object(raw.get("source_ids") or {}, "source_ids")
    foreign = {key: as_text(value, f"source_ids.{key}") for key, value in given.items()}
    found: dict[str, Any] = {}
    if own:
        found["id"] = as_uuid(own, OWNER)
        if found["id"] is not own:
            foreign = {**foreign, OWNER: own}
    if parent:
        found["parent"] = as_uuid(parent, OWNER)
    return {**found, "source_ids": foreign}


def envelope(event: EventBase) -> dict[str, Any]:
    """What a record says around request and response, for `read` to give the same event again."""
    known = {key: value for key, value in event.to_json().items() if key in _KNOWN}
    if event.error is not None:
        known["error"] = encode_error(event.error)
    unknown = event.extra.get(OWNER)
    return {**(rest(unknown, *_KNOWN) if isinstance(unknown, dict) else {}), **known}


def _time(raw: Any, path: str) -> Any:
    try:
        return parse_time(raw)
    except (ValueError, ArithmeticError) as error:
        raise InputError(str(error), path=path) from None


def _texts(raw: Any, path: str) -> tuple[str, ...]:
    return tuple(as_text(one, f"{path}[{i}]") for i, one in enumerate(as_list(raw, path)))


def _agent(raw: Any, version: str | None) -> Agent | None:
    if isinstance(raw, Mapping):
        agent, _ = build(Agent, raw, "agent")
        return agent if version is None else agent.model_copy(update={"version": version})
    name = text_or_none(raw, "agent")
    return None if name is None and version is None else made(Agent, name=name, version=version)


def _person(raw: Any, path: str) -> Person:
    if isinstance(raw, Mapping):
        return build(Person, {**raw, "id": text_or_none(raw.get("id"), f"{path}.id")}, path)[0]
    return made(Person, id=text_or_none(raw, path))


def _cost(raw: Any, path: str) -> Cost:
    if isinstance(raw, Mapping):
        return build(Cost, raw, path)[0]
    return made(Cost, amount=as_amount(raw, path))


def decode_error(raw: Any, path: str) -> ErrorInfo | None:
    """A failure as text, or as an object with ``message``, ``type``, ``code`` and ``status``, wrapped in ``error`` or not.

    What else the object has is kept in ``details``. A ``code`` that is a number is an HTTP status (OpenRouter).

    Raises:
        InputError: it is neither text nor an object; the error names its JSON path.
    """
    if raw is None:
        return None
    if isinstance(raw, str):
        return made(ErrorInfo, message=raw)
    raw = as_object(raw, path)
    if isinstance(raw.get("error"), str | Mapping) and "message" not in raw:
        return decode_error(raw["error"], join(path, "error"))
    texts = {key: raw[key] for key in ("message", "type", "code") if isinstance(raw.get(key), str)}
    code, status = raw.get("code"), raw.get("status")
    known = [*texts]
    if type(code) is int:
        texts["code"], known = str(code), [*known, "code"]
    if type(status) is int:
        known.append("status")
    elif type(code) is int and 400 <= code <= 599:
        status = code
    told = next((texts[key] for key in ("message", "type", "code") if key in texts), "failed")
    return made(
        ErrorInfo,
        status=status if type(status) is int else None,
        details=rest(raw, *known) or None,
        **{**texts, "message": told},
    )


_READERS: Mapping[str, Callable[[Any, str], Any]] = {
    **dict.fromkeys(("session", "trace_id", "name", "source"), text_or_none),
    **dict.fromkeys(("started_at", "ended_at", "first_token_at"), _time),
    **dict.fromkeys(("metrics", "feedback", "properties"), as_object),
    **dict.fromkeys(("tags", "flags"), _texts),
    "person": _person,
    "error": decode_error,
    "cost": _cost,
    "duration_ms": as_number,
}
"""Who reads which field of the envelope, when it is there."""

_KNOWN = (
    *_READERS,
    *("request", "response", "provider", "id", "parent", "source_ids", "agent", "agent_version"),
)


def encode_error(error: ErrorInfo) -> dict[str, Any]:
    """A failure as the object that `decode_error` reads, in the words of OpenAI's error bodies."""
    code: Any = error.code
    if error.status is not None and code == str(error.status):
        code = error.status
    out = {"message": error.message, "type": error.type, "code": code}
    if error.status is not None and code != error.status:
        out["status"] = error.status
    details = error.details if isinstance(error.details, dict) else {}
    # A value of another type was kept with the details, and the field told by another one.
    odd = {
        key for key in ("message", "type", "code") if not isinstance(details.get(key), str | None)
    }
    odd -= {"code"} if type(details.get("code")) is int else set()
    odd |= {"status"} if type(details.get("status")) is not int else set()
    known = {key: value for key, value in out.items() if value is not None}
    return {**details, **{key: known[key] for key in known if key not in odd or key not in details}}
