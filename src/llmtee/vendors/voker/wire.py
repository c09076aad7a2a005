"""Voker's shapes in its own words.

Source: the seed page *Create Event*, the Python SDK voker 0.0.15 and the page of its reference, 2026-11.
"""

from __future__ import annotations

from typing import Any, Final, NotRequired, TypedDict
from urllib.parse import quote

OPENAI_CHAT: Final = "openai-chat-completions"

APIS: Final = frozenset(
    {
        OPENAI_CHAT,
        "openai-responses",
        "anthropic-messages",
        "anthropic-beta-messages",
        "gemini-models",
        "gemini-interactions",
    }
)
"""What ``properties.api`` may say: the provider shapes that Voker reads. They are `Native.dialect`'s names, too."""

NO_FINGERPRINT: Final = "00000000-0000-0000-0000-000000000000"
"""Stands for the fingerprint until ``pack`` knows it: the older reference says that it is a UUID."""

FINGERPRINT_NOT_FOUND: Final = "fingerprint-not-found"
SESSION_ID_EMPTY: Final = "session-id-empty"

EVENTS_PATH: Final = "/api/v1/events"
FINGERPRINTS_PATH: Final = "/api/v1/fingerprints"
PEOPLE_PATH: Final = "/api/v1/people"
AGENTS_PATH: Final = "/api/v1/agents"


class Properties(TypedDict):
    """One call in the provider's own format."""

    api: str
    inputs: dict[str, Any]
    """The request's body, verbatim."""
    output: dict[str, Any]
    """The response, verbatim."""


class Event(TypedDict):
    """Body of ``POST /api/v1/events``. There is no id, no time, no error and no metadata."""

    event_name: str
    """Only ``llm`` exists."""
    properties: Properties
    fingerprint_id: str
    agent: str
    agent_version: NotRequired[str]
    person: NotRequired[str]
    session: str
    """Empty text is refused with 422."""


class Fingerprint(TypedDict):
    """Body of ``PUT /api/v1/fingerprints``; the answer is ``{"fingerprint_id": …}``."""

    language: str
    language_version: str
    system: str
    voker_sdk_version: NotRequired[str]
    all_packages: NotRequired[dict[str, str]]
    git_repository_url: NotRequired[str]
    git_branch: NotRequired[str]
    git_commit_hash: NotRequired[str]
    git_commit_date: NotRequired[str]


def path_segment(name: str) -> str:
    """A name as one segment of a path.

    Voker's own SDK puts names in as they are, so that ``a/b?x`` reaches another address.
    """
    # A dot or two alone would be taken for steps in the path.
    return name.replace(".", "%2E") if name in (".", "..") else quote(name, safe="")


def person_path(person_id: str) -> str:
    """Where a person is read and updated."""
    return f"{PEOPLE_PATH}/{path_segment(person_id)}"


def agent_path(agent_name: str) -> str:
    """Where an agent is read."""
    return f"{AGENTS_PATH}/{path_segment(agent_name)}"


def agent_versions_path(agent_name: str) -> str:
    """Where versions of an agent are created."""
    return f"{agent_path(agent_name)}/agent-versions"


def agent_version_path(agent_name: str, agent_version_name: str) -> str:
    """Where a version of an agent is read."""
    return f"{agent_versions_path(agent_name)}/{path_segment(agent_version_name)}"
