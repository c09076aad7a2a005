"""Langfuse: observations, traces and scores, of its API and of its exports, to events. Only read.

Read are the observation and trace objects of the API (camelCase), the field groups of its second version, and the rows
of blob exports (snake_case, objects maybe as JSON text), and pages of them, ``{"data": […], "meta": …}``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtee import jsontext
from llmtee.errors import InputError
from llmtee.formats._traced import call as traced_call
from llmtee.formats._traced.fields import (
    Row,
    as_texts,
    first_text,
    provider,
    trace_id,
    unwrapped,
    usage_flags,
)
from llmtee.formats._traced.tools import parameters, read_tools
from llmtee.formats._traced.tree import Event, related
from llmtee.formats.langfuse.detect import CALLS, NAME, detect
from llmtee.formats.langfuse.scores import is_score, score_value, with_score
from llmtee.formats.langfuse.usage import decode_cost, decode_usage
from llmtee.jsonfields import as_list, as_object
from llmtee.model import (
    Agent,
    ErrorInfo,
    Item,
    ModelCall,
    Person,
    PromptTemplate,
    Step,
    ToolRun,
)
from llmtee.model.ids import derive_id
from llmtee.model.snapshot import to_json_value
from llmtee.spec import Format, Traces

# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def decode(raw: Any) -> list[Item]:
    """One record: an observation, a trace with or without its observations and scores, a score, or a page of them.

    - A generation is a `ModelCall`, a tool observation a `ToolRun`, any other a `Step` with its type in lower case.
    - A trace is a `Step` of type ``trace``: it holds what the application gave it and got, which is no message of its
      own, and one session has many. Its observations get its session, person, tags and environment.
    - A score is a metric of the observation or the trace that it belongs to, where that is at hand; else a `Step` of
      type ``score`` whose parent is the observation.
    - A reader of many records joins what has one trace, whichever records it came in: ``FORMAT.traces``.

    Ids are derived from Langfuse's; fields without a canonical home are in ``extra["langfuse"]`` under their own names.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    return _join([item for _, item in _split(raw)])


def _split(raw: Any) -> list[tuple[str | None, Any]]:
    return [(item.trace_id, item) for item in _decode(to_json_value(raw), "")]


def _join(items: Sequence[Event]) -> list[Item]:
    """Traces, observations and scores that belong together: exports have each kind in files of its own."""
    steps = {item.trace_id: item.id for item in items if _is_trace(item)}
    placed = [
        item.model_copy(update={"parent": steps[item.trace_id]})
        if item.parent is None and item.trace_id in steps and not _is_trace(item)
        else item
        for item in items
    ]
    events: list[Event] = []
    scores: list[Step] = []
    for item in placed:
        if isinstance(item, Step) and item.step_type == "score":
            scores.append(item)
        else:
            events.append(item)
    for score in scores:
        events = with_score(events, score)
    return related(events, ("session", "person", "tags", "source"))


def _is_trace(item: Event) -> bool:
    return isinstance(item, Step) and item.step_type == "trace"


def _decode(raw: Any, path: str) -> list[Event]:
    row = Row(raw, path)
    if isinstance(row.raw.get("data"), list) and "meta" in row.raw:
        items = [_decode(one, _at(path, "data", i)) for i, one in enumerate(row.raw["data"])]
        return [item for one in items for item in one]
    if is_score(row):
        return [_decode_score(row)]
    if row.raw.get("type") is not None:
        return [_decode_observation(row, {})]
    if row.raw.get("timestamp") is not None or "observations" in row.raw:
        return _decode_trace(row, path)
    keys = ", ".join(sorted(row.raw)[:12]) or "none"
    raise InputError(
        f"is neither an observation, a trace nor a score of Langfuse; it has the keys: {keys}",
        path=path or None,
    )


def _at(path: str, key: str, index: int) -> str:
    return f"{path}.{key}[{index}]" if path else f"{key}[{index}]"


def _decode_observation(row: Row, around: Mapping[str, Any]) -> ModelCall | ToolRun | Step:
    kind = row.get("type")
    if not isinstance(kind, str):
        raise InputError("must be text", path=row.path("type"))
    fields = {**around, **_shared(row)}
    parent = row.text("parentObservationId")
    if parent is not None:
        fields["parent"] = derive_id(NAME, parent)
    fields |= {"started_at": row.time("startTime"), "ended_at": row.time("endTime")}
    fields |= {"first_token_at": row.time("completionStartTime"), "error": _error(row)}
    if kind.upper() in CALLS:
        return _decode_call(row, fields)
    if kind.upper() == "TOOL":
        arguments, result = unwrapped(row.get("input")), unwrapped(row.get("output"))
        return ToolRun(arguments=arguments, result=result, **_finished(row, fields))
    if kind.upper() == "AGENT" and fields.get("name") is not None:
        fields["agent"] = Agent(name=fields["name"])
    inputs, outputs = row.object("input"), row.object("output")
    fields |= {"inputs": inputs, "outputs": outputs, "step_type": kind.lower()}
    return Step(**_finished(row, fields))


