"""`Tee`: what an application holds."""

from __future__ import annotations

from llmtee.delivery import ExporterStats, FlushReport, Stats, Tuning
from llmtee.eventlog import Retention
from llmtee.tee._tee import Tee

__all__ = ["ExporterStats", "FlushReport", "Retention", "Stats", "Tee", "Tuning"]
