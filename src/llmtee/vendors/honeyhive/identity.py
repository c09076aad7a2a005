"""Ids: HoneyHive wants UUIDs, and a session for every event.

An id that is no UUID becomes the UUIDv5 of itself, and the original goes into ``metadata`` under the same name.
Reading back, an original counts only when it gives the id beside it, so that a foreign ``metadata.session_id`` is
never mistaken for ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from llmtee.model import Event
from llmtee.model.ids import as_uuid, derive_id
from llmtee.spec import Note


@dataclass(frozen=True, slots=True)
class Ids:
    """An event's ids at HoneyHive."""

    event_id: str
    session_id: str
    parent_id: str | None
    originals: Mapping[str, str]
    """What stood in place of those that are not ours, for ``metadata``."""
    notes: tuple[Note, ...]


def event_uuid(event_id: str) -> str:
    """The UUID of an event's id."""
    return as_uuid(event_id, "event")


@lru_cache(maxsize=1024)
def session_uuid(session: str) -> str:
    """The UUID of a session."""
    return as_uuid(session, "session")


def lone_session(trace_id: str | None, event_id: str) -> str:
    """The session of an event that has none: that of its trace, else one of its own. Always derived, never taken over."""
    return derive_id("honeyhive", "no session", trace_id or event_id)


def identify(event: Event, *, is_session: bool) -> Ids:
    """The ids of ``event``.

    Args:
        event: any event.
        is_session: whether it speaks of the session itself; its id is then the session's, as HoneyHive has it.
    """
    notes: list[Note] = []
    originals: dict[str, str] = {}

    def originally(field: str, path: str, text: str, uuid: str) -> None:
        if text != uuid:
            originals[field] = text
            reason = f"HoneyHive needs ids that are UUIDs; {text!r:.80} was mapped to {uuid}; the original is in metadata.{field}"
            notes.append(Note(path, "changed", reason))

    if event.session:
        session_id = session_uuid(event.session)
        originally("session_id", "session", event.session, session_id)
    else:
        session_id = lone_session(event.trace_id, event.id)
        what = "its trace" if event.trace_id else "it alone"
        reason = f"HoneyHive gives an event without a session a random one; {session_id}, derived from {what}, makes a repetition the same"
        notes.append(Note("session", "changed", reason))
    event_id = session_id if is_session else event_uuid(event.id)
    originally("event_id", "id", event.id, event_id)
    parent_id = None if is_session else session_id
    if event.parent:
        parent_id = session_id if event.parent == event.session else event_uuid(event.parent)
        if parent_id != session_id:
            originally("parent_id", "parent", event.parent, parent_id)
    return Ids(event_id, session_id, parent_id, originals, tuple(notes))
