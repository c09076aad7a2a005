"""What a user can tell the Voker exporter."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from llmtee.spec import Env, ExporterSettings

_USER_INFO = re.compile(r"(?<=://)[^/@]*@")


class GitFacts(BaseModel):
    """Where the running code comes from, for the fingerprint. ``environment.git_facts`` reads it from git."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    repository_url: str | None = None
    """Address of the repository; a user name or token in it is taken out."""
    branch: str | None = None
    commit_hash: str | None = None
    commit_date: str | None = None
    """ISO 8601."""

    @field_validator("repository_url")
    @classmethod
    def _without_credentials(cls, url: str | None) -> str | None:
        return None if url is None else _USER_INFO.sub("", url)


class Voker(ExporterSettings):
    """An exporter to Voker: ``Voker()`` with the key from ``VOKER_API_KEY``.

    Voker asks every event for a session. An event without one is sent under its trace id, else under its own id.
    """

    vendor: ClassVar[str] = "voker"

    api_key: Annotated[SecretStr | None, Env("VOKER_API_KEY")] = None
    """Voker's API key, from its dashboard under *settings*."""
    base_url: Annotated[str, Env("VOKER_BASE_URL", "LLMTEE_VOKER_BASE_URL")] = (
        "https://app.voker.ai"
    )
    """Where Voker answers, without a trailing slash. Its own SDK uses ``https://evals.voker.ai``."""
    agent: str = Field(default="default", min_length=1)
    """The agent of events that name none: Voker asks every event for one."""
    failed_calls: bool = False
    """Send calls that have no answer, with an ``output`` of empty ``choices``.

    Voker documents no shape for them and its own SDK sends none, so they are skipped unless asked for.
    """
    fingerprint_id: str | None = Field(default=None, min_length=1)
    """An existing fingerprint to use; by default one is created before the first event."""
    packages: dict[str, str] | None = None
    """Installed packages (name to version) to tell Voker in the fingerprint; none by default.

    ``environment.installed_packages()`` lists them.
    """
    git: GitFacts | None = None
    """Facts of the git checkout to tell Voker in the fingerprint; none by default.

    ``environment.git_facts()`` reads them.
    """
