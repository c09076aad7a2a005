"""Calls of Voker's API that a Tee keeps and delivers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.tee import Tee
from llmtee.vendors.voker.api import vendor_request
from llmtee.vendors.voker.api.background import event_of
from llmtee.vendors.voker.api.operations import event_body


class Background:
    """Calls of Voker's API through a Tee: each returns at once, is stored first, and is delivered as events are.

    Calls about one agent, one person or one session arrive in their order. What Voker refuses is a dead letter of the
    Tee with Voker's reason (``tee.dead_letters("voker")``); the Tee's other exporters skip them, but get the events.

    Every method returns the id under which the Tee keeps the call, and raises ``UsageError`` where Voker has no place
    for the arguments, such as an empty name.
    """

    def __init__(self, tee: Tee) -> None:
        """``tee`` should have a ``Voker`` exporter."""
        self.agents = BackgroundAgents(tee)
        """Agents."""
        self.agent_versions = BackgroundAgentVersions(tee)
        """Versions of agents."""
        self.people = BackgroundPeople(tee)
        """People."""
        self.events = BackgroundEvents(tee)
        """Events."""


class BackgroundAgents:
    """Agents."""

    def __init__(self, tee: Tee) -> None:
        self._tee = tee

    def create(self, agent_name: str, description: str | None = None) -> str:
        """Creates an agent; one of that name that is there already stays as it is."""
        request = vendor_request("agents.create", agent_name=agent_name, description=description)
        return self._tee.record(request)


class BackgroundAgentVersions:
    """Versions of agents."""

    def __init__(self, tee: Tee) -> None:
        self._tee = tee

    def create(
        self, agent_name: str, agent_version_name: str, description: str | None = None
    ) -> str:
        """Creates a version of an agent, which must be there by then; one that is there already stays as it is."""
        request = vendor_request(
            "agent_versions.create",
            agent_name=agent_name,
            agent_version_name=agent_version_name,
            description=description,
        )
        return self._tee.record(request)


class BackgroundPeople:
    """People."""

    def __init__(self, tee: Tee) -> None:
        self._tee = tee

    def create(self, person_id: str, properties: Mapping[str, Any] | None = None) -> str:
        """Creates a person; one of that id who is there already stays as they are."""
        request = vendor_request("people.create", person_id=person_id, properties=properties)
        return self._tee.record(request)

    def update(self, person_id: str, properties: Mapping[str, Any]) -> str:
        """Updates properties. Voker may merge or replace: pass all that shall hold."""
        request = vendor_request("people.update", person_id=person_id, properties=properties)
        return self._tee.record(request)


class BackgroundEvents:
    """Events."""

    def __init__(self, tee: Tee) -> None:
        self._tee = tee

    def create(
        self,
        event_name: str,
        properties: Mapping[str, Any],
        session: str,
        *,
        agent: str | None = None,
        agent_version: str | None = None,
        person: str | None = None,
    ) -> str:
        """Creates an event: one of the Tee like any other, or, where only Voker could read it, a request to Voker.

        Args:
            event_name: ``llm``, the only one that Voker has.
            properties: ``api``, ``inputs`` and ``output`` of the call, in the provider's own format.
            session: the session; not empty.
            agent: the agent's name; Voker creates it where it is new, as it does version, person and session.
            agent_version: the agent's version.
            person: the person's id.
        """
        body = event_body(event_name, properties, session, agent, agent_version, person)
        event = event_of(body)
        return self._tee.record(vendor_request("events.create", **body) if event is None else event)
