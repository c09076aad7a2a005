"""Calls of the management API that are recorded and delivered in the background: a `VendorRequest`, there and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from llmtee.errors import InputError, UsageError
from llmtee.model import ModelCall, Supplement, VendorRequest
from llmtee.model.ids import new_id
from llmtee.spec import Request, WireItem
from llmtee.vendors.voker import wire
from llmtee.vendors.voker.api.operations import (
    create_agent,
    create_agent_version,
    create_event,
    create_person,
    update_person,
)
from llmtee.vendors.voker.parse import parse
from llmtee.vendors.voker.render import render
from llmtee.vendors.voker.settings import Voker

NAME: Final = "voker"
EVENT: Final = "events.create"


def _create_event(**arguments: Any) -> Any:
    return create_event(fingerprint_id=wire.NO_FINGERPRINT, **arguments)


OPERATIONS: Final[Mapping[str, tuple[Callable[..., Any], str, str]]] = {
    "agents.create": (create_agent, "agents", "agent_name"),
    "agent_versions.create": (create_agent_version, "agents", "agent_name"),
    "people.create": (create_person, "people", "person_id"),
    "people.update": (update_person, "people", "person_id"),
    EVENT: (_create_event, "sessions", "session"),
}
"""What each operation calls, and by which argument it is known what it is about."""


def vendor_request(operation: str, **arguments: Any) -> VendorRequest:
    """A call to be delivered in the background, in its order among those about the same agent, person or session.

    Args:
        operation: ``agents.create``, ``agent_versions.create``, ``people.create``, ``people.update`` or
            ``events.create``.
        arguments: those of the function of `operations` with that name; an event's fingerprint is made when it is sent.

    Raises:
        UsageError: there is no such operation, or it does not take these arguments.
    """
    request = _request(operation, arguments)
    if request is None:
        raise UsageError(f"Voker has no {operation!r} to send; known: {', '.join(OPERATIONS)}")
    _, kind, argument = OPERATIONS[operation]
    given = {key: value for key, value in arguments.items() if value is not None}
    return VendorRequest(
        vendor=NAME,
        operation=operation,
        arguments=given,
        subject=f"{kind}/{given[argument]}",
    )


def event_of(body: Mapping[str, Any]) -> ModelCall | None:
    """The event of a body of ``POST /api/v1/events``, as a new one, where rendering it gives the body back.

    ``None`` for a body that only Voker can make something of, and that goes to Voker alone.
    """
    try:
        [call] = parse(body)
    except InputError:
        return None
    if not isinstance(call, ModelCall):
        return None
    settings = Voker()
    again = render(call, settings).body or {}
    sent = {"agent": settings.agent, **body, "fingerprint_id": wire.NO_FINGERPRINT}
    if {**again, "fingerprint_id": wire.NO_FINGERPRINT} != sent:
        return None
    return call.model_copy(update={"id": new_id()})


def supplement(item: Supplement, settings: Voker) -> WireItem:
    """A `VendorRequest` as a wire item; its body says the call, and ``pack`` makes the request of it."""
    if not isinstance(item, VendorRequest):
        return WireItem(item.id, None, skip="Voker has no place for feedback and metrics")
    try:
        request = _request(item.operation, item.arguments)
    except UsageError as error:
        return WireItem(item.id, None, skip=f"{item.operation}: {error}")
    if request is None:
        return WireItem(item.id, None, skip=f"Voker has no operation {item.operation!r}")
    body = request.body
    if item.operation == EVENT:
        body = {"agent": settings.agent, **body}
        if settings.fingerprint_id is not None:
            body["fingerprint_id"] = settings.fingerprint_id
    return WireItem(item.id, body, context={"method": request.method, "path": request.path})


def _request(operation: str, arguments: Mapping[str, Any]) -> Request | None:
    if operation not in OPERATIONS:
        return None
    make = OPERATIONS[operation][0]
    try:
        request: Request = make(**arguments).request
    except TypeError as error:
        # Of the call itself: what the arguments hold is looked at by the function, which raises UsageError.
        raise UsageError(f"{operation}: {error}") from None
    return request
