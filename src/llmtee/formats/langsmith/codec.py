"""LangSmith: runs, of its API and of its exports, to events. Only read.

Read are runs with their inputs and outputs in any of the shapes that its SDKs keep: bodies of OpenAI and other
providers, ``{messages}``, LangChain's constructors and ``{generations}``; runs with ``child_runs`` inside; and answers
of the API, ``{"runs": […]}``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any

from llmtee import jsontext
from llmtee.errors import InputError
from llmtee.formats._traced import call as traced_call
from llmtee.formats._traced.fields import (
    Row,
    as_texts,
    as_time,
    first_text,
    provider,
    trace_id,
    unwrapped,
    usage_flags,
)
from llmtee.formats._traced.messages import langchain_body
from llmtee.formats._traced.tools import parameters, read_tools
from llmtee.formats._traced.tree import Event, related
from llmtee.formats.langsmith.detect import detect
from llmtee.formats.langsmith.usage import decode_cost, decode_usage
from llmtee.formats.records import decode_error
from llmtee.jsonfields import as_list, as_object, join, rest
from llmtee.model import ErrorInfo, Item, ModelCall, Person, Step, ToolRun
from llmtee.model.ids import derive_id
from llmtee.model.snapshot import to_json_value
from llmtee.spec import Format, Traces

NAME = "langsmith"

_SESSIONS = ("session_id", "thread_id", "conversation_id")
_INVOCATION = ("model", "model_name", "tools", "functions", "_type")
_LS_PARAMETERS = {
    "ls_temperature": "temperature",
    "ls_max_tokens": "max_output_tokens",
    "ls_stop": "stop",
}
_DOTTED = re.compile(r"(\d{8}T\d{12})Z([0-9a-fA-F-]{36})$")
_RAISED = re.compile(r"([A-Za-z_][\w.]*)\(")


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def decode(raw: Any) -> list[Item]:
    """One record: a run, alone or with its children inside, or an answer with several.

    - An ``llm`` run is a `ModelCall`, a ``tool`` run a `ToolRun`, any other a `Step` of its type. Only calls have
      usage and cost: what the runs above them repeat is in their ``extra``, and a call above another is no leaf.
    - The session is ``session_id``, ``thread_id`` or ``conversation_id`` in the run's metadata. ``session_id`` on the
      run itself is the project, and stands in ``source_ids``.
    - Times have no zone and mean UTC. What the run does not say is told by its ``dotted_order``.
    - A reader of many records joins what has one trace, whichever records it came in: ``FORMAT.traces``.

    Ids are derived from LangSmith's; fields without a canonical home are in ``extra["langsmith"]``.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    return _join([item for _, item in _split(raw)])


def _split(raw: Any) -> list[tuple[str | None, Any]]:
    raw = as_object(to_json_value(raw), "")
    if isinstance(raw.get("runs"), list) and "run_type" not in raw:
        runs = [_decode(one, f"runs[{i}]", {}) for i, one in enumerate(raw["runs"])]
    else:
        runs = [_decode(raw, "", {})]
    return [(item.trace_id, item) for one in runs for item in one]


def _join(items: Sequence[Event]) -> list[Item]:
    return related(items, ("session", "person", "source"))


