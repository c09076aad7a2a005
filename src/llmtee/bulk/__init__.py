"""Files and streams of records: tell their format, read and convert."""

from __future__ import annotations

from llmtee.bulk._convert import SESSION_LIMIT, convert
from llmtee.bulk._export import STATE, Exported, export
from llmtee.bulk._history import read, window_of
from llmtee.bulk._records import LETTER
from llmtee.bulk._sink import open_sink
from llmtee.bulk._source import files_of
from llmtee.bulk._tally import Progress, Report
from llmtee.bulk._trail import Unfinished, unfinished
from llmtee.bulk.tables import TableMapping, mapping_of_words
from llmtee.decoders import Detection, detect

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
