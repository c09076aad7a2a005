"""`Tee`: what an application holds."""

from __future__ import annotations

from llmtee.delivery import ExporterStats, FlushReport, Stats, Tuning
from llmtee.eventlog import Retention
from llmtee.tee._default import DEFAULT, configure, get_tee
from llmtee.tee._scope import Place
from llmtee.tee._tee import Tee

__all__ = [
    "DEFAULT",
    "ExporterStats",
    "FlushReport",
    "Place",
    "Retention",
    "Stats",
    "Tee",
    "Tuning",
    "configure",
    "get_tee",
]