def _shared(row: Row) -> dict[str, Any]:
    """What observations, traces and scores have alike. ``None`` where Langfuse says nothing is left out."""
    own, trace = row.text("id"), row.text("traceId")
    user = row.text("userId")
    ids = {NAME: own, f"{NAME}.trace": trace}
    fields = {
        "id": derive_id(NAME, own or jsontext.dumps_sorted(row.raw).decode()),
        "session": row.text("sessionId"),
        "trace_id": trace_id(NAME, trace),
        "name": row.text("name"),
        "person": None if user is None else Person(id=user),
        "tags": as_texts(row.get("tags"), row.path("tags")) or None,
        "source": row.text("environment"),
        "properties": row.object("metadata") or None,
        "source_ids": {key: value for key, value in ids.items() if value is not None},
    }
    return {key: value for key, value in fields.items() if value is not None}


def _error(row: Row) -> ErrorInfo | None:
    if row.raw.get("level") != "ERROR":
        return None
    row.get("level")
    return ErrorInfo(message=row.text("statusMessage") or "failed")


def _finished(row: Row, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with what nobody asked for in ``extra``; the level that every observation has tells nothing."""
    extra = row.rest()
    if extra.get("level") == "DEFAULT":
        del extra["level"]
    return {**fields, "extra": {NAME: extra}} if extra else dict(fields)


def _decode_call(row: Row, fields: dict[str, Any]) -> ModelCall:
    metadata = fields.get("properties", {})
    request, response = row.get("input"), row.get("output")
    asked = traced_call.read_input(request, NAME)
    answered = traced_call.read_output(response, NAME)
    given = parameters(row.object("modelParameters"))
    model = row.text("providedModelName") or row.text("model")
    usage = decode_usage(row)
    attributes = metadata.get("attributes")
    attributes = attributes if isinstance(attributes, Mapping) else {}
    words = (attributes.get("gen_ai.provider.name"), attributes.get("gen_ai.system"))
    maker = first_text((metadata.get("ls_provider"), *words))
    tools = read_tools(row.get("toolDefinitions"), NAME)
    fields |= {
        "provider": provider(maker, model or asked.model),
        "model": asked.model,
        "response_model": model or answered.model,
        "parameters": {**asked.parameters, **given},
        "tools": asked.tools or tools,
        "template": _template(row),
        "input": asked.messages,
        "choices": answered.choices,
        "usage": usage,
        "cost": decode_cost(row),
        "flags": usage_flags(usage),
    }
    if request is not None or response is not None:
        fields["native"] = traced_call.native(NAME, request, response)
    return ModelCall(**_finished(row, fields))


def _template(row: Row) -> PromptTemplate | None:
    name, version = row.text("promptName"), row.text("promptVersion")
    return None if name is None else PromptTemplate(id=name, version=version)


# ── traces and scores ───────────────────────────────────────────────────────────────────────────────────────────


def _decode_trace(row: Row, path: str) -> list[Event]:
    fields = _shared(row)
    own = row.text("id")
    fields["id"] = _trace_event(own) if own is not None else fields["id"]
    fields["trace_id"] = trace_id(NAME, own)
    fields["source_ids"] = {f"{NAME}.trace": own} if own is not None else {}
    fields |= {"started_at": row.time("timestamp"), "step_type": "trace"}
    fields |= {"inputs": row.object("input"), "outputs": row.object("output")}
    around = {} if fields["trace_id"] is None else {"trace_id": fields["trace_id"]}
    observations, scores = _listed(row, "observations"), _listed(row, "scores")
    events: list[Event] = [Step(**_finished(row, fields))]
    for i, one in enumerate(observations):
        event = _decode_observation(Row(one, _at(path, "observations", i)), around)
        events.append(event if event.parent else event.model_copy(update={"parent": fields["id"]}))
    for i, one in enumerate(scores):
        events.append(_decode_score(Row(one, _at(path, "scores", i)), around))
    return events


def _listed(row: Row, key: str) -> list[Any]:
    """Observations or scores in a trace: whole, or only their ids, which stay where they are."""
    listed = as_list(unwrapped(row.raw.get(key)), row.path(key))
    if any(not isinstance(one, Mapping) for one in listed):
        if all(isinstance(one, str) for one in listed):
            return []
        return [as_object(one, f"{row.path(key)}[{i}]") for i, one in enumerate(listed)]
    row.get(key)
    return listed


def _trace_event(own: str) -> str:
    # A trace and its first observation may have the same id.
    return derive_id(NAME, "trace", own)


def _decode_score(row: Row, around: Mapping[str, Any] | None = None) -> Step:
    fields = {**(around or {}), **_shared(row)}
    name = row.text("name") or "score"
    observation, trace = row.text("observationId"), row.text("traceId")
    if observation is not None:
        fields["parent"] = derive_id(NAME, observation)
    elif trace is not None:
        fields["parent"] = _trace_event(trace)
    fields |= {"name": name, "step_type": "score", "started_at": row.time("timestamp")}
    fields["metrics"] = {name: score_value(row)}
    comment = row.text("comment")
    if comment is not None:
        fields["outputs"] = {"comment": comment}
        if row.raw.get("source") == "ANNOTATION":  # said by a person, not by a program
            fields["feedback"] = {name: comment}
    return Step(**_finished(row, fields))


FORMAT = Format(
    name=NAME,
    title="Langfuse observations, traces and scores",
    decode=decode,
    detect=detect,
    traces=Traces(split=_split, join=_join),
)
