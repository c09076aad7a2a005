"""What all events take from a span: who, when, in which session, what failed, how it was scored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from llmtee import jsontext
from llmtee.formats.otel_genai.attributes import Attributes, finite, whole
from llmtee.formats.otel_genai.otlp import Span, SpanEvent
from llmtee.model import Agent, ErrorInfo, Person
from llmtee.model.ids import derive_id
from llmtee.model.times import parse_time

OWNER = "otel"
"""Under which names the ids of spans are kept and derived. The same span has one id, whichever format reads it."""

_TRACELOOP, _VERCEL = "traceloop.association.properties.", "ai.telemetry.metadata."
_SESSION = (
    *("gen_ai.conversation.id", "session.id"),
    *(f"{_TRACELOOP}{name}" for name in ("session_id", "conversation_id", "thread_id", "chat_id")),
    *("langfuse.session.id", "langsmith.trace.session_id", "langsmith.metadata.session_id"),
    *("langsmith.metadata.thread_id", f"{_VERCEL}sessionId", f"{_VERCEL}conversationId"),
)
_PERSON = (
    *("user.id", "enduser.id", f"{_TRACELOOP}user_id", "langfuse.user.id"),
    *(f"{_VERCEL}userId", "langsmith.metadata.user_id"),
)
_EVALUATION = "gen_ai.evaluation."


def common(span: Span, attributes: Attributes) -> dict[str, Any]:
    """The fields of any event, by name. Those without a value are left out."""
    tags = attributes.json("tag.tags", "langfuse.trace.tags")
    service = span.resource.get("service.name")
    fields = {
        "id": span_id(span),
        "parent": _parent(span),
        "trace_id": span.trace_id,
        **identity(attributes),
        "started_at": span.start,
        "ended_at": span.end,
        "first_token_at": _first_token(span, attributes),
        "metrics": _scores(span, attributes),
        "properties": _properties(attributes),
        "tags": tuple(tag for tag in tags if isinstance(tag, str))
        if isinstance(tags, list)
        else None,
        "source": service if isinstance(service, str) else None,
        "source_ids": _source_ids(span),
    }
    return {key: value for key, value in fields.items() if value is not None}


def identity(attributes: Attributes) -> dict[str, Any]:
    """``session``, ``person`` and ``agent``, which hold for the spans below, too; ``None`` where nothing says."""
    return {
        "session": attributes.text(*_SESSION),
        "person": _person(attributes.text(*_PERSON)),
        "agent": _agent(attributes),
    }


def span_id(span: Span) -> str:
    """The id of a span's event: of its trace and its own id, else of what it holds."""
    if span.trace_id and span.span_id:
        return derive_id(OWNER, span.trace_id, span.span_id)
    return derive_id(OWNER, jsontext.dumps_sorted(dict(span.raw)).decode())


def _parent(span: Span) -> str | None:
    if span.trace_id and span.parent_id:
        return derive_id(OWNER, span.trace_id, span.parent_id)
    return None


def _source_ids(span: Span) -> dict[str, str]:
    ids = {
        f"{OWNER}.trace_id": span.trace_id,
        f"{OWNER}.span_id": span.span_id,
        f"{OWNER}.parent_span_id": span.parent_id,
    }
    return {key: value for key, value in ids.items() if value}


def _person(found: str | None) -> Person | None:
    return None if found is None else Person(id=found)


def _agent(attributes: Attributes) -> Agent | None:
    own = attributes.text("gen_ai.agent.id")
    name = attributes.text("gen_ai.agent.name", "agent.name")
    version = attributes.text("gen_ai.agent.version")
    if own is None and name is None and version is None:
        return None
    return Agent(
        name=name,
        version=version,
        description=attributes.text("gen_ai.agent.description"),
        ids={} if own is None else {OWNER: own},
    )


def _properties(attributes: Attributes) -> dict[str, Any] | None:
    """Metadata of the application's own. What the session and the person were read from is not repeated."""
    found = dict(attributes.object("metadata"))
    unread = attributes.unread()
    for prefix in (_TRACELOOP, _VERCEL, "langfuse.trace.metadata.", "langsmith.metadata."):
        for key, value in attributes.under(prefix).items():
            if prefix + key in unread and key not in found:
                found[key] = value
                attributes.take(prefix + key)
    return found or None


