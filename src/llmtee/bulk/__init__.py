"""Files and streams of records: read and convert."""

from __future__ import annotations

from llmtee.bulk._convert import Report, convert
from llmtee.bulk._read import read

__all__ = ["Report", "convert", "read"]
