"""Events to requests: cut to count and bytes, parents before their children."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llmtee import jsontext
from llmtee.spec import Limits, Request, State, WireItem
from llmtee.vendors.honeyhive import update, wire
from llmtee.vendors.honeyhive.metadata import CARRY_KEY
from llmtee.vendors.honeyhive.settings import HoneyHive

LIMITS = Limits(items=100, bytes=5_000_000, concurrency=4)
"""HoneyHive documents no limits; these are cautious."""

_OF_THE_SESSION = (
    "source",
    "config",
    "inputs",
    "outputs",
    "error",
    "start_time",
    "end_time",
    "duration",
    "metrics",
    "feedback",
    "metadata",
    "user_properties",
)
_IN_EVERY_REQUEST = ("session_name", "session_id", "source", "user_properties", "metadata")


def pack(items: Sequence[WireItem], settings: HoneyHive, state: State) -> list[Request]:
    """Batches of one session each, or of any sessions, as ``settings.sessions`` says.

    An event whose parent is among ``items`` comes after it; else the order stays. A session that travels with events
    of its own goes as ``session_properties`` beside them, and as the first of the request's items. One with a carry
    goes as an event, since only there it stands as it was rendered. Updates follow, one a request.
    """
    updates = [update.request(item, settings) for item in items if update.is_update(item)]
    return [*_pack_events([one for one in items if not update.is_update(one)], settings), *updates]


def for_history(settings: HoneyHive) -> HoneyHive:
    """Events of any sessions in one request: far fewer requests, and none that overwrites a session's own name.

    A part of a session that travels without the session's event would call it by its agent again.
    """
    if "sessions" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"sessions": "mixed"})


def _pack_events(items: Sequence[WireItem], settings: HoneyHive) -> list[Request]:
    if settings.sessions == "mixed":
        sessions = [item for item in items if _is_session(item)]
        others = [item for item in items if not _is_session(item)]
        return _cut([*sessions, *_parents_first(others)], None, settings)
    groups: dict[str, list[WireItem]] = {}
    for item in items:
        groups.setdefault(item.body["session_id"], []).append(item)
    return [request for group in groups.values() for request in _pack_session(group, settings)]


def is_rider(item: WireItem, request: Request) -> bool:
    """Whether ``item`` travels as the request's ``session_properties`` and not as one of its events."""
    return item is request.items[0] and len(request.items) > len(request.body["events"])


def _pack_session(items: Sequence[WireItem], settings: HoneyHive) -> list[Request]:
    sessions = [item for item in items if _is_session(item)]
    others = _parents_first([item for item in items if not _is_session(item)])
    if not sessions:
        return _cut(others, _shared_properties(others), settings)
    rider, *later = sessions
    properties = session_properties(rider.body)
    brief = {key: properties[key] for key in _IN_EVERY_REQUEST if key in properties}
    events = [*later, *others]
    about = brief.get("metadata", {})
    if CARRY_KEY in about:
        brief["metadata"] = {key: about[key] for key in about if key != CARRY_KEY}
        return _cut([rider, *events], brief, settings)
    count = _fitting(events, properties, settings, riders=1)
    if not count:
        return _cut([rider, *events], brief, settings)
    first = _request(events[:count], properties, settings, rider=rider)
    return [first, *_cut(events[count:], brief, settings)]


def _cut(
    events: Sequence[WireItem], properties: Mapping[str, Any] | None, settings: HoneyHive
) -> list[Request]:
    requests = []
    while events:
        count = max(1, _fitting(events, properties, settings))
        requests.append(_request(events[:count], properties, settings))
        events = events[count:]
    return requests


def _fitting(
    events: Sequence[WireItem],
    properties: Mapping[str, Any] | None,
    settings: HoneyHive,
    *,
    riders: int = 0,
) -> int:
    """How many of ``events``, from the first, one request can hold. The bytes are those of the whole body."""
    most = (settings.max_items or LIMITS.items) - riders
    room = (settings.max_bytes or LIMITS.bytes) - len(
        jsontext.dumps(_body([], properties, settings))
    )
    count = 0
    for event in events[:most]:
        room -= event.size + (1 if count else 0)  # a comma between two
        if room < 0:
            break
        count += 1
    return count


def _request(
    events: Sequence[WireItem],
    properties: Mapping[str, Any] | None,
    settings: HoneyHive,
    *,
    rider: WireItem | None = None,
) -> Request:
    items = (*([] if rider is None else [rider]), *events)
    body = _body([event.body for event in events], properties, settings)
    return Request("POST", wire.api(settings.api).batch_path, body=body, items=items)


def _body(
    events: list[Any], properties: Mapping[str, Any] | None, settings: HoneyHive
) -> dict[str, Any]:
    single = {wire.api(settings.api).single_session: properties is not None}
    about = {} if properties is None else {"session_properties": dict(properties)}
    return {"events": events, **single, **about}


# ── what holds for a session ────────────────────────────────────────────────────────────────────────────────────


def _is_session(item: WireItem) -> bool:
    return bool(item.body["event_type"] == "session")


def session_properties(event: Mapping[str, Any]) -> dict[str, Any]:
    """A session's event as ``session_properties``."""
    named = {"session_name": event["event_name"], "session_id": event["session_id"]}
    facts = {key: event[key] for key in _OF_THE_SESSION if key in event}
    # The legacy event has these two always; here only what they say counts.
    return named | {
        key: value for key, value in facts.items() if key not in ("config", "duration") or value
    }


def _shared_properties(items: Sequence[WireItem]) -> dict[str, Any]:
    """What all events of a session agree on, as its properties."""
    bodies = [item.body for item in items]
    about = [body.get("metadata", {}) for body in bodies]
    metadata = {
        key: about[0][key]
        for key in ("session_id", "agent")
        if _agree(one.get(key) for one in about)
    }
    agent = metadata.get("agent")
    name = agent.get("name") if isinstance(agent, dict) else None
    properties: dict[str, Any] = {
        "session_name": name or metadata.get("session_id") or bodies[0]["session_id"],
        "session_id": bodies[0]["session_id"],
    }
    for key in ("source", "user_properties"):
        if _agree(body.get(key) for body in bodies):
            properties[key] = bodies[0][key]
    return properties | ({"metadata": metadata} if metadata else {})


def _agree(values: Iterable[Any]) -> bool:
    """Whether all are the same, and not nothing."""
    first, *others = values
    return bool(first) and all(value == first for value in others)


# ── order ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _parents_first(items: Sequence[WireItem]) -> list[WireItem]:
    """``items`` in their order, but each after its parent. In a circle of parents somebody has to be first."""
    by_id = {item.body["event_id"]: index for index, item in reversed(list(enumerate(items)))}
    placed: dict[int, None] = {}
    for index in range(len(items)):
        line: dict[int, None] = {}
        ancestor: int | None = index
        while ancestor is not None and ancestor not in placed and ancestor not in line:
            line[ancestor] = None
            ancestor = by_id.get(items[ancestor].body.get("parent_id"))
        placed.update(dict.fromkeys(reversed(line)))
    return [items[index] for index in placed]
