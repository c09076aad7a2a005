"""Voker's own Python SDK, by its names: put ``llmtee.compat.voker`` where an import says ``voker``.

Signatures and return values are those of voker 0.0.15; what is different is in ``docs/voker-sdk.md``.
"""

from __future__ import annotations

from llmtee.compat.voker.client import VokerClient

__all__ = ["VokerClient"]
