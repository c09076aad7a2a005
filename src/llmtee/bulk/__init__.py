"""Files and streams of records: tell their format, read and convert."""

from __future__ import annotations

from llmtee.bulk._convert import Report, convert
from llmtee.bulk._export import STATE, Exported, export
from llmtee.bulk._history import read, window_of
from llmtee.bulk._records import LETTER
from llmtee.bulk._sink import open_sink
from llmtee.decoders import Detection, detect

__all__ = [
    "LETTER",
    "STATE",
    "Detection",
    "Exported",
    "Report",
    "convert",
    "detect",
    "export",
    "open_sink",
    "read",
    "window_of",
]
