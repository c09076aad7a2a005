"""What a user can tell the HoneyHive exporter."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr

from llmtee.spec import Env, ExporterSettings


class HoneyHive(ExporterSettings):
    """An exporter to HoneyHive: ``HoneyHive(project="Simple RAG")`` with the key from ``HH_API_KEY``."""

    vendor: ClassVar[str] = "honeyhive"

    api_key: Annotated[SecretStr | None, Env("HH_API_KEY", "HONEYHIVE_API_KEY")] = None
    """HoneyHive's project key."""
    base_url: Annotated[
        str,
        Env("HH_API_URL", "HONEYHIVE_SERVER_URL", "HH_SERVER_URL", "LLMTEE_HONEYHIVE_BASE_URL"),
    ] = "https://api.honeyhive.ai"
    """Where HoneyHive answers, without a trailing slash. Its current SDK uses ``https://api.dp1.us.honeyhive.ai``."""
    api: Literal["legacy", "v1"] = "legacy"
    """Which of the two APIs the tenant speaks: ``/events/batch``, or the strict ``/v1/events/batch``."""
    project: Annotated[str, Env("HH_PROJECT")] = Field(default="default", min_length=1)
    """Project of the events that name none. Only the legacy API has it; with a project key the server goes by the key."""
    source: str = Field(default="llmtee", min_length=1)
    """Source of the events that name none: an environment, or an application."""
    sessions: Literal["each", "mixed"] = "each"
    """``each``: a request holds one session and says what is true of all of it (``session_properties``).
    ``mixed``: a request holds events of any sessions; fewer requests, and sessions show only what their own events say.
    """
