"""Second stage: claimed work becomes an item in the vendor's shape; a conversation is assembled first."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import replace

from llmtee.delivery.conversations import Conversations
from llmtee.delivery.exporter import Exporter
from llmtee.delivery.letter import dead
from llmtee.delivery.parcel import Parcel
from llmtee.delivery.recent import Recent
from llmtee.errors import EventLogError
from llmtee.eventlog import EventLog, Settlement, Work
from llmtee.model import Conversation, Event
from llmtee.spec import outgoing


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
        item: Conversation | Event | None
        if work.session is None:
            item = event_of(self._log, work, self._recent)
        else:
            item, state = self._conversations.of(work)
            work = replace(work, state=state)
        if item is None:
            reason = "nothing to send: the session holds no message that was not sent before"
            return Settlement(work, "skipped", reason)
        leaving = outgoing(self._exporter.vendor, item, self._exporter.settings)
        self._exporter.complaints.add(leaving.failures)
        wire = leaving.wire
        if wire.body is None:
            return Settlement(work, "skipped", wire.skip or "the vendor has no place for it")
        return Parcel(work, wire)


def buried(exporter: Exporter, work: Work, error: BaseException) -> Settlement:
    """The settlement of a unit of work that met a bug."""
    text = "".join(traceback.format_exception(error))
    reason = f"a bug, not the vendor's word: {text}"
    return dead(exporter, work, reason, exporter.tuning.clock())


def event_of(log: EventLog, work: Work, recent: Recent) -> Event:
    """The event of a unit of work."""
    return recent.get(work.id) or recent.load(log.entry(work))
