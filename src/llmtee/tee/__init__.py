"""`Tee`: what an application holds."""

from __future__ import annotations

from llmtee.delivery import Delivery, ExporterStats, FlushReport, Stats, Tuning
from llmtee.eventlog import DeadLetter, Located, Mended, Replayed, Retention
from llmtee.tee._default import DEFAULT, configure, get_tee
from llmtee.tee._scope import Place
from llmtee.tee._tee import Tee

__all__ = [
    "DEFAULT",
    "DeadLetter",
    "Delivery",
    "ExporterStats",
    "FlushReport",
    "Located",
    "Mended",
    "Place",
    "Replayed",
    "Retention",
    "Stats",
    "Tee",
    "Tuning",
    "configure",
    "get_tee",
]
