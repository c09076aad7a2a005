"""Second stage: claimed work becomes an item in the vendor's shape; a conversation is assembled first."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import replace

from llmtee import jsontext
from llmtee.delivery.conversations import Conversations
from llmtee.delivery.exporter import Exporter
from llmtee.delivery.letter import dead
from llmtee.delivery.parcel import Parcel
from llmtee.delivery.recent import Recent
from llmtee.delivery.target import in_session, on_message, unsettled
from llmtee.errors import EventLogError
from llmtee.eventlog import SUPPLEMENT, WHOLE, Entry, EventLog, Settlement, Work
from llmtee.model import Annotation, Conversation, Item, Supplement, load_supplement
from llmtee.spec import Outgoing, outgoing, supplement_out


class Render:
    """Renders for one exporter. An exception costs the item at fault, and no other."""

    def __init__(
        self,
        exporter: Exporter,
        log: EventLog,
        on_bug: Callable[[BaseException], None],
        recent: Recent,
    ) -> None:
        self._exporter, self._log, self._on_bug = exporter, log, on_bug
        self._recent = recent
        self._conversations = Conversations(exporter, log, recent.load)

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
        if work.session is None:
            leaving = self._one(work)
        else:
            conversation, state = self._conversations.of(work)
            work = replace(work, state=state)
            if conversation is None:
                reason = "nothing to send: the session holds no message that was not sent before"
                return Settlement(work, "skipped", reason)
            leaving = self._outgoing(conversation)
        if isinstance(leaving, Settlement):
            return leaving
        self._exporter.complaints.add(leaving.failures)
        wire = leaving.wire
        if wire.body is None:
            return Settlement(work, "skipped", wire.skip or "the vendor has no place for it")
        return Parcel(work, wire)

    def _outgoing(self, item: Item) -> Outgoing[Item]:
        return outgoing(self._exporter.vendor, item, self._exporter.settings)

    def _one(self, work: Work) -> Outgoing[Item] | Outgoing[Supplement] | Settlement:
        """What leaves of an event, a supplement or a whole conversation, or why nothing does."""
        event = self._recent.get(work.id)
        if event is None:
            entry = self._log.entry(work)
            if entry.format == SUPPLEMENT:
                return self._supplement(work, entry)
            if entry.format == WHOLE:
                return self._whole(work, entry)
            event = self._recent.load(entry)
        return self._outgoing(event)

    def _whole(self, work: Work, entry: Entry) -> Outgoing[Item] | Settlement:
        if self._exporter.vendor.grain == "event":
            return Settlement(work, "skipped", "a whole conversation; the vendor takes events")
        return self._outgoing(Conversation.model_validate(jsontext.loads(entry.payload)))

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
        return supplement_out(vendor, on_message(placed, self._conversations.whole), settings)


def buried(exporter: Exporter, work: Work, error: BaseException) -> Settlement:
    """The settlement of a unit of work that met a bug."""
    text = "".join(traceback.format_exception(error))
    reason = f"a bug, not the vendor's word: {text}"
    return dead(exporter, work, reason, exporter.tuning.clock())
