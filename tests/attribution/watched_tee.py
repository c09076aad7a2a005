"""A Tee that shows the events that it records, in their order."""

from __future__ import annotations

from typing import Any

from llmtee import Tee, jsontext, registry
from llmtee.model import Event


class WatchedTee(Tee):
    def __init__(self, *args: Any, **options: Any) -> None:
        self.put: list[tuple[str, bytes]] = []
        super().__init__(*args, **options)

    def _put(self, event_id: str, format_name: str, payload: bytes, *, live: bool = True) -> None:
        self.put.append((format_name, payload))
        super()._put(event_id, format_name, payload, live=live)

    @property
    def events(self) -> list[Event]:
        return [
            event
            for name, payload in self.put
            for event in registry.format(name).decode(jsontext.loads(payload))
        ]

    @property
    def event(self) -> Any:
        [event] = self.events
        return event

    def named(self, name: str) -> Any:
        [event] = [event for event in self.events if event.name == name]
        return event
