"""Annotations as updates of an event: ``PUT /events``, or ``PUT /v1/events/{event_id}``.

Source: the OpenAPI documents 1.1.0 and 1.9.0, 2026-11. Feedback, metrics and metadata are merged into what the event has,
``outputs`` take the place of those it had; so a repetition changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from llmtee.errors import InputError
from llmtee.jsonfields import as_object
from llmtee.model import Annotation, Person, Supplement
from llmtee.spec import (
    Delivered,
    Exchange,
    Note,
    Request,
    Retry,
    Unauthorised,
    Verdict,
    WireItem,
    judge_plainly,
)
from llmtee.vendors.honeyhive import wire
from llmtee.vendors.honeyhive.identity import event_uuid, session_uuid
from llmtee.vendors.honeyhive.settings import HoneyHive

_UPDATE: Final = {"update": True}
_WORDS: Final = ("rating", "comment", "reasons", "action", "person")
"""What an annotation says by fields of its own, and where in HoneyHive's free-form ``feedback`` it stands."""


def supplement(item: Supplement, settings: HoneyHive) -> WireItem:
    """An annotation of an event or of a session as an update; skipped where HoneyHive has no such thing."""
    if not isinstance(item, Annotation):
        return WireItem(item.id, None, skip=f"HoneyHive has no place for a {item.kind}")
    if item.target_type == "message":
        reason = "HoneyHive has events and sessions, and no messages: name the event that made it"
        return WireItem(item.id, None, session=item.session, skip=reason)
    of_session = item.target_type == "session"
    event_id = session_uuid(item.target) if of_session else event_uuid(item.target)
    said = {"feedback": _feedback(item), "metrics": item.metrics, "metadata": item.properties}
    fields = {key: value for key, value in said.items() if value}
    if item.outputs is not None:
        fields["outputs"] = item.outputs
    if not fields:
        return WireItem(item.id, None, session=item.session, skip="it says nothing")
    notes = []
    if event_id != item.target:
        reason = f"HoneyHive needs ids that are UUIDs; {item.target!r:.80} was mapped to {event_id}"
        notes.append(Note("target", "changed", reason))
    body = {"event_id": event_id, **fields}
    return WireItem(item.id, body, session=item.session, notes=tuple(notes), context=_UPDATE)


def read_supplement(body: Any) -> Annotation:
    """What an update says.

    Raises:
        InputError: it is no update; the error names the JSON path.
    """
    body = as_object(body, "")
    feedback = as_object(body.get("feedback") or {}, "feedback")
    said: dict[str, Any] = {
        "target": body.get("event_id"),
        "metrics": body.get("metrics") or {},
        "outputs": body.get("outputs"),
        "properties": body.get("metadata") or {},
    }
    try:
        return _with_words(said, feedback)
    except ValidationError:
        pass  # somebody else's words
    try:
        return Annotation.model_validate({**said, "feedback": feedback})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise InputError(first["msg"], path=".".join(map(str, first["loc"]))) from None


def _with_words(said: Mapping[str, Any], feedback: Mapping[str, Any]) -> Annotation:
    """Raises ``pydantic.ValidationError`` where the words in ``feedback`` are not an annotation's own."""
    own: dict[str, Any] = {key: feedback[key] for key in _WORDS if key in feedback}
    if isinstance(own.get("person"), str):
        own["person"] = Person(id=own["person"])
    rest = {key: value for key, value in feedback.items() if key not in own}
    return Annotation.model_validate({**said, **own, "feedback": rest})


def amended(body: Any, update: Any) -> Any:
    """An event's body after an update; ``None`` where that is of another event."""
    if body["event_id"] != update["event_id"]:
        return None
    merged = {
        key: {**(body.get(key) or {}), **update[key]}
        for key in ("feedback", "metrics", "metadata")
        if key in update
    }
    return {**body, **merged, **({"outputs": update["outputs"]} if "outputs" in update else {})}


def is_update(item: WireItem) -> bool:
    """Whether an item is an update, and no event."""
    return bool(item.context.get("update"))


def request(item: WireItem, settings: HoneyHive) -> Request:
    """The one request of an update."""
    if settings.api == "legacy":
        return Request("PUT", wire.UPDATE_PATH, body=item.body, items=(item,))
    body = {key: value for key, value in item.body.items() if key != "event_id"}
    return Request("PUT", f"/v1/events/{item.body['event_id']}", body=body, items=(item,))


def judge(exchange: Exchange) -> Verdict | None:
    """The verdict of an update; ``None`` for any other request."""
    if exchange.request.method != "PUT":
        return None
    if exchange.status == 404 and isinstance(exchange.json, dict):
        # In HoneyHive's own words, so the address is right: the event may come yet.
        return Retry("404: HoneyHive does not have the event", after=exchange.retry_after)
    verdict = judge_plainly(exchange, repeatable=True)
    if verdict is not None:
        return verdict
    if exchange.content.lstrip().startswith(b"<"):
        reason = (
            f"{exchange.status}, but the answer is a page (is base_url right?): {exchange.excerpt}"
        )
        return Unauthorised(reason)
    return Delivered()  # what the answer says is not documented


def _feedback(item: Annotation) -> Mapping[str, Any]:
    said = {
        "rating": item.rating,
        "comment": item.comment,
        "reasons": [reason.to_json() for reason in item.reasons],
        "action": item.action,
        "person": None if item.person is None else item.person.id,
    }
    return {**item.feedback, **{key: value for key, value in said.items() if value}}
