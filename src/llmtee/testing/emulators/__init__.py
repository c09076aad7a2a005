"""Strict local servers that behave as the vendors do, for tests and for ``llmtee emulate``.

    from llmtee.testing.emulators import InkeepEmulator, faults

    with InkeepEmulator() as emulator:
        emulator.script(faults.status(429, retry_after=1))
        with llmtee.Tee([emulator.exporter()], dir=tmp_path) as tee:
            …
        assert [request.status for request in emulator.requests] == [429, 200]

They check key, schema and limits, refuse what the vendor refuses, recognise repetitions as it does, and keep what
arrived. `faults` makes them answer 429, reset the connection, hang, and more. Needs the extra ``server``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from llmtee.errors import UnknownName
from llmtee.testing.emulators import faults
from llmtee.testing.emulators._base import Emulator
from llmtee.testing.emulators._exchange import Answer, Call, Received, Route

if TYPE_CHECKING:
    from llmtee.testing.emulators.honeyhive import HoneyHiveEmulator as HoneyHiveEmulator
    from llmtee.testing.emulators.inkeep import InkeepEmulator as InkeepEmulator
    from llmtee.testing.emulators.otlp import OTLPEmulator as OTLPEmulator
    from llmtee.testing.emulators.roark import RoarkEmulator as RoarkEmulator
    from llmtee.testing.emulators.voker import VokerEmulator as VokerEmulator

_CLASSES = {
    "honeyhive": "HoneyHiveEmulator",
    "inkeep": "InkeepEmulator",
    "otlp": "OTLPEmulator",
    "roark": "RoarkEmulator",
    "voker": "VokerEmulator",
}

__all__ = [
    "Answer",
    "Call",
    "Emulator",
    "HoneyHiveEmulator",
    "InkeepEmulator",
    "OTLPEmulator",
    "Received",
    "RoarkEmulator",
    "Route",
    "VokerEmulator",
    "emulator_class",
    "emulator_names",
    "faults",
]


def emulator_names() -> list[str]:
    """The vendors that have an emulator, sorted."""
    return sorted(_CLASSES)


def emulator_class(vendor: str) -> type[Emulator]:
    """The emulator of a vendor.

    Raises:
        UnknownName: there is none.
    """
    if vendor not in _CLASSES:
        raise UnknownName("emulator", vendor, _CLASSES)
    module = import_module(f"llmtee.testing.emulators.{vendor}")
    found: type[Emulator] = getattr(module, _CLASSES[vendor])
    return found


def __getattr__(name: str) -> Any:
    for vendor, class_name in _CLASSES.items():
        if class_name == name:
            return emulator_class(vendor)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
