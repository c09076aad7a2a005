"""Langfuse's scores: told from its other records, and put to what they are about."""

from __future__ import annotations

from typing import Any

from llmtee.formats._traced.fields import Row
from llmtee.formats._traced.tree import Event
from llmtee.formats.langfuse.detect import NAME, SCORES
from llmtee.model import Step


def is_score(row: Row) -> bool:
    """Whether a record is a score."""
    return row.raw.get("dataType", row.raw.get("data_type")) in SCORES or (
        "type" not in row.raw
        and "name" in row.raw
        and "value" in row.raw
        and bool({"observationId", "observation_id", "traceId", "trace_id"} & row.raw.keys())
    )


def score_value(row: Row) -> Any:
    """The value of a score: a number, true or false, or text."""
    value, said = row.get("value"), row.get("stringValue")
    match row.get("dataType"):
        case "BOOLEAN" if value in (0, 1):
            return bool(value)
        case "NUMERIC":
            return value
    return value if said is None else said


def with_score(events: list[Event], score: Step) -> list[Event]:
    """The events with a score among the metrics of the one that it belongs to, else at the end."""
    found = next((i for i, event in enumerate(events) if event.id == score.parent), None)
    if found is None:
        return [*events, score]
    event = events[found]
    beside = {**score.extra.get(NAME, {}), **score.outputs}
    ours = event.extra.get(NAME, {})
    scores = {**ours.get("scoreDetails", {}), score.name: beside}
    rated = event.model_copy(
        update={
            "metrics": {**event.metrics, **score.metrics},
            "feedback": {**event.feedback, **score.feedback},
            "extra": {**event.extra, NAME: {**ours, "scoreDetails": scores}},
        }
    )
    return [*events[:found], rated, *events[found + 1 :]]
