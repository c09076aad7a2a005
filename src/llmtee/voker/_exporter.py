"""The settings of a client, from what a user passes."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from llmtee import config, registry
from llmtee.delivery import Exporter, Tuning
from llmtee.vendors.voker import Voker


def exporter(
    api_key: str | None,
    base_url: str | None,
    timeout: float | None,
    settings: Voker | None,
    tuning: Tuning | None,
) -> tuple[Exporter, Voker]:
    """An exporter to Voker, and its settings: what is given, else ``settings``, else environment, file and default.

    Raises:
        ConfigError: the key is missing, or a setting is invalid.
    """
    given = {
        "api_key": None if api_key is None else SecretStr(api_key),
        "base_url": base_url,
        "timeout": timeout,
    }
    chosen: dict[str, Any] = {}
    if settings is not None:
        chosen = {name: getattr(settings, name) for name in settings.model_fields_set}
    chosen |= {name: value for name, value in given.items() if value is not None}
    resolved = config.resolve(Voker.model_validate(chosen))
    vendor = registry.vendor(Voker.vendor)
    return Exporter(vendor=vendor, settings=resolved, tuning=tuning or Tuning()), resolved
