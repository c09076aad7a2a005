"""The exporters of a Tee, from what a user passes."""

from __future__ import annotations

from collections.abc import Iterable

from llmtee import config, registry
from llmtee.delivery import Exporter, Tuning
from llmtee.errors import UsageError
from llmtee.spec import Env, ExporterSettings


def resolve_exporters(
    exporters: Iterable[ExporterSettings], tuning: Tuning, *, need_key: bool
) -> list[Exporter]:
    """Settings with what environment and file add, each with its vendor.

    Args:
        exporters: as the user wrote them.
        tuning: of delivery.
        need_key: whether a missing key is an error; not so where nothing is sent.

    Raises:
        ConfigError: a key is missing or a setting is invalid.
        UsageError: two exporters have one name, or something is no exporter.
        UnknownName: an exporter's vendor is not registered.
    """
    resolved: dict[str, Exporter] = {}
    for settings in exporters:
        if not isinstance(settings, ExporterSettings):
            raise UsageError(
                f"Tee takes exporters such as HoneyHive(project=…), not {type(settings).__name__}"
            )
        if settings.exporter in resolved:
            raise UsageError(
                f"two exporters are named {settings.exporter!r}: give one of them another name, "
                f"{type(settings).__name__}(name=…)"
            )
        resolved[settings.exporter] = Exporter(
            vendor=registry.vendor(settings.vendor),
            settings=config.resolve(settings, need_key=need_key),
            tuning=tuning,
        )
    return list(resolved.values())


def exporters_of_environment() -> list[ExporterSettings]:
    """The registered vendors whose key is set in the environment or the settings file, by name.

    Raises:
        ConfigError: a setting of one of them is invalid.
    """
    found = (registry.vendor(name).settings() for name in registry.vendor_names())
    return [
        settings
        for settings in found
        if config.resolve(settings, need_key=False).api_key is not None
    ]


def key_variables() -> list[str]:
    """The environment variables that vendors' keys are read from."""
    fields = [
        registry.vendor(name).settings.model_fields["api_key"] for name in registry.vendor_names()
    ]
    return [mark.names[0] for field in fields for mark in field.metadata if isinstance(mark, Env)]
