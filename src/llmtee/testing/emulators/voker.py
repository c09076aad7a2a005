"""Voker on 127.0.0.1: events one at a time, behind a fingerprint; people, agents and their versions.

Behaves as the seed page and the SDK voker 0.0.15 say (2026-11). Where they are silent it is strict: fields that nobody
documents are refused. As at Voker, no endpoint reads an event back, and a repeated event is stored twice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from llmtee.testing.emulators._base import Answer, Call, Emulator, Route

_PEOPLE = "/api/v1/people"
_AGENTS = "/api/v1/agents"
_VERSIONS = _AGENTS + "/{agent_name}/agent-versions"


class VokerEmulator(Emulator):
    """A strict stand-in for Voker.

    Scripted faults hit events, people and agents; `fingerprint_answer` stands in for a failing fingerprint.

    Args:
        port: where to listen; 0 takes a free port.
        key: the only key that is accepted.
    """

    vendor = "voker"
    routes = (
        Route("POST", "/api/v1/events", "create_event"),
        Route("PUT", "/api/v1/fingerprints", "create_fingerprint", write=False),
        Route("PUT", _PEOPLE, "create_person"),
        Route("PUT", _PEOPLE + "/{person_id}", "update_person"),
        Route("GET", _PEOPLE + "/{person_id}", "read_person", write=False),
        Route("PUT", _AGENTS, "create_agent"),
        Route("GET", _AGENTS + "/{agent_name}", "read_agent", write=False),
        Route("PUT", _VERSIONS, "create_version"),
        Route("GET", _VERSIONS + "/{agent_version_name}", "read_version", write=False),
    )

    def __init__(self, *, port: int = 0, key: str | None = None) -> None:
        super().__init__(port=port, key=key)
        self.errors_in_detail = True
        """Whether error types stand under ``detail``, where the SDK looks for them, or at the top, as in the docs."""
        self.forget()

    def forget(self) -> None:
        """Empties what was stored, fingerprints included."""
        self.events: list[dict[str, Any]] = []
        """The events as they came, in order."""
        self.sessions: dict[str, list[dict[str, Any]]] = {}
        """The events of each session, in order."""
        self.people: dict[str, dict[str, Any]] = {}
        """By ``person_id``."""
        self.agents: dict[str, dict[str, Any]] = {}
        """By ``agent_name``."""
        self.versions: dict[tuple[str, str], dict[str, Any]] = {}
        """By ``agent_name`` and ``agent_version_name``."""
        self.fingerprints: dict[str, dict[str, Any]] = {}
        """What the known fingerprints were made from, by ``fingerprint_id``."""
        self.fingerprint_answer: Answer | None = None
        """What ``PUT /api/v1/fingerprints`` answers instead of making one."""
        self._fingerprints_made = 0

    def expire_fingerprints(self) -> None:
        """Events are answered 404 ``fingerprint-not-found`` until their sender makes a new fingerprint."""
        with self.lock:
            self.fingerprints.clear()

    def refuse(self, status: int, message: str) -> Answer:
        """The framework's own error shape, ``{"detail": "…"}``."""
        return Answer(status, {"detail": message})

    # ── fingerprints and events ─────────────────────────────────────────────────────────────────────────────────

    def create_fingerprint(self, call: Call) -> Answer:
        """``PUT /api/v1/fingerprints``: a new id each time."""
        if self.fingerprint_answer is not None:
            return self.fingerprint_answer
        if (invalid := self._invalid("fingerprint.json", call)) is not None:
            return invalid
        self._fingerprints_made += 1
        fingerprint_id = f"00000000-0000-4000-8000-{self._fingerprints_made:012d}"
        self.fingerprints[fingerprint_id] = call.body
        return Answer(200, {"fingerprint_id": fingerprint_id})

    def create_event(self, call: Call) -> Answer:
        """``POST /api/v1/events``: creates the agent, version, person and session that it names."""
        event = call.body
        if isinstance(event, dict) and event.get("session") == "":
            return self._typed(422, "session-id-empty")
        if (invalid := self._invalid("event.json", call)) is not None:
            return invalid
        if event["fingerprint_id"] not in self.fingerprints:
            return self._typed(404, "fingerprint-not-found")
        self.events.append(event)
        self.sessions.setdefault(event["session"], []).append(event)
        self._agent(event["agent"])
        if "agent_version" in event:
            self._version(event["agent"], event["agent_version"])
        if "person" in event:
            self._person(event["person"])
        return Answer(200, {})

    # ── people ──────────────────────────────────────────────────────────────────────────────────────────────────

    def create_person(self, call: Call) -> Answer:
        """``PUT /api/v1/people``: leaves a person who is there already as they are."""
        if (invalid := self._invalid("person.json", call)) is not None:
            return invalid
        return Answer(200, self._person(call.body["person_id"], call.body.get("properties")))

    def update_person(self, call: Call) -> Answer:
        """``PUT /api/v1/people/{person_id}``: replaces the properties (the SDK's page says *merges*)."""
        if (invalid := self._invalid("person-update.json", call)) is not None:
            return invalid
        person = self.people.get(call.params["person_id"])
        if person is None:
            return self._typed(404, "person-not-found")
        person["properties"] = call.body["properties"]
        return Answer(200, person)

    def read_person(self, call: Call) -> Answer:
        """``GET /api/v1/people/{person_id}``."""
        return self._found(self.people.get(call.params["person_id"]), "person-not-found")

    # ── agents and their versions ───────────────────────────────────────────────────────────────────────────────

    def create_agent(self, call: Call) -> Answer:
        """``PUT /api/v1/agents``: leaves an agent that is there already as it is."""
        if (invalid := self._invalid("agent.json", call)) is not None:
            return invalid
        return Answer(200, self._agent(call.body["agent_name"], call.body.get("description")))

    def read_agent(self, call: Call) -> Answer:
        """``GET /api/v1/agents/{agent_name}``."""
        return self._found(self.agents.get(call.params["agent_name"]), "agent-not-found")

    def create_version(self, call: Call) -> Answer:
        """``PUT /api/v1/agents/{agent_name}/agent-versions``: the agent must be there."""
        if (invalid := self._invalid("agent-version.json", call)) is not None:
            return invalid
        agent = call.params["agent_name"]
        if agent not in self.agents:
            return self._typed(404, "agent-not-found")
        body = call.body
        return Answer(
            200, self._version(agent, body["agent_version_name"], body.get("description"))
        )

    def read_version(self, call: Call) -> Answer:
        """``GET /api/v1/agents/{agent_name}/agent-versions/{agent_version_name}``."""
        agent = call.params["agent_name"]
        if agent not in self.agents:
            return self._typed(404, "agent-not-found")
        version = self.versions.get((agent, call.params["agent_version_name"]))
        return self._found(version, "agent-version-not-found")

    # ── what is stored, and what is refused ─────────────────────────────────────────────────────────────────────

    def _person(self, person_id: str, properties: Any = None) -> dict[str, Any]:
        new = {"person_id": person_id, "properties": properties, "created_at": _now()}
        return self.people.setdefault(person_id, new)

    def _agent(self, name: str, description: str | None = None) -> dict[str, Any]:
        new = {
            "agent_name": name,
            "description": description,
            "agent_number": len(self.agents) + 1,
            "created_at": _now(),
            "deprecated_at": None,
        }
        return self.agents.setdefault(name, new)

    def _version(self, agent: str, name: str, description: str | None = None) -> dict[str, Any]:
        new = {
            "agent_version_name": name,
            "description": description,
            "agent_version_number": sum(owner == agent for owner, _ in self.versions) + 1,
            "created_at": _now(),
            "deprecated_at": None,
        }
        return self.versions.setdefault((agent, name), new)

    def _found(self, value: Mapping[str, Any] | None, missing: str) -> Answer:
        return self._typed(404, missing) if value is None else Answer(200, value)

    def _typed(self, status: int, kind: str) -> Answer:
        error = {"type": kind}
        return Answer(status, {"detail": error} if self.errors_in_detail else error)

    def _invalid(self, schema: str, call: Call) -> Answer | None:
        """The framework's answer to a body that breaks the schema; ``None`` for one that keeps it."""
        problem = self.validate(schema, call.body)
        if problem is None:
            return None
        place, _, message = problem.partition(": ")
        path = [] if place == "body" else place.split(".")
        entry = {"loc": ["body", *path], "msg": message, "type": "value_error"}
        return Answer(422, {"detail": [entry]})


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z")
