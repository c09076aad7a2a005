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
    from llmtee.testing.emulators.langfuse import LangfuseEmulator as LangfuseEmulator
    from llmtee.testing.emulators.langsmith import LangSmithEmulator as LangSmithEmulator
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

_SOURCES = {"langfuse": "LangfuseEmulator", "langsmith": "LangSmithEmulator"}
"""Of what is only read: they take nothing, and hold what a test puts into them."""

__all__ = [
    "Answer",
    "Call",
    "Emulator",
    "HoneyHiveEmulator",
    "InkeepEmulator",
    "LangSmithEmulator",
    "LangfuseEmulator",
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
    return _load(vendor, _CLASSES[vendor])


def _load(module: str, class_name: str) -> type[Emulator]:
    found: type[Emulator] = getattr(import_module(f"llmtee.testing.emulators.{module}"), class_name)
    return found


def __getattr__(name: str) -> Any:
    for module, class_name in (_CLASSES | _SOURCES).items():
        if class_name == name:
            return _load(module, class_name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