def _decode(raw: Any, path: str, around: Mapping[str, Any]) -> list[Event]:
    row = Row(raw, path)
    kind = row.get("run_type")
    if kind is None:
        keys = ", ".join(sorted(row.raw)[:12]) or "none"
        raise InputError(
            f"is missing; a run of LangSmith has a type, this has the keys: {keys}",
            path=join(path, "run_type"),
        )
    if not isinstance(kind, str):
        raise InputError("must be text", path=row.path("run_type"))
    children = as_list(row.get("child_runs"), row.path("child_runs"))
    extra = row.object("extra")
    metadata = extra.get("metadata")
    metadata = dict(metadata) if isinstance(metadata, Mapping) else {}
    fields = {**around, **_shared(row, metadata)}
    if kind == "llm":
        event: Event = _decode_call(row, fields, extra, metadata)
    elif kind == "tool":
        event = _decode_tool(row, fields, extra)
    else:
        inputs, outputs = row.object("inputs"), row.object("outputs")
        fields |= {"step_type": kind, "inputs": inputs, "outputs": outputs}
        event = Step(**_finished(row, fields, extra))
    inherited = {key: value for key in ("trace_id",) if (value := fields.get(key)) is not None}
    inherited |= {"parent": fields["id"]}
    below = [
        _decode(child, join(path, f"child_runs[{i}]"), inherited)
        for i, child in enumerate(children)
    ]
    return [event, *(item for one in below for item in one)]


