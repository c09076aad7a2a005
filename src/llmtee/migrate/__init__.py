"""Moves history from one vendor, file or log to another vendor: plan, run, resume, verify."""

from __future__ import annotations

from llmtee.migrate.migration import Migration
from llmtee.migrate.plan import Plan
from llmtee.migrate.report import Reading, Report
from llmtee.migrate.run import Progress, Sent
from llmtee.migrate.samples import Sample
from llmtee.migrate.verify import Verification

__all__ = ["Migration", "Plan", "Progress", "Reading", "Report", "Sample", "Sent", "Verification"]
