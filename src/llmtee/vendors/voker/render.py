"""A canonical event to Voker's event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.formats.openai_chat.codec import encode_call
from llmtee.model import Item, ModelCall, Step, ToolRun
from llmtee.model.ids import is_uuid
from llmtee.spec import Note, WireItem
from llmtee.vendors.voker import wire
from llmtee.vendors.voker.settings import Voker

_SHAPE = "Voker keeps a call only in a provider's own shape, and this does not come back from there"

REASONS: Mapping[str, str] = {
    "id": "Voker gives an event no id",
    "parent": "Voker's events do not form a tree",
    "trace_id": "Voker has no field for a trace",
    "name": "every event of Voker is named 'llm'",
    "agent": "Voker keeps an agent's name and version; descriptions belong to PUT /api/v1/agents",
    "person": "Voker keeps a person's id; properties belong to PUT /api/v1/people",
    "started_at": "Voker has no field for times: an event counts as happening when it is received",
    "ended_at": "Voker has no field for times: an event counts as happening when it is received",
    "first_token_at": "Voker has no field for times",
    "duration_ms": "Voker has no field for durations",
    "error": "Voker has no field for errors",
    "metrics": "Voker has no field for metrics",
    "feedback": "Voker has no field for feedback",
    "properties": "Voker has no free-form field",
    "tags": "Voker has no field for tags",
    "source": "Voker has no field for the source",
    "source_ids": "Voker has no field for foreign ids, apart from the id in the response",
    "flags": "Voker has no field for remarks",
    "extra": "Voker has no free-form field",
    "provider": "Voker names the shape of a call, not who served it",
    "parameters": _SHAPE,
    "tools": _SHAPE,
    "input": _SHAPE,
    "choices": _SHAPE,
    "usage": _SHAPE,
    "cost": "Voker has no field for cost",
    "template": "Voker has no field for prompt templates",
    "native": "Voker takes only the provider shapes it knows; the call was translated",
}
"""Why a canonical field is lost, for the ledger."""

_NO_PLACE = "Voker has no place for {}: its only event is a model call"
_NO_ANSWER = (
    "Voker has no place for a call without an answer; failed_calls=True sends it with empty choices"
)


def render(item: Item, settings: Voker) -> WireItem:
    """A model call as the body of ``POST /api/v1/events``; anything else is skipped with the reason.

    The provider's own request and response go verbatim where Voker knows their dialect; otherwise the call is
    translated to OpenAI Chat Completions.
    """
    match item:
        case ModelCall():
            return _render_call(item, settings)
        case ToolRun():
            reason = _NO_PLACE.format("tool runs")
        case Step():
            reason = _NO_PLACE.format(f"steps (this one is a {item.step_type!r})")
        case _:
            reason = _NO_PLACE.format("whole conversations")
    return WireItem(item.id, None, session=item.session, skip=reason)


def _render_call(call: ModelCall, settings: Voker) -> WireItem:
    notes: list[Note] = []
    properties = _verbatim(call) or _translated(call, settings, notes)
    if properties is None:
        return WireItem(call.id, None, session=call.session, skip=_NO_ANSWER)
    body: wire.Event = {
        "event_name": "llm",
        "properties": properties,
        "fingerprint_id": _fingerprint(call, settings),
        "agent": _agent(call, settings, notes),
        "session": _session(call, notes),
    }
    if call.agent is not None and call.agent.version:
        body["agent_version"] = call.agent.version
    if call.person is not None and call.person.id:
        body["person"] = call.person.id
    return WireItem(call.id, body, session=call.session, notes=tuple(notes))


def _verbatim(call: ModelCall) -> wire.Properties | None:
    """The provider's own request and response, where both are there and Voker knows their dialect."""
    native = call.native
    if native is None or native.dialect not in wire.APIS:
        return None
    if not isinstance(native.request, dict) or not _is_answer(native.response):
        return None
    return {"api": native.dialect, "inputs": native.request, "output": native.response}


def _is_answer(response: Any) -> bool:
    """Whether a provider's response is more than the body of an HTTP error."""
    if not isinstance(response, dict):
        return False
    # A Responses object that failed has an ``error`` as well, but also an id: that is an answer, and sent.
    return not response.get("error") or "id" in response or "choices" in response


def _translated(call: ModelCall, settings: Voker, notes: list[Note]) -> wire.Properties | None:
    record = encode_call(call)
    inputs, output = record["request"], record["response"]
    if output is None or "choices" not in output:  # no answer, or an error body
        if not settings.failed_calls:
            return None
        output = {"choices": []}
        reason = "the call has no answer: sent with an output of empty choices (failed_calls=True)"
        notes.append(Note("choices", "changed", reason))
    elif "model" not in output and call.model is not None:
        output = {**output, "model": call.model}  # a genuine answer names its model
    native = call.native
    if native is not None and native.dialect == wire.OPENAI_CHAT:
        if isinstance(native.request, dict):
            inputs = native.request
    else:
        what = "no provider record" if native is None else f"the dialect {native.dialect!r}"
        reason = f"written as {wire.OPENAI_CHAT} from the canonical fields: the call has {what}"
        notes.append(Note("native", "changed", reason))
    return {"api": wire.OPENAI_CHAT, "inputs": inputs, "output": output}


def _fingerprint(call: ModelCall, settings: Voker) -> str:
    if settings.fingerprint_id is not None:
        return settings.fingerprint_id
    foreign = call.extra.get("voker")
    received = foreign.get("fingerprint_id") if isinstance(foreign, dict) else None
    return received if received and isinstance(received, str) else wire.NO_FINGERPRINT


def _agent(call: ModelCall, settings: Voker, notes: list[Note]) -> str:
    if call.agent is not None and call.agent.name:
        return call.agent.name
    elsewhere = sorted(call.agent.ids.items()) if call.agent is not None else []
    for system, known in elsewhere:
        # One that somebody chose says more than one that a database made.
        if known and not is_uuid(known):
            reason = f"Voker needs an agent's name; its id at {system} stands for it"
            notes.append(Note("agent.name", "changed", reason))
            return known
    reason = f"Voker needs an agent's name; the setting agent says {settings.agent!r}"
    notes.append(Note("agent.name", "changed", reason))
    return settings.agent


def _session(call: ModelCall, notes: list[Note]) -> str:
    if call.session:
        return call.session
    what, session = ("trace id", call.trace_id) if call.trace_id else ("id", call.id)
    reason = f"Voker refuses an event without a session; the event's {what} stands for it"
    notes.append(Note("session", "changed", reason))
    return session
