"""Voker's management API, a function for each call: arguments in, an `Operation` out.

Source: the seed pages *Create Event* and *Python SDK*, and voker 0.0.15, 2026-11. A PUT is safe to repeat: creating what
is there already changes nothing, and updating twice is updating once. An event is not: Voker cannot recognise it.

All values are copied and made JSON: one that JSON cannot say, such as NaN, becomes a text that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from llmtee.errors import ApiUnreachable, UsageError
from llmtee.model.snapshot import clean_text, to_json_object
from llmtee.spec import Exchange, Operation, Request, api_error
from llmtee.vendors.voker import wire
from llmtee.vendors.voker.api.records import Agent, AgentVersion, Fingerprint, Person, Record
from llmtee.vendors.voker.errors import refuse
from llmtee.vendors.voker.settings import Voker
from llmtee.vendors.voker.transport import fingerprint_request

R = TypeVar("R", bound=Record)


# ── agents ──────────────────────────────────────────────────────────────────────────────────────────────────────


def create_agent(agent_name: str, description: str | None = None) -> Operation[Agent]:
    """Creates an agent; one of that name that is there already stays as it is, and is answered.

    Raises:
        UsageError: the name is empty or no text.
    """
    body = {"agent_name": _named("agent_name", agent_name), **_described(description)}
    return _put(wire.AGENTS_PATH, body, Agent)


def get_agent(agent_name: str) -> Operation[Agent]:
    """Reads an agent; ``AgentNotFound`` where there is none of that name."""
    return _get(wire.agent_path(_named("agent_name", agent_name)), Agent)


def create_agent_version(
    agent_name: str, agent_version_name: str, description: str | None = None
) -> Operation[AgentVersion]:
    """Creates a version of an agent, which must exist (``AgentNotFound``); one that is there stays as it is."""
    name = _named("agent_version_name", agent_version_name)
    body = {"agent_version_name": name, **_described(description)}
    return _put(wire.agent_versions_path(_named("agent_name", agent_name)), body, AgentVersion)


def get_agent_version(agent_name: str, agent_version_name: str) -> Operation[AgentVersion]:
    """Reads a version of an agent; ``AgentNotFound`` or ``AgentVersionNotFound`` where there is none."""
    agent = _named("agent_name", agent_name)
    version = _named("agent_version_name", agent_version_name)
    return _get(wire.agent_version_path(agent, version), AgentVersion)


# ── people ──────────────────────────────────────────────────────────────────────────────────────────────────────


def create_person(person_id: str, properties: Mapping[str, Any] | None = None) -> Operation[Person]:
    """Creates a person; one of that id who is there already stays as they are, and is answered."""
    body: dict[str, Any] = {"person_id": _named("person_id", person_id)}
    if properties is not None:
        body["properties"] = to_json_object(properties)
    return _put(wire.PEOPLE_PATH, body, Person)


def get_person(person_id: str) -> Operation[Person]:
    """Reads a person; ``PersonNotFound`` where there is none of that id."""
    return _get(wire.person_path(_named("person_id", person_id)), Person)


def update_person(person_id: str, properties: Mapping[str, Any]) -> Operation[Person]:
    """Updates a person's properties; ``PersonNotFound`` where there is none of that id.

    Voker's pages disagree on whether the properties are merged or replaced: pass all that shall hold.
    """
    body = {"properties": to_json_object(properties)}
    return _put(wire.person_path(_named("person_id", person_id)), body, Person)


# ── fingerprints and events ─────────────────────────────────────────────────────────────────────────────────────


def create_fingerprint(settings: Voker) -> Operation[Fingerprint]:
    """Registers the client's environment, as far as the settings share it."""
    request = fingerprint_request(settings)
    return Operation(request, _reader(Fingerprint), refuse, repeatable=True)


def event_body(
    event_name: str,
    properties: Mapping[str, Any],
    session: str,
    agent: str | None = None,
    agent_version: str | None = None,
    person: str | None = None,
) -> dict[str, Any]:
    """An event's body without its fingerprint; what is ``None`` is left out, as Voker's own SDK does."""
    said = {"agent": agent, "agent_version": agent_version, "person": person}
    return {
        "event_name": _text("event_name", event_name),
        "properties": to_json_object(properties),
        "session": _text("session", session),
        **{key: _text(key, value) for key, value in said.items() if value is not None},
    }


def create_event(
    event_name: str,
    properties: Mapping[str, Any],
    session: str,
    fingerprint_id: str,
    agent: str | None = None,
    agent_version: str | None = None,
    person: str | None = None,
) -> Operation[None]:
    """Creates an event; ``FingerprintNotFound`` or ``SessionIdEmpty`` where Voker says so.

    Args:
        event_name: ``llm``, the only one that Voker has.
        properties: ``api``, ``inputs`` and ``output`` of the call, in the provider's own format.
        session: the session; not empty.
        fingerprint_id: from `create_fingerprint`.
        agent: the agent's name. Voker creates it where it is new, as it does version, person and session.
        agent_version: its version; a default one where there is none.
        person: the person's id.
    """
    body = event_body(event_name, properties, session, agent, agent_version, person)
    body["fingerprint_id"] = _text("fingerprint_id", fingerprint_id)
    return Operation(Request("POST", wire.EVENTS_PATH, body=body), _nothing, refuse)


# ── requests and answers ────────────────────────────────────────────────────────────────────────────────────────


def _put(path: str, body: Mapping[str, Any], kind: type[R]) -> Operation[R]:
    return Operation(Request("PUT", path, body=body), _reader(kind), refuse, repeatable=True)


def _get(path: str, kind: type[R]) -> Operation[R]:
    return Operation(Request("GET", path), _reader(kind), refuse, repeatable=True)


def _reader(kind: type[R]) -> Callable[[Exchange], R]:
    def read(exchange: Exchange) -> R:
        try:
            return kind.model_validate(exchange.json)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or "the answer"
            reason = f"the answer is not Voker's {kind.__name__} (is base_url right?): {place}: {first['msg']}"
            raise api_error(ApiUnreachable, exchange, reason) from None

    return read


def _nothing(exchange: Exchange) -> None:
    if exchange.json is None and exchange.content.strip() != b"null":
        reason = f"the answer is not JSON (is base_url right?): {exchange.excerpt}"
        raise api_error(ApiUnreachable, exchange, reason)


def _described(description: str | None) -> dict[str, str]:
    return {} if description is None else {"description": _text("description", description)}


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{name} must be text, not {type(value).__name__}")
    return clean_text(value)


def _named(name: str, value: Any) -> str:
    """Text that can stand in a path: an empty segment would lead to another endpoint."""
    text = _text(name, value)
    if not text:
        raise UsageError(f"{name} must not be empty")
    return text
