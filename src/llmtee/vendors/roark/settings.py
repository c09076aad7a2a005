"""What a Roark exporter can be told."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, SecretStr

from llmtee.spec import Env, ExporterSettings


class Roark(ExporterSettings):
    """Sends each conversation to Roark once, as a chat, when it ended."""

    vendor: ClassVar[str] = "roark"

    api_key: Annotated[SecretStr | None, Env("ROARK_API_BEARER_TOKEN")] = None
    """The bearer token of a project or of a user. It needs ``chat:create``, and ``agent:create`` for agents by name."""
    base_url: Annotated[str, Env("ROARK_BASE_URL", "LLMTEE_ROARK_BASE_URL")] = (
        "https://api.roark.ai"
    )
    """Where Roark answers, without a trailing slash."""
    project_id: Annotated[str | None, Env("ROARK_PROJECT_ID")] = None
    """Which project to write to, for a user's token; a project's token names its own."""
    external_id: bool = True
    """Send the conversation's id as ``externalId``, by which Roark recognises a repetition.

    Off, it stands in ``properties.externalId``, and a chat whose answer was lost is held, not sent again.
    """
    agent: str = Field(default="assistant", min_length=1)
    """Name of the agent in conversations that name none: Roark asks every chat for one."""
