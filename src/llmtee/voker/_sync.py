"""Direct calls of Voker's API, for synchronous code."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from llmtee.delivery import Tuning
from llmtee.delivery.direct import Caller
from llmtee.vendors.voker import Voker, api
from llmtee.vendors.voker.api import (
    Agent,
    AgentVersion,
    Fingerprint,
    FingerprintNotFound,
    Person,
)
from llmtee.voker._exporter import exporter


class Client:
    """Direct calls of Voker's API. Thread-safe; also for use where an event loop runs, as in a notebook.

    Every call raises ``ApiError``, mostly one of its kinds, where it fails.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float | None = None,
        retries: int = 2,
        settings: Voker | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        """Prepares, without any I/O.

        Args:
            api_key: Voker's key; else ``VOKER_API_KEY``, else the settings file.
            base_url: where Voker answers; else ``VOKER_BASE_URL``, else the settings file, else its own address.
            timeout: seconds that one request may take; 30 by default.
            retries: how often a call is repeated at most, where that is safe.
            settings: what else a ``Voker`` exporter can be told, such as what its fingerprint shares.
            tuning: of delivery; for tests.

        Raises:
            ConfigError: the key is missing, or a setting is invalid.
        """
        own, own_settings = exporter(api_key, base_url, timeout, settings, tuning)
        self._call = Caller(own, retries=retries)
        self.agents = Agents(self._call)
        """Agents."""
        self.agent_versions = AgentVersions(self._call)
        """Versions of agents."""
        self.people = People(self._call)
        """People."""
        self.fingerprints = Fingerprints(self._call, own_settings)
        """Environments of clients."""
        self.events = Events(self._call, self.fingerprints)
        """Events."""

    def close(self) -> None:
        """Gives up calls under way and closes all connections. Closing twice is fine."""
        self._call.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Agents:
    """Agents."""

    def __init__(self, call: Caller) -> None:
        self._call = call

    def create(self, agent_name: str, description: str | None = None) -> Agent:
        """Creates an agent; one of that name that is there already stays as it is, and is returned."""
        return self._call(api.create_agent(agent_name, description))

    def get(self, agent_name: str) -> Agent:
        """An agent; raises ``AgentNotFound``."""
        return self._call(api.get_agent(agent_name))


class AgentVersions:
    """Versions of agents."""

    def __init__(self, call: Caller) -> None:
        self._call = call

    def create(
        self, agent_name: str, agent_version_name: str, description: str | None = None
    ) -> AgentVersion:
        """Creates a version; one that is there already stays as it is, and is returned. Raises ``AgentNotFound``."""
        return self._call(api.create_agent_version(agent_name, agent_version_name, description))

    def get(self, agent_name: str, agent_version_name: str) -> AgentVersion:
        """A version; raises ``AgentNotFound`` or ``AgentVersionNotFound``."""
        return self._call(api.get_agent_version(agent_name, agent_version_name))


class People:
    """People."""

    def __init__(self, call: Caller) -> None:
        self._call = call

    def create(self, person_id: str, properties: Mapping[str, Any] | None = None) -> Person:
        """Creates a person; one of that id who is there already stays as they are, and is returned."""
        return self._call(api.create_person(person_id, properties))

    def get(self, person_id: str) -> Person:
        """A person; raises ``PersonNotFound``."""
        return self._call(api.get_person(person_id))

    def update(self, person_id: str, properties: Mapping[str, Any]) -> Person:
        """Updates properties; raises ``PersonNotFound``. Voker may merge or replace: pass all that shall hold."""
        return self._call(api.update_person(person_id, properties))


class Fingerprints:
    """Environments of clients."""

    def __init__(self, call: Caller, settings: Voker) -> None:
        self._call, self._settings = call, settings
        self._lock = threading.Lock()
        self._current = settings.fingerprint_id

    def create(self) -> Fingerprint:
        """Registers this environment, as far as the settings share it."""
        return self._call(api.create_fingerprint(self._settings))

    def current(self, *, instead_of: str | None = None) -> str:
        """The id of this client's own, made when it is first needed, and anew for one that Voker does not know."""
        with self._lock:
            if self._current is None or self._current == instead_of:
                self._current = self.create().fingerprint_id
            return self._current


class Events:
    """Events."""

    def __init__(self, call: Caller, fingerprints: Fingerprints) -> None:
        self._call, self._fingerprints = call, fingerprints

    def create(
        self,
        event_name: str,
        properties: Mapping[str, Any],
        session: str,
        *,
        fingerprint_id: str | None = None,
        agent: str | None = None,
        agent_version: str | None = None,
        person: str | None = None,
    ) -> None:
        """Creates an event. Prefer a ``Tee``: it keeps the event until Voker has it.

        Args:
            event_name: ``llm``, the only one that Voker has.
            properties: ``api``, ``inputs`` and ``output`` of the call, in the provider's own format.
            session: the session; not empty (``SessionIdEmpty``).
            fingerprint_id: by default this client's own, made anew when Voker does not know it any more.
            agent: the agent's name; Voker creates it where it is new, as it does version, person and session.
            agent_version: the agent's version.
            person: the person's id.
        """
        about = (agent, agent_version, person)
        own = fingerprint_id or self._fingerprints.current()
        try:
            self._call(api.create_event(event_name, properties, session, own, *about))
        except FingerprintNotFound:
            if fingerprint_id is not None:
                raise
            own = self._fingerprints.current(instead_of=own)
            self._call(api.create_event(event_name, properties, session, own, *about))
