"""Annotations as feedback on a message (``POST /feedback``) or as a usage event (``POST /events``).

Source: the vendor's generated TypeScript SDK (0.2.4-alpha.36), November 2026. Both take an id, so that a repetition is
no second one.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError

from llmtee.errors import InputError
from llmtee.jsonfields import as_list, as_object
from llmtee.model import Annotation, Item, Reason, Supplement, conversation_id
from llmtee.model.times import to_iso
from llmtee.spec import Exchange, Request, Retry, Unauthorised, Verdict, WireItem
from llmtee.vendors.inkeep.notes import Notes
from llmtee.vendors.inkeep.people import decode_person, encode_person
from llmtee.vendors.inkeep.render import without_nul
from llmtee.vendors.inkeep.settings import Inkeep

FEEDBACK_PATH: Final = "/feedback"
EVENTS_PATH: Final = "/events"
_PARKED: Final = "llmtee"
"""The property that holds what Inkeep has no field for."""


def supplement(item: Supplement, settings: Inkeep) -> WireItem:
    """A rating as feedback, an action as a usage event; skipped where it is neither."""
    if not isinstance(item, Annotation):
        return _skip(item, f"Inkeep has no place for a {item.kind}")
    if item.rating is None and not item.action:
        return _skip(item, "Inkeep takes ratings and usage events, and it has neither")
    message = item.target if item.target_type == "message" else item.message
    of_conversation = item.rating is None and item.target_type == "session"
    if not message and not of_conversation:
        return _skip(item, "Inkeep takes it of a message, and its target made none")
    notes = Notes()
    body: dict[str, Any] = {"id": item.id}
    if item.rating is not None:
        path = FEEDBACK_PATH
        body |= {"type": item.rating, "messageId": message}
        body |= {"details": item.comment} if item.comment is not None else {}
        body |= {"reasons": [_reason(one) for one in item.reasons]} if item.reasons else {}
        if item.target_type == "session":
            reason = "Inkeep takes a rating of a message: it stands on the session's last answer"
            notes.add("target", "changed", reason)
    else:
        path = EVENTS_PATH
        body["type"] = item.action
        if of_conversation:
            body |= {"entityType": "conversation", "conversationId": conversation_id(item.target)}
        else:
            body |= {"entityType": "message", "messageId": message}
    if item.at is not None:
        body["createdAt"] = to_iso(item.at)
    if properties := _properties(item):
        body["properties"] = properties
    if item.person is not None and (person := encode_person(item.person)):
        body["userProperties"] = person
    body = without_nul(body, notes)
    return WireItem(item.id, body, session=item.session, notes=notes.made(), context={"path": path})


def read_supplement(body: Any) -> Annotation:
    """What feedback or a usage event says.

    Raises:
        InputError: it is neither; the error names the JSON path.
    """
    body = as_object(body, "")
    properties = dict(as_object(body.get("properties") or {}, "properties"))
    parked = as_object(properties.pop(_PARKED, None) or {}, f"properties.{_PARKED}")
    said: dict[str, Any] = {**parked, "properties": properties}
    if "entityType" in body:
        said["action"] = body.get("type")
    else:
        said |= {"rating": body.get("type"), "comment": body.get("details")}
        said["reasons"] = as_list(body.get("reasons") or [], "reasons")
    target = body.get("messageId") or body.get("conversationId")
    if not isinstance(target, str):
        raise InputError("must be text, as in Inkeep's feedback and events", path="messageId")
    whole = {
        "target": target,
        "target_type": "message",
        **said,
        "id": body.get("id"),
        "at": body.get("createdAt"),
        "person": decode_person(body.get("userProperties"), "userProperties"),
    }
    return _built(whole)


def readable(item: Item | Supplement, settings: Inkeep) -> Item | Supplement | None:
    """What Inkeep's API gives back: conversations and feedback, and no usage events."""
    return None if isinstance(item, Annotation) and item.rating is None else item


def request(item: WireItem) -> Request | None:
    """The one request of feedback or a usage event; ``None`` for a conversation."""
    path = item.context.get("path")
    return None if path is None else Request("POST", path, body=item.body, items=(item,))


def verdict(exchange: Exchange, plain: Verdict | None) -> Verdict | None:
    """The verdict where it is another than a conversation's: Inkeep does not have the message, or not yet."""
    of_us = exchange.request.path in (FEEDBACK_PATH, EVENTS_PATH)
    if of_us and isinstance(plain, Unauthorised) and exchange.status == 404:
        problem = exchange.json
        if isinstance(problem, dict) and problem.get("code") == "not_found":
            return Retry("404: Inkeep does not have the message", after=exchange.retry_after)
    return plain


def _built(said: dict[str, Any]) -> Annotation:
    try:
        return Annotation.model_validate({k: v for k, v in said.items() if v is not None})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise InputError(first["msg"], path=".".join(map(str, first["loc"]))) from None


def _properties(item: Annotation) -> dict[str, Any]:
    parked: dict[str, Any] = {
        "metrics": item.metrics,
        "feedback": item.feedback,
        "outputs": item.outputs,
    }
    if item.rating is None:
        parked |= {"comment": item.comment, "reasons": [one.to_json() for one in item.reasons]}
    else:
        parked["action"] = item.action
    if item.target_type != "message":
        parked |= {"target": item.target, "target_type": item.target_type}
    kept = {key: value for key, value in parked.items() if value not in (None, {}, [])}
    return {**item.properties, **({_PARKED: kept} if kept else {})}


def _reason(reason: Reason) -> dict[str, str]:
    return {"label": reason.label, "details": reason.details}


def _skip(item: Supplement, reason: str) -> WireItem:
    return WireItem(item.id, None, skip=reason)
