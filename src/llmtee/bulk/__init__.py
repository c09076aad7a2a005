"""Files and streams of records: tell their format, read and convert.

What reads vendors, too, is loaded when it is first used: a process that converts files needs nothing of delivery.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from llmtee.bulk._convert import SESSION_LIMIT, convert
from llmtee.bulk._records import LETTER
from llmtee.bulk._sink import open_sink
from llmtee.bulk._source import files_of
from llmtee.bulk._tally import Progress, Report
from llmtee.bulk._trail import Unfinished, unfinished
from llmtee.bulk.tables import TableMapping, mapping_of_words
from llmtee.decoders import Detection, detect

if TYPE_CHECKING:
    from llmtee.bulk._export import STATE, Exported, export
    from llmtee.bulk._history import read, window_of

_LATER = {
    "STATE": "_export",
    "Exported": "_export",
    "export": "_export",
    "read": "_history",
    "window_of": "_history",
}

__all__ = [
    "LETTER",
    "SESSION_LIMIT",
    "STATE",
    "Detection",
    "Exported",
    "Progress",
    "Report",
    "TableMapping",
    "Unfinished",
    "convert",
    "detect",
    "export",
    "files_of",
    "mapping_of_words",
    "open_sink",
    "read",
    "unfinished",
    "window_of",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = value
    return value