def _shared(row: Row, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What all runs have alike; what LangSmith does not say is left out."""
    own, project = row.text("id"), row.text("session_id")
    order = _dotted(row)
    parent = row.text("parent_run_id") or (order[-2][1] if len(order) > 1 else None)
    trace = row.text("trace_id") or (order[0][1] if order else None)
    user = _word(metadata, "user_id")
    session = first_text(_word(metadata, key) for key in _SESSIONS) or row.text("thread_id")
    ids = {NAME: own, f"{NAME}.trace": trace, f"{NAME}.project": project}
    started = row.time("start_time")
    fields = {
        "id": derive_id(NAME, own or jsontext.dumps_sorted(row.raw).decode()),
        "parent": None if parent is None else derive_id(NAME, parent),
        "session": session,
        "trace_id": trace_id(NAME, trace),
        "name": row.text("name"),
        "person": None if user is None else Person(id=user),
        "started_at": order[-1][0] if started is None and order else started,
        "ended_at": row.time("end_time"),
        "first_token_at": row.time("first_token_time") or _first_token(row),
        "error": _error(row),
        "feedback": _feedback(row) or None,
        "tags": as_texts(row.get("tags"), row.path("tags")) or None,
        "properties": metadata or None,
        "source": row.text("session_name"),
        "source_ids": {key: value for key, value in ids.items() if value is not None},
    }
    return {key: value for key, value in fields.items() if value is not None}


def _dotted(row: Row) -> list[tuple[dt.datetime | None, str]]:
    """Start and id of each run from the root down to this one; empty where ``dotted_order`` is of another form."""
    order = row.raw.get("dotted_order")
    found = [_DOTTED.match(one) for one in order.split(".")] if isinstance(order, str) else []
    if any(one is None for one in found):
        return []
    return [(_order_time(one[1]), one[2]) for one in found if one is not None]


def _order_time(digits: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(digits, "%Y%m%dT%H%M%S%f").replace(tzinfo=dt.UTC)
    except ValueError:
        return None


def _first_token(row: Row) -> dt.datetime | None:
    events, where = unwrapped(row.raw.get("events")), row.path("events")
    times = [
        as_time(event.get("time"), f"{where}[{i}].time")
        for i, event in enumerate(events if isinstance(events, list) else [])
        if isinstance(event, Mapping) and event.get("name") == "new_token"
    ]
    return min((time for time in times if time is not None), default=None)


def _word(fields: Mapping[str, Any], key: str) -> str | None:
    value = fields.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def _error(row: Row) -> ErrorInfo | None:
    error, status = row.get("error"), row.raw.get("status")
    if status in ("success", "error"):
        row.get("status")
    if error is None or error == "":
        return ErrorInfo(message="failed") if status == "error" else None
    found = decode_error(error, row.path("error"))
    if found is None or not isinstance(error, str):
        return found
    raised = _RAISED.match(error)  # RateLimitError("…")Traceback (most recent call last): …
    return found if raised is None else found.model_copy(update={"type": raised[1]})


def _feedback(row: Row) -> dict[str, Any]:
    """``feedback_stats`` by key, and single answers, ``{key, score, value, comment, …}``, where the run has them."""
    told = row.object("feedback_stats")
    listed = unwrapped(row.raw.get("feedback"))
    if isinstance(listed, list):
        row.get("feedback")
        for i, one in enumerate(listed):
            answer = as_object(one, f"{row.path('feedback')}[{i}]")
            key = _word(answer, "key") or "feedback"
            known = {name: value for name, value in answer.items() if value is not None}
            told[key] = rest(known, "key")
    return told


def _finished(row: Row, fields: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    more = row.rest()
    beside = {
        key: value
        for key, value in extra.items()
        if key not in ("metadata", "invocation_params") and value not in (None, {}, [])
    }
    if beside:
        more["extra"] = beside
    return {**fields, "extra": {NAME: more}} if more else dict(fields)


# ── calls and tools ─────────────────────────────────────────────────────────────────────────────────────────────


def _decode_call(
    row: Row, fields: dict[str, Any], extra: Mapping[str, Any], metadata: Mapping[str, Any]
) -> ModelCall:
    request, response = unwrapped(row.get("inputs")), unwrapped(row.get("outputs"))
    asked = traced_call.read_input(request or None, NAME)
    answered = traced_call.read_output(response or None, NAME)
    invoked = extra.get("invocation_params", metadata.get("ls_invocation_params"))
    invoked = invoked if isinstance(invoked, Mapping) else {}
    given = parameters({**asked.parameters, **rest(invoked, *_INVOCATION)})
    for key, name in _LS_PARAMETERS.items():
        if metadata.get(key) is not None:
            given.setdefault(name, metadata[key])
    model = first_text((invoked.get("model"), invoked.get("model_name"), asked.model))
    usage = decode_usage(row, metadata.get("usage_metadata"), answered.usage)
    maker = provider(
        metadata.get("ls_provider"), model or answered.model or _word(metadata, "ls_model_name")
    )
    ids = fields["source_ids"]
    if answered.response_id is not None and maker is not None:
        ids = {maker: answered.response_id, **ids}
    fields |= {
        "source_ids": ids,
        "provider": maker,
        "model": model,
        "response_model": answered.model or _word(metadata, "ls_model_name"),
        "parameters": given,
        "tools": read_tools(invoked.get("tools"), NAME) or asked.tools,
        "input": asked.messages,
        "choices": answered.choices,
        "usage": usage,
        "cost": decode_cost(row),
        "flags": usage_flags(usage),
    }
    if isinstance(response, Mapping) and "usage_metadata" in response and "usage" not in response:
        response = None  # LangSmith put its own counts in the place of the provider's: not verbatim
    if request or response:
        fields["native"] = traced_call.native(NAME, request, response)
    return ModelCall(**_finished(row, fields, extra))


def _decode_tool(row: Row, fields: dict[str, Any], extra: Mapping[str, Any]) -> ToolRun:
    arguments = _alone(unwrapped(row.get("inputs")), "input")
    result = _alone(unwrapped(row.get("outputs")), "output")
    call_id = _word(extra, "tool_call_id")
    found = langchain_body(result) if isinstance(result, Mapping) else None
    if found is not None:  # LangChain's tools answer with a message
        call_id = _word(found[1], "tool_call_id") or call_id
        result = found[1].get("content")
    serialized = row.raw.get("serialized")
    description = serialized.get("description") if isinstance(serialized, Mapping) else None
    fields |= {"call_id": call_id, "arguments": arguments, "result": result}
    if isinstance(description, str):
        fields["description"] = description
    return ToolRun(**_finished(row, fields, extra))


def _alone(value: Any, key: str) -> Any:
    """What stands under ``key``, where that is all there is: so are values kept that are no objects."""
    if isinstance(value, Mapping) and value.keys() == {key}:
        return unwrapped(value[key])
    return value or None


FORMAT = Format(
    name=NAME,
    title="LangSmith runs",
    decode=decode,
    detect=detect,
    traces=Traces(split=_split, join=_join),
)