# ── times ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _first_token(span: Span, attributes: Attributes) -> dt.datetime | None:
    seconds = attributes.number(
        "gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token"
    )
    if seconds is None:
        ms = attributes.number("ai.response.msToFirstChunk")
        seconds = None if ms is None else ms / 1000
    if seconds is not None and span.start is not None:
        try:
            return span.start + dt.timedelta(seconds=seconds)
        except OverflowError:
            return None
    for event in first_token_events(span):
        return event.time
    told = attributes.values.get("langfuse.observation.completion_start_time")
    try:
        time = parse_time(told.strip('"') if isinstance(told, str) else None)
    except (ValueError, ArithmeticError):
        return None
    if time is not None:
        attributes.take("langfuse.observation.completion_start_time")
    return time


def first_token_events(span: Span) -> tuple[SpanEvent, ...]:
    """The event with which OpenInference marks the first token of a stream."""
    return tuple(event for event in span.events if event.name == "First Token Stream Event")


# ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────


def read_error(
    span: Span, attributes: Attributes
) -> tuple[ErrorInfo | None, tuple[SpanEvent, ...]]:
    """Why a span failed, and the exception event that says so.

    A span whose status is ok got over its exceptions: they stay events.
    """
    if span.status_code == 1:
        return None, ()
    thrown = tuple(event for event in span.events if event.name == "exception")[-1:]
    kind = attributes.text("error.type")
    level = attributes.values.get("langfuse.observation.level")
    if span.status_code != 2 and not thrown and kind is None and level != "ERROR":
        return None, ()
    about: Mapping[str, Any] = thrown[0].attributes if thrown else {}
    exception = _text(about.get("exception.type"))
    status = whole(attributes.values.get("http.response.status_code"))
    details = {
        key: value
        for key, value in about.items()
        if key not in ("exception.message", "exception.type")
    }
    said = span.status_message or _text(about.get("exception.message"))
    if said is None and level == "ERROR":
        said = attributes.text("langfuse.observation.status_message")
    message = said or exception or kind
    return ErrorInfo(
        message=message or "failed",
        type=exception or kind,
        code=kind if exception and kind != exception else None,
        status=status if status is not None and status >= 400 else None,
        details=details or None,
    ), thrown


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


# ── scores ──────────────────────────────────────────────────────────────────────────────────────────────────────


def score_events(span: Span) -> tuple[SpanEvent, ...]:
    """The span's events that are evaluations."""
    return tuple(
        event
        for event in span.events
        if event.name == f"{_EVALUATION}result"
        and _text(event.attributes.get(f"{_EVALUATION}name"))
    )


def _scores(span: Span, attributes: Attributes) -> dict[str, Any] | None:
    """Evaluations as metrics: the score under its name, label and explanation beside it."""
    keys = {"score": "score.value", "label": "score.label", "explanation": "explanation"}
    found: dict[str, Any] = {}
    for values in (attributes.values, *(event.attributes for event in score_events(span))):
        score = {key: values.get(_EVALUATION + path) for key, path in keys.items()}
        _add(found, values.get(f"{_EVALUATION}name"), score)
    if _text(attributes.values.get(f"{_EVALUATION}name")):
        attributes.take(f"{_EVALUATION}name", *(_EVALUATION + path for path in keys.values()))
    for scope in ("", "trace.", "session."):  # OpenInference's may be of more than the span
        for group, inner in (("annotations", "annotation"), ("evaluations", "evaluation")):
            before = len(found)
            for one in _listed(attributes.tree(scope + group)):
                body = one.get(inner, one)
                if isinstance(body, Mapping):
                    _add(found, body.get("name"), body, scope)
            if len(found) == before:  # a name alone says nothing
                attributes.keep(
                    *(key for key in attributes.values if key.startswith(scope + group))
                )
    return found or None


def _listed(tree: Any) -> Iterable[Mapping[str, Any]]:
    return [one for one in tree if isinstance(one, Mapping)] if isinstance(tree, list) else []


def _add(found: dict[str, Any], name: Any, one: Mapping[str, Any], scope: str = "") -> None:
    if not isinstance(name, str) or not name:
        return
    name = scope + name
    score, label = finite(one.get("score")), one.get("label")
    if score is None and label is not None:
        found[name] = label
    elif score is not None:
        found[name] = score
        if label is not None:
            found[f"{name}.label"] = label
    for key, value in one.items():
        if key not in ("name", "score", "label") and value is not None:
            found[f"{name}.{key}"] = value
