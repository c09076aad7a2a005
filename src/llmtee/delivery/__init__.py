"""Delivery: takes what was recorded to each vendor, whatever happens on the way, and loses nothing in silence."""

from __future__ import annotations

from llmtee.delivery.engine import Engine
from llmtee.delivery.exporter import Exporter, Tuning
from llmtee.delivery.hooks import Delivery, Hooks, OnDead, OnDelivered
from llmtee.delivery.notes import look
from llmtee.delivery.report import ExporterStats, FlushReport, HostStats, PaceStats, Stats

__all__ = [
    "Delivery",
    "Engine",
    "Exporter",
    "ExporterStats",
    "FlushReport",
    "Hooks",
    "HostStats",
    "OnDead",
    "OnDelivered",
    "PaceStats",
    "Stats",
    "Tuning",
    "look",
]
