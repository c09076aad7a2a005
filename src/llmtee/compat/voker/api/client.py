"""`ApiClient`: direct calls, each with its answer."""

from __future__ import annotations

from typing import Any

from llmtee.compat.voker import _shared
from llmtee.vendors.voker.api import Agent, AgentVersion, Fingerprint, Person
from llmtee.voker import Client


class ApiClient:
    """Direct calls of Voker's API.

    A call ends within ``timeout`` seconds a try, is repeated where that is safe, and raises errors by Voker's names
    (``schema.base``) or, for everything else, other kinds of ``llmtee.errors.ApiError``.
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """Prepares, without any I/O.

        Args:
            base_url: where Voker answers; else ``VOKER_BASE_URL``, else the address of Voker's own SDK.
            api_key: Voker's key; else ``VOKER_API_KEY``.
            timeout: seconds that one request may take; 30 by default.

        Raises:
            ValueError: there is no key.
        """
        self._client = Client(settings=_shared.settings(base_url, api_key), timeout=timeout)

    @property
    def events(self) -> ApiClient_Events:
        """Events."""
        return ApiClient_Events(self._client)

    @property
    def people(self) -> ApiClient_People:
        """People."""
        return ApiClient_People(self._client)

    @property
    def fingerprints(self) -> ApiClient_Fingerprints:
        """Environments of clients."""
        return ApiClient_Fingerprints(self._client)

    @property
    def agents(self) -> ApiClient_Agents:
        """Agents."""
        return ApiClient_Agents(self._client)

    @property
    def agent_versions(self) -> ApiClient_AgentVersions:
        """Versions of agents."""
        return ApiClient_AgentVersions(self._client)

    def close(self) -> None:
        """Closes all connections. Voker's own SDK has no such method; connections also end with the process."""
        self._client.close()


class _Group:
    def __init__(self, client: Client) -> None:
        self._client = client


class ApiClient_Events(_Group):  # noqa: N801 - Voker's name
    """Events."""

    def create(
        self,
        *,
        event_name: str,
        properties: dict[str, Any],
        session: str,
        fingerprint_id: str,
        agent: str | None = None,
        agent_version: str | None = None,
        person: str | None = None,
    ) -> None:
        """Creates an event; raises ``FingerprintNotFoundError`` or ``SessionIdEmptyError``."""
        self._client.events.create(
            event_name,
            properties,
            session,
            fingerprint_id=fingerprint_id,
            agent=agent,
            agent_version=agent_version,
            person=person,
        )


class ApiClient_People(_Group):  # noqa: N801 - Voker's name
    """People."""

    def get(self, *, person_id: str) -> Person:
        """A person; raises ``PersonNotFoundError``."""
        return self._client.people.get(person_id)

    def create(self, *, person_id: str, properties: dict[str, Any] | None = None) -> Person:
        """Creates a person; one who is there already stays as they are, and is returned."""
        return self._client.people.create(person_id, properties)

    def update(self, *, person_id: str, properties: dict[str, Any]) -> Person:
        """Updates a person's properties; raises ``PersonNotFoundError``."""
        return self._client.people.update(person_id, properties)


class ApiClient_Fingerprints(_Group):  # noqa: N801 - Voker's name
    """Environments of clients."""

    def create(self) -> Fingerprint:
        """Registers this environment: the language, its version and the system, no packages and no repository."""
        return self._client.fingerprints.create()


class ApiClient_Agents(_Group):  # noqa: N801 - Voker's name
    """Agents."""

    def create(self, *, agent_name: str, description: str | None = None) -> Agent:
        """Creates an agent; one that is there already stays as it is, and is returned."""
        return self._client.agents.create(agent_name, description)

    def get(self, *, agent_name: str) -> Agent:
        """An agent; raises ``AgentNotFoundError``."""
        return self._client.agents.get(agent_name)


class ApiClient_AgentVersions(_Group):  # noqa: N801 - Voker's name
    """Versions of agents."""

    def create(
        self, *, agent_name: str, agent_version_name: str, description: str | None = None
    ) -> AgentVersion:
        """Creates a version; one that is there already is returned. Raises ``AgentNotFoundError``."""
        return self._client.agent_versions.create(agent_name, agent_version_name, description)

    def get(self, *, agent_name: str, agent_version_name: str) -> AgentVersion:
        """A version; raises ``AgentNotFoundError`` or ``AgentVersionNotFoundError``."""
        return self._client.agent_versions.get(agent_name, agent_version_name)
