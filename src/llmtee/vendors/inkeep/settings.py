"""What an Inkeep exporter can be told."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import SecretStr

from llmtee.spec import Env, ExporterSettings

API_KEY_VARIABLES = (
    "INKEEPANALYTICS_API_INTEGRATION_KEY",
    "INKEEPANALYTICS_WEB_INTEGRATION_KEY",
)


class Inkeep(ExporterSettings):
    """Sends each conversation, whole, to Inkeep Analytics whenever it changed."""

    vendor: ClassVar[str] = "inkeep"

    api_key: Annotated[SecretStr | None, Env(*API_KEY_VARIABLES)] = None
    """The key of an API integration, or of a Web integration, which can only write. ``Bearer`` before it is fine."""
    base_url: Annotated[str, Env("LLMTEE_INKEEP_BASE_URL")] = "https://api.analytics.inkeep.com"
    """Where Inkeep Analytics answers, without a trailing slash."""
    visibility: Literal["private", "public"] | None = None
    """For conversations that do not say it themselves; Inkeep's own default where this is ``None``."""
    project_id: str | None = None
    """Inkeep's project; implied by the key where this is ``None``."""
    integration_id: str | None = None
    """Inkeep's integration; implied by the key where this is ``None``."""
    tool_results: Literal["properties", "text"] = "properties"
    """Inkeep has no role for what a tool answered. ``properties``: it stands in the properties of the message that
    made the call. ``text``: it stands as a message of the assistant, where it was."""
