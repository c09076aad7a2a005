"""`VokerClient`: calls that return at once and are delivered in the background."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from llmtee.compat.voker import _shared
from llmtee.errors import UsageError
from llmtee.tee import Tee
from llmtee.voker import Background

logger = logging.getLogger("llmtee")


class VokerClient:
    """Creates and updates at Voker in the background.

    Every call is stored in an event log before it returns and delivered from there, with retries, even by the next
    start of the program. A call that cannot work at all, such as one without a name, is an error in the log of
    ``llmtee``, never an exception; one that Voker refuses is a dead letter: ``client.tee.dead_letters()``.
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        tee: Tee | None = None,
    ) -> None:
        """Prepares. No thread runs and nothing is sent before the first call.

        Args:
            base_url: where Voker answers; else ``VOKER_BASE_URL``, else the address of Voker's own SDK.
            api_key: Voker's key; else ``VOKER_API_KEY``.
            tee: a Tee with a ``Voker`` exporter to use instead of an own one; its other exporters get the events too.

        Raises:
            ValueError: there is no key.
        """
        self._owned = tee is None
        if tee is None:
            tee = _shared.borrow(_shared.settings(base_url, api_key), api_key)
        self.tee = tee
        """What keeps and delivers the calls."""
        self._background = Background(tee)
        self._closed = False

    @property
    def events(self) -> VokerClient_Events:
        """Events."""
        return VokerClient_Events(self._background)

    @property
    def people(self) -> VokerClient_People:
        """People."""
        return VokerClient_People(self._background)

    @property
    def agents(self) -> VokerClient_Agents:
        """Agents."""
        return VokerClient_Agents(self._background)

    @property
    def agent_versions(self) -> VokerClient_AgentVersions:
        """Versions of agents."""
        return VokerClient_AgentVersions(self._background)

    def close(self, timeout: float = 10.0) -> None:
        """Waits until all is delivered, at most ``timeout`` seconds; the next start delivers the rest."""
        if self._closed:
            return
        self._closed = True
        if self._owned:
            _shared.give_back(self.tee, timeout)
        else:
            self.tee.flush(timeout)


class _Group:
    def __init__(self, background: Background) -> None:
        self._background = background


def _told(call: Callable[..., str], **arguments: Any) -> None:
    try:
        call(**arguments)
    except UsageError as error:
        reason = str(error)
    else:
        return
    logger.error("not sent to Voker: %s", reason)


class VokerClient_Events(_Group):  # noqa: N801 - Voker's name
    """Events."""

    def create(
        self,
        *,
        event_name: str,
        properties: dict[str, Any],
        session: str,
        agent: str | None = None,
        agent_version: str | None = None,
        person: str | None = None,
    ) -> None:
        """Creates an event."""
        _told(
            self._background.events.create,
            event_name=event_name,
            properties=properties,
            session=session,
            agent=agent,
            agent_version=agent_version,
            person=person,
        )


class VokerClient_People(_Group):  # noqa: N801 - Voker's name
    """People."""

    def create(self, *, person_id: str, properties: dict[str, Any] | None = None) -> None:
        """Creates a person, unless they are there already."""
        _told(self._background.people.create, person_id=person_id, properties=properties)

    def update(self, *, person_id: str, properties: dict[str, Any]) -> None:
        """Updates a person's properties."""
        _told(self._background.people.update, person_id=person_id, properties=properties)


class VokerClient_Agents(_Group):  # noqa: N801 - Voker's name
    """Agents."""

    def create(self, *, agent_name: str, description: str | None = None) -> None:
        """Creates an agent, unless it is there already."""
        _told(self._background.agents.create, agent_name=agent_name, description=description)


class VokerClient_AgentVersions(_Group):  # noqa: N801 - Voker's name
    """Versions of agents."""

    def create(
        self, *, agent_name: str, agent_version_name: str, description: str | None = None
    ) -> None:
        """Creates a version of an agent, unless it is there already."""
        _told(
            self._background.agent_versions.create,
            agent_name=agent_name,
            agent_version_name=agent_version_name,
            description=description,
        )
