"""Direct calls of Voker's API."""

from __future__ import annotations

from llmtee.compat.voker.api.client import ApiClient

__all__ = ["ApiClient"]
