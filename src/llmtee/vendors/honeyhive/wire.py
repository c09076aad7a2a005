"""HoneyHive's shapes in its own words.

Source: the seed page *Create a batch of events*, the OpenAPI documents 1.1.0 and 1.9.0, the Python SDK honeyhive
1.7.0 and what it sends, 2026-11.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, NotRequired, TypedDict

EventType = Literal["model", "tool", "chain", "session"]


class Event(TypedDict):
    """One event of a batch.

    The legacy API wants all of them but the ids and times, and keeps fields it does not know. The v1 API wants
    ``event_type`` and ``inputs``, knows no ``project``, and refuses what is not listed here.
    """

    project: NotRequired[str]
    """Legacy only."""
    project_id: NotRequired[str]
    source: NotRequired[str]
    event_name: NotRequired[str]
    event_type: EventType
    event_id: NotRequired[str]
    """A UUID: the event's identity; the last write wins."""
    session_id: NotRequired[str]
    """A UUID. The server replaces anything else by a new one."""
    parent_id: NotRequired[str]
    """A UUID; the session's where the event has no parent."""
    children_ids: NotRequired[list[str]]
    config: NotRequired[dict[str, Any]]
    """``model``, ``provider``, ``hyperparameters``, ``template``, ``type``, ``version``."""
    inputs: dict[str, Any]
    """Of a model event: the template's variables, and the messages in ``chat_history``."""
    outputs: NotRequired[dict[str, Any]]
    """Of a model event: the answer, as a message. Never text, never a list."""
    error: NotRequired[str | None]
    start_time: NotRequired[int]
    """Unix milliseconds. Whole numbers are safe in every generation of the API."""
    end_time: NotRequired[int]
    """Unix milliseconds."""
    duration: NotRequired[float]
    """Milliseconds, with a fraction."""
    metadata: NotRequired[dict[str, Any]]
    """``cost``, ``prompt_tokens``, ``completion_tokens``, ``total_tokens``, and anything else."""
    feedback: NotRequired[dict[str, Any]]
    metrics: NotRequired[dict[str, Any]]
    user_properties: NotRequired[dict[str, Any]]


class SessionProperties(TypedDict):
    """What holds for the whole session. Both APIs tolerate more than they list here."""

    session_name: NotRequired[str]
    session_id: NotRequired[str]
    source: NotRequired[str]
    config: NotRequired[dict[str, Any]]
    inputs: NotRequired[dict[str, Any]]
    outputs: NotRequired[dict[str, Any]]
    error: NotRequired[str | None]
    start_time: NotRequired[int]
    end_time: NotRequired[int]
    duration: NotRequired[float]
    metrics: NotRequired[dict[str, Any]]
    feedback: NotRequired[dict[str, Any]]
    metadata: NotRequired[dict[str, Any]]
    user_properties: NotRequired[dict[str, Any]]


class Batch(TypedDict):
    """Body of ``POST /events/batch`` and ``POST /v1/events/batch``."""

    events: list[dict[str, Any]]
    is_single_session: NotRequired[bool]
    """Legacy."""
    single_session: NotRequired[bool]
    """v1."""
    session_properties: NotRequired[dict[str, Any]]


class BatchAnswer(TypedDict):
    """Body of the answer, at 200 and at a 500 that created a part of the events."""

    event_ids: list[str]
    """The events that were created, in no particular order."""
    session_id: NotRequired[str]
    success: bool
    errors: NotRequired[list[str]]
    """At 500: sentences that do not say which event they are about."""


@dataclass(frozen=True, slots=True)
class Api:
    """Where the two generations of the API differ."""

    batch_path: str
    single_session: str
    """The field that says that a batch holds one session."""
    read_path: str
    since: str
    """The field of ``dateRange`` that says from when, in ISO 8601; inclusive, as is the other."""
    until: str
    counts: tuple[str, ...]
    """The fields of a read answer, one of which says how many events there are."""


UPDATE_PATH: Final = "/events"
"""Where the legacy API updates an event; v1 has the event's id in the path."""

LEGACY: Final = Api(
    "/events/batch",
    "is_single_session",
    "/v1/events/export",
    "$gte",
    "$lte",
    ("totalEvents", "count"),
)
V1: Final = Api(
    "/v1/events/batch", "single_session", "/v1/events/search", "start_time", "end_time", ("count",)
)
MAX_PAGE: Final = 1000
"""Events that one answer of either API may hold; the legacy one allows more."""

EVENT_FIELDS: Final = frozenset(Event.__annotations__)
V1_FIELDS: Final = EVENT_FIELDS - {"project"}
MESSAGE_FIELDS: Final = frozenset(
    {"role", "content", "refusal", "tool_calls", "function_call", "audio"}
)
"""What shows that the outputs of a model event are a message."""


def api(name: Literal["legacy", "v1"]) -> Api:
    """The generation of a setting."""
    return LEGACY if name == "legacy" else V1
