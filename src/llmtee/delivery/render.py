"""Second stage: claimed work becomes an item in the vendor's shape; a conversation is assembled first."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from functools import lru_cache, partial

from llmtee import jsontext
from llmtee.assembly import assemble, following
from llmtee.delivery.exporter import Exporter
from llmtee.delivery.letter import dead
from llmtee.delivery.parcel import Parcel
from llmtee.delivery.target import in_session, on_message, unsettled
from llmtee.errors import EventLogError
from llmtee.eventlog import SUPPLEMENT, Entry, EventLog, Settlement, Work
from llmtee.model import (
    Annotation,
    Conversation,
    Event,
    Item,
    Supplement,
    conversation_id,
    load_event,
    load_supplement,
)
from llmtee.spec import Outgoing, outgoing, supplement_out

_CACHED_BYTES = 16_384
"""Larger events are not kept, so that all that are take some ten megabytes at most."""


class Render:
    """Renders for one exporter. An exception costs the item at fault, and no other."""

    def __init__(
        self, exporter: Exporter, log: EventLog, on_bug: Callable[[BaseException], None]
    ) -> None:
        self._exporter, self._log, self._on_bug = exporter, log, on_bug

    def __call__(self, work: Work) -> Parcel | Settlement:
        """The parcel of a unit of work, or its settlement where it is filtered out or there is no place for it."""
        try:
            return self._rendered(work)
        except EventLogError:
            raise
        except Exception as error:  # noqa: BLE001 - a bug, ours or a plug-in's
            self._on_bug(error)
            return buried(self._exporter, work, error)

    def _rendered(self, work: Work) -> Parcel | Settlement:
        leaving = self._leaving(work)
        if isinstance(leaving, Settlement):
            return leaving
        if leaving is None:
            reason = "nothing to send: the session holds no message that was not sent before"
            return Settlement(work, "skipped", reason)
        self._exporter.complaints.add(leaving.failures)
        wire = leaving.wire
        if wire.body is None:
            return Settlement(work, "skipped", wire.skip or "the vendor has no place for it")
        return Parcel(work, wire)

    def _leaving(self, work: Work) -> Outgoing[Item] | Outgoing[Supplement] | Settlement | None:
        """What leaves of a unit of work, or why nothing does; ``None`` where nothing is new in a conversation."""
        vendor, settings = self._exporter.vendor, self._exporter.settings
        if work.session is not None:
            conversation = conversation_of(self._log, work)
            return None if conversation is None else outgoing(vendor, conversation, settings)
        [entry] = self._log.entries(work)
        if entry.format == SUPPLEMENT:
            return self._supplement(work, entry)
        return outgoing(vendor, _load(entry), settings)

    def _supplement(self, work: Work, entry: Entry) -> Outgoing[Supplement] | Settlement:
        vendor, settings = self._exporter.vendor, self._exporter.settings
        supplement = load_supplement(jsontext.loads(entry.payload))
        if not isinstance(supplement, Annotation) or vendor.supplement is None:
            return supplement_out(vendor, supplement, settings)
        placed = in_session(self._log, supplement)
        # Whether there is a place for it does not hang on what has become of its target.
        whole = placed.model_copy(update={"message": placed.message or placed.target})
        leaving = supplement_out(vendor, whole, settings)
        if leaving.wire.body is None:
            return leaving
        held = unsettled(self._exporter, self._log, placed, work, entry)
        if held is not None or vendor.grain == "event":
            return held or leaving
        return supplement_out(
            vendor, on_message(placed, partial(conversation_of, self._log)), settings
        )


def buried(exporter: Exporter, work: Work, error: BaseException) -> Settlement:
    """The settlement of a unit of work that met a bug."""
    text = "".join(traceback.format_exception(error))
    reason = f"a bug, not the vendor's word: {text}"
    return dead(exporter, work, reason, exporter.tuning.clock())


def conversation_of(log: EventLog, work: Work) -> Conversation | None:
    """The conversation of a unit of work as it stands now: all of it, or what earlier segments did not have."""
    assert work.session is not None  # noqa: S101 - says to the type checker what the caller asked
    before = [_in_session(entry) for entry in log.entries(work, before=True)]
    whole = _only([*before, *(_in_session(entry) for entry in log.entries(work))])
    if whole is None or work.segment == 0:
        return whole
    if (sent := _only(before)) is not None:
        return following(whole, sent, work.segment)
    return whole.model_copy(
        update={"id": conversation_id(work.session, work.segment), "segment": work.segment}
    )


def _only(events: Sequence[Event]) -> Conversation | None:
    return next((item for item in assemble(events) if item.messages or item.tool_runs), None)


def _load(entry: Entry) -> Event:
    if len(entry.payload) > _CACHED_BYTES:
        return load_event(jsontext.loads(entry.payload))
    return _loaded(entry.payload)


@lru_cache(maxsize=1024)
def _loaded(payload: bytes) -> Event:
    # Each exporter reads the same events at about the same time, and an upsert all of its session's again and again.
    # Events are frozen, so they can share them.
    return load_event(jsontext.loads(payload))


def _in_session(entry: Entry) -> Event:
    event = _load(entry)
    return event if event.session else event.model_copy(update={"session": entry.session})
