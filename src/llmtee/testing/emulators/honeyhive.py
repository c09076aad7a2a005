"""HoneyHive on 127.0.0.1: both generations of its API, events and sessions, and the endpoints that read them back.

Behaves as the seed page, the OpenAPI documents 1.1.0 and 1.9.0 and the SDK honeyhive 1.7.0 say (2026-11). v1 refuses a
whole batch with 400; the legacy API creates what it can and answers the rest with 500. An event that comes again
overwrites itself.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from llmtee.testing.emulators._base import Answer, Call, Emulator, Route
from llmtee.testing.emulators._honeyhive_query import page, select
from llmtee.testing.emulators._honeyhive_rules import (
    V1_SESSION_FIELDS,
    as_uuid,
    legacy_problem,
    session_problem,
    type_problem,
    v1_problem,
)

_MERGED = ("metadata", "feedback", "metrics", "config", "user_properties")


class HoneyHiveEmulator(Emulator):
    """A strict stand-in for HoneyHive.

    Session and event ids that are not UUIDs are replaced by new ones without a word, as at HoneyHive; ``event_ids`` in
    an answer are in no order that one could rely on.

    Args:
        port: where to listen; 0 takes a free port.
        key: the only key that is accepted.
        max_bytes: larger bodies are answered 413.
    """

    vendor = "honeyhive"
    routes = (
        Route("POST", "/events/batch", "create_legacy_batch"),
        Route("POST", "/v1/events/batch", "create_v1_batch"),
        Route("POST", "/events", "create_legacy_event"),
        Route("POST", "/v1/events", "create_v1_event"),
        Route("PUT", "/events", "update_legacy_event"),
        Route("PUT", "/v1/events/{event_id}", "update_v1_event"),
        Route("POST", "/session/start", "start_legacy_session"),
        Route("POST", "/v1/sessions", "start_v1_session"),
        Route("POST", "/events/export", "export", write=False),
        Route("POST", "/v1/events/export", "export", write=False),
        Route("POST", "/v1/events/search", "search", write=False),
        Route("GET", "/v1/events/{event_id}", "read_event", write=False),
    )

    def __init__(
        self, *, port: int = 0, key: str | None = None, max_bytes: int = 5_000_000
    ) -> None:
        super().__init__(port=port, key=key)
        self.max_bytes = max_bytes
        self.forget()

    def forget(self) -> None:
        """Empties what was stored."""
        self.events: dict[str, dict[str, Any]] = {}
        """By ``event_id``; the last write."""
        self.sessions: dict[str, dict[str, Any]] = {}
        """By ``session_id``: events of type ``session``, merged from all that was said of them."""

    def refuse(self, status: int, message: str) -> Answer:
        """What the SDK reads: a ``message``."""
        return Answer(status, {"message": message})

    # ── batches ─────────────────────────────────────────────────────────────────────────────────────────────────

    def create_legacy_batch(self, call: Call) -> Answer:
        """``POST /events/batch``: creates what it can."""
        body = call.body
        if not isinstance(body, dict) or not isinstance(body.get("events"), list):
            return self.refuse(400, "events must be a list")
        properties = body.get("session_properties", body.get("session"))
        single = body.get("is_single_session", body.get("single_session", False))
        if problem := _about_problem(single, properties):
            return self.refuse(400, problem)
        return self._create_batch(body["events"], single is True, properties, legacy=True)

    def create_v1_batch(self, call: Call) -> Answer:
        """``POST /v1/events/batch``: all or nothing."""
        body = call.body
        if not isinstance(body, dict) or not isinstance(body.get("events"), list):
            return self.refuse(400, "events must be an array")
        if unknown := set(body) - {"events", "single_session", "session_properties"}:
            return self.refuse(400, f"unknown fields: {', '.join(sorted(unknown))}")
        properties, single = body.get("session_properties"), body.get("single_session", False)
        if problem := _about_problem(single, properties):
            return self.refuse(400, problem)
        for number, event in enumerate(body["events"]):
            if problem := v1_problem(event):
                return self.refuse(400, f"events[{number}].{problem}")
        return self._create_batch(body["events"], single is True, properties, legacy=False)

    def partial(self, call: Call) -> Answer:
        """Creates the first half of a batch and says so with a 500."""
        body = call.body
        events = body.get("events") if isinstance(body, dict) else None
        if not isinstance(events, list):
            return self.refuse(500, "internal error")
        single = bool(body.get("single_session", body.get("is_single_session")))
        half = events[: len(events) // 2]
        answer = self._create_batch(
            half, single, body.get("session_properties"), legacy=not call.path.startswith("/v1/")
        )
        errors = ["Could not create event due to an internal error"] * (len(events) - len(half))
        return Answer(500, {**answer.body, "errors": errors})

    def _create_batch(
        self, events: list[Any], single: bool, properties: dict[str, Any] | None, *, legacy: bool
    ) -> Answer:
        session_id = None
        if single:
            first = next((event for event in events if isinstance(event, dict)), {})
            session_id = self._start({"session_id": first.get("session_id"), **(properties or {})})
        created, errors = [], []
        for event in events:
            if legacy and (problem := legacy_problem(event)):
                errors.append(f"Could not create event due to {problem}")
                continue
            created.append(self._store(event, session_id))
        answer: dict[str, Any] = {"event_ids": created[::-1], "success": True}
        if session_id is not None:
            answer["session_id"] = session_id
        return Answer(500, {**answer, "errors": errors}) if errors else Answer(200, answer)

    def _store(self, event: Mapping[str, Any], session_id: str | None = None) -> str:
        if session_id is None:
            session_id = as_uuid(event.get("session_id"))
        if event["event_type"] == "session":
            return self._start({**event, "session_id": session_id})
        event_id = as_uuid(event.get("event_id"))
        if session_id not in self.sessions:
            self._start({"session_id": session_id})
        self.events[event_id] = {
            "source": "unknown",
            "event_name": "unknown",
            "parent_id": session_id,
            "children_ids": [],
            **event,
            "event_id": event_id,
            "session_id": session_id,
        }
        return event_id

    # ── sessions ────────────────────────────────────────────────────────────────────────────────────────────────

    def start_legacy_session(self, call: Call) -> Answer:
        """``POST /session/start``: the session as an object, or as the JSON text of one."""
        session = _unwrapped(call.body, "session")
        if problem := session_problem(session):
            return self.refuse(400, f"session: {problem}")
        return Answer(200, self.sessions[self._start(session)])

    def start_v1_session(self, call: Call) -> Answer:
        """``POST /v1/sessions``: idempotent on ``session_id``."""
        if problem := session_problem(call.body):
            return self.refuse(400, problem)
        if unknown := set(call.body) - V1_SESSION_FIELDS:
            return self.refuse(400, f"unknown fields: {', '.join(sorted(unknown))}")
        return Answer(200, self.sessions[self._start(call.body)])

    def _start(self, said: Mapping[str, Any]) -> str:
        """Creates a session, or merges what is said into the one that is there."""
        session_id = as_uuid(said.get("session_id"))
        known = self.sessions.get(session_id, {"event_name": "unknown", "source": "unknown"})
        new = {key: value for key, value in said.items() if value is not None}
        for key in ("metadata", "user_properties"):
            if key in known or key in new:
                new[key] = {**known.get(key, {}), **new.get(key, {})}
        if "session_name" in new:
            new["event_name"] = new["session_name"]
        if isinstance(new.get("start_time"), str):  # as at HoneyHive, and as silently
            new["start_time"] = dt.datetime.now(dt.UTC).timestamp() * 1000
        ids = {"event_type": "session", "event_id": session_id, "session_id": session_id}
        self.sessions[session_id] = {**known, **new, **ids}
        return session_id

    # ── single events ───────────────────────────────────────────────────────────────────────────────────────────

    def create_legacy_event(self, call: Call) -> Answer:
        """``POST /events``: the event under ``event``, as an object or as the JSON text of one."""
        event = _unwrapped(call.body, "event")
        if problem := legacy_problem(event):
            return self.refuse(400, f"Could not create event due to {problem}")
        return Answer(200, {"success": True, "event_id": self._store(event)})

    def create_v1_event(self, call: Call) -> Answer:
        """``POST /v1/events``: the bare event."""
        if problem := v1_problem(call.body):
            return self.refuse(400, problem)
        return Answer(200, {"success": True, "event_id": self._store(call.body)})

    def update_legacy_event(self, call: Call) -> Answer:
        """``PUT /events``: the id stands in the body."""
        event_id = call.body.get("event_id") if isinstance(call.body, dict) else None
        return self._update(event_id, call.body)

    def update_v1_event(self, call: Call) -> Answer:
        """``PUT /v1/events/{event_id}``: unknown fields are ignored."""
        return self._update(call.params["event_id"], call.body)

    def _update(self, event_id: Any, said: Any) -> Answer:
        event = self._find(event_id)
        if event is None:
            return self.refuse(404, f"no event {event_id}, or no access to it")
        if not isinstance(said, dict):
            return self.refuse(400, "body must be an object")
        if problem := type_problem(said):
            return self.refuse(400, problem)
        for key in _MERGED:
            if said.get(key):
                event[key] = {**(event.get(key) or {}), **said[key]}
        for key in ("outputs", "duration", "end_time"):
            if said.get(key) is not None:
                event[key] = said[key]
        if said.get("children_ids"):
            event["children_ids"] = said["children_ids"]
        return Answer(200, {"success": True})

    def _find(self, event_id: Any) -> dict[str, Any] | None:
        return self.events.get(event_id) or self.sessions.get(event_id)

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    def read_event(self, call: Call) -> Answer:
        """``GET /v1/events/{event_id}``."""
        event_id = call.params["event_id"]
        if as_uuid(event_id) != event_id:
            return self.refuse(400, "event_id must be a UUID")
        event = self._find(event_id)
        if event is None:
            return self.refuse(404, f"no event {event_id}, or no access to it")
        return Answer(200, {"event": event})

    def export(self, call: Call) -> Answer:
        """``POST /v1/events/export``: ``project`` and ``filters`` are required, as in 1.1.0."""
        body = call.body
        if not isinstance(body, dict) or not isinstance(body.get("project"), str):
            return self.refuse(400, "project is required")
        dates = body.get("dateRange") or {}
        try:
            found = select(self._all(), body.get("filters"), dates.get("$gte"), dates.get("$lte"))
            events = page(found, body, 7500)
        except ValueError as error:
            return self.refuse(400, str(error))
        if wanted := body.get("projections"):
            events = [{key: event[key] for key in wanted if key in event} for event in events]
        return Answer(200, {"events": events, "totalEvents": len(found)})

    def search(self, call: Call) -> Answer:
        """``POST /v1/events/search``: strict, and without projections."""
        body = call.body
        known = {"filters", "dateRange", "limit", "page", "evaluation_id"}
        if not isinstance(body, dict) or set(body) - known:
            return self.refuse(400, f"body must be an object of {', '.join(sorted(known))}")
        dates = body.get("dateRange") or {}
        try:
            filters = body.get("filters", [])
            found = select(self._all(), filters, dates.get("start_time"), dates.get("end_time"))
            events = page(found, body, 1000)
        except ValueError as error:
            return self.refuse(400, str(error))
        return Answer(200, {"events": events, "count": len(found)})

    def _all(self) -> list[dict[str, Any]]:
        return [*self.events.values(), *self.sessions.values()]


def _about_problem(single: Any, properties: Any) -> str | None:
    if not isinstance(single, bool):
        return "is_single_session and single_session must be booleans"
    problem = None if properties is None else session_problem(properties)
    return f"session_properties: {problem}" if problem else None


def _unwrapped(body: Any, key: str) -> Any:
    """What stands under ``key``, as an object or as the JSON text of one."""
    value = body.get(key) if isinstance(body, dict) else None
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None
