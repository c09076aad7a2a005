"""llmtee: ``tee`` for LLM events. Log once; every analytics vendor gets it in its own shape.

The names below are loaded when they are first used, so that importing llmtee costs almost nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from llmtee._version import __version__

if TYPE_CHECKING:
    from llmtee.bulk import Detection as Detection
    from llmtee.bulk import convert as convert
    from llmtee.bulk import detect as detect
    from llmtee.bulk import read as read
    from llmtee.delivery.recorded import EventLog as EventLog
    from llmtee.errors import ConfigError as ConfigError
    from llmtee.errors import HistoryIncomplete as HistoryIncomplete
    from llmtee.errors import InputError as InputError
    from llmtee.errors import LlmteeError as LlmteeError
    from llmtee.errors import UsageError as UsageError
    from llmtee.frames import from_frame as from_frame
    from llmtee.frames import to_frame as to_frame
    from llmtee.functions import assemble as assemble
    from llmtee.functions import explain as explain
    from llmtee.functions import parse as parse
    from llmtee.functions import render as render
    from llmtee.migrate import Migration as Migration
    from llmtee.model import Annotation as Annotation
    from llmtee.model import Conversation as Conversation
    from llmtee.model import Message as Message
    from llmtee.model import ModelCall as ModelCall
    from llmtee.model import Step as Step
    from llmtee.model import ToolRun as ToolRun
    from llmtee.sources import Langfuse as Langfuse
    from llmtee.sources import LangSmith as LangSmith
    from llmtee.tee import Tee as Tee
    from llmtee.tee import configure as configure
    from llmtee.tee import get_tee as get_tee
    from llmtee.vendors.honeyhive import HoneyHive as HoneyHive
    from llmtee.vendors.inkeep import Inkeep as Inkeep
    from llmtee.vendors.otlp import OTLP as OTLP
    from llmtee.vendors.roark import Roark as Roark
    from llmtee.vendors.voker import Voker as Voker

_HOMES = {
    "Annotation": "llmtee.model",
    "ConfigError": "llmtee.errors",
    "Conversation": "llmtee.model",
    "Detection": "llmtee.bulk",
    "EventLog": "llmtee.delivery.recorded",
    "HistoryIncomplete": "llmtee.errors",
    "HoneyHive": "llmtee.vendors.honeyhive",
    "Inkeep": "llmtee.vendors.inkeep",
    "InputError": "llmtee.errors",
    "LangSmith": "llmtee.sources",
    "Langfuse": "llmtee.sources",
    "LlmteeError": "llmtee.errors",
    "Message": "llmtee.model",
    "Migration": "llmtee.migrate",
    "ModelCall": "llmtee.model",
    "OTLP": "llmtee.vendors.otlp",
    "Roark": "llmtee.vendors.roark",
    "Step": "llmtee.model",
    "Tee": "llmtee.tee",
    "ToolRun": "llmtee.model",
    "UsageError": "llmtee.errors",
    "Voker": "llmtee.vendors.voker",
    "assemble": "llmtee.functions",
    "configure": "llmtee.tee",
    "convert": "llmtee.bulk",
    "detect": "llmtee.bulk",
    "explain": "llmtee.functions",
    "from_frame": "llmtee.frames",
    "get_tee": "llmtee.tee",
    "parse": "llmtee.functions",
    "read": "llmtee.bulk",
    "render": "llmtee.functions",
    "to_frame": "llmtee.frames",
}

__all__ = [  # noqa: RUF022 - sorted as text is; a test compares it with what is there
    "Annotation",
    "ConfigError",
    "Conversation",
    "Detection",
    "EventLog",
    "HistoryIncomplete",
    "HoneyHive",
    "Inkeep",
    "InputError",
    "LangSmith",
    "Langfuse",
    "LlmteeError",
    "Message",
    "Migration",
    "ModelCall",
    "OTLP",
    "Roark",
    "Step",
    "Tee",
    "ToolRun",
    "UsageError",
    "Voker",
    "__version__",
    "assemble",
    "configure",
    "convert",
    "detect",
    "explain",
    "from_frame",
    "get_tee",
    "parse",
    "read",
    "render",
    "to_frame",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'llmtee' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
