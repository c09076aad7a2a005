"""What Voker's API takes."""

from __future__ import annotations

from typing import Any, TypeAlias

EventProperties: TypeAlias = dict[str, Any]
"""``api``, ``inputs`` and ``output`` of a call, in the provider's own format."""

__all__ = ["EventProperties"]
