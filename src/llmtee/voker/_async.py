"""Direct calls of Voker's API, for asynchronous code."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from llmtee.delivery import Tuning
from llmtee.delivery.direct import AsyncCaller
from llmtee.vendors.voker import Voker, api
from llmtee.vendors.voker.api import (
    Agent,
    AgentVersion,
    Fingerprint,
    FingerprintNotFound,
    Person,
)
from llmtee.voker._exporter import exporter


class AsyncClient:
    """`Client` with ``await``: for one event loop, and closed there.

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
        self._call = AsyncCaller(own, retries=retries)
        self.agents = AsyncAgents(self._call)
        """Agents."""
        self.agent_versions = AsyncAgentVersions(self._call)
        """Versions of agents."""
        self.people = AsyncPeople(self._call)
        """People."""
        self.fingerprints = AsyncFingerprints(self._call, own_settings)
        """Environments of clients."""
        self.events = AsyncEvents(self._call, self.fingerprints)
        """Events."""

    async def aclose(self) -> None:
        """Closes all connections. Closing twice is fine."""
        await self._call.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


class AsyncAgents:
    """Agents."""

    def __init__(self, call: AsyncCaller) -> None:
        self._call = call

    async def create(self, agent_name: str, description: str | None = None) -> Agent:
        """Creates an agent; one of that name that is there already stays as it is, and is returned."""
        return await self._call(api.create_agent(agent_name, description))

    async def get(self, agent_name: str) -> Agent:
        """An agent; raises ``AgentNotFound``."""
        return await self._call(api.get_agent(agent_name))


class AsyncAgentVersions:
    """Versions of agents."""

    def __init__(self, call: AsyncCaller) -> None:
        self._call = call

    async def create(
        self, agent_name: str, agent_version_name: str, description: str | None = None
    ) -> AgentVersion:
        """Creates a version; one that is there already stays as it is, and is returned. Raises ``AgentNotFound``."""
        return await self._call(
            api.create_agent_version(agent_name, agent_version_name, description)
        )

    async def get(self, agent_name: str, agent_version_name: str) -> AgentVersion:
        """A version; raises ``AgentNotFound`` or ``AgentVersionNotFound``."""
        return await self._call(api.get_agent_version(agent_name, agent_version_name))


class AsyncPeople:
    """People."""

    def __init__(self, call: AsyncCaller) -> None:
        self._call = call

    async def create(self, person_id: str, properties: Mapping[str, Any] | None = None) -> Person:
        """Creates a person; one of that id who is there already stays as they are, and is returned."""
        return await self._call(api.create_person(person_id, properties))

    async def get(self, person_id: str) -> Person:
        """A person; raises ``PersonNotFound``."""
        return await self._call(api.get_person(person_id))

    async def update(self, person_id: str, properties: Mapping[str, Any]) -> Person:
        """Updates properties; raises ``PersonNotFound``. Voker may merge or replace: pass all that shall hold."""
        return await self._call(api.update_person(person_id, properties))


class AsyncFingerprints:
    """Environments of clients."""

    def __init__(self, call: AsyncCaller, settings: Voker) -> None:
        self._call, self._settings = call, settings
        self._lock = asyncio.Lock()
        self._current = settings.fingerprint_id

    async def create(self) -> Fingerprint:
        """Registers this environment, as far as the settings share it."""
        return await self._call(api.create_fingerprint(self._settings))

    async def current(self, *, instead_of: str | None = None) -> str:
        """The id of this client's own, made when it is first needed, and anew for one that Voker does not know."""
        async with self._lock:
            if self._current is None or self._current == instead_of:
                self._current = (await self.create()).fingerprint_id
            return self._current


class AsyncEvents:
    """Events."""

    def __init__(self, call: AsyncCaller, fingerprints: AsyncFingerprints) -> None:
        self._call, self._fingerprints = call, fingerprints

    async def create(
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
        own = fingerprint_id or await self._fingerprints.current()
        try:
            await self._call(api.create_event(event_name, properties, session, own, *about))
        except FingerprintNotFound:
            if fingerprint_id is not None:
                raise
            own = await self._fingerprints.current(instead_of=own)
            await self._call(api.create_event(event_name, properties, session, own, *about))
