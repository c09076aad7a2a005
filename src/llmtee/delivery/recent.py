"""Events that were just decoded, so that no exporter has to read them again from the event log."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from llmtee import jsontext
from llmtee.eventlog import Entry
from llmtee.model import Event, load_event

BYTES = 2 * 2**20
"""Of the JSON of what is kept; the events themselves take some five times as much."""


class Recent:
    """The events of the last entries, by id, within a bound of bytes. For one thread.

    All exporters read the same events at about the same time. Events are frozen, so they can share them.
    """

    def __init__(self, bound: int = BYTES) -> None:
        """``bound`` is in bytes of JSON."""
        self._bound = bound
        self._bytes = 0
        self._events: OrderedDict[str, tuple[Event, int]] = OrderedDict()

    def add(self, entries: Iterable[Entry]) -> None:
        """Keeps the events of entries that the log has just stored. What it had already must not be among them."""
        for entry in entries:
            if entry.event is not None:
                self._keep(entry.id, entry.event, len(entry.payload))

    def get(self, event_id: str) -> Event | None:
        """The event, if it is still here."""
        found = self._events.get(event_id)
        return None if found is None else found[0]

    def load(self, entry: Entry) -> Event:
        """The event of an entry of the log: from here, or else from its JSON, and then kept for the next who asks."""
        event = self.get(entry.id)
        if event is None:
            event = load_event(jsontext.loads(entry.payload))
            self._keep(entry.id, event, len(entry.payload))
        return event

    def _keep(self, event_id: str, event: Event, size: int) -> None:
        if event_id in self._events:
            self._bytes -= self._events.pop(event_id)[1]
        self._events[event_id] = event, size
        self._bytes += size
        while self._bytes > self._bound:
            _, (_, gone) = self._events.popitem(last=False)
            self._bytes -= gone
