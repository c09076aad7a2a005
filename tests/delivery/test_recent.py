"""What was decoded just now is at hand, within its bound."""

from __future__ import annotations

from llmtee.delivery.recent import Recent
from llmtee.eventlog import CANONICAL, Entry
from llmtee.model import ToolRun


def _entry(event: ToolRun, *, decoded: bool = True) -> Entry:
    text = event.to_json_text()
    held = event if decoded else None
    return Entry(event.id, event.id, "event", CANONICAL, text, 1.0, event=held)


def test_an_event_is_handed_on_as_it_was_decoded() -> None:
    recent, event = Recent(), ToolRun(id="a", name="lookup")
    recent.add([_entry(event)])
    assert recent.get("a") is event
    assert recent.load(_entry(event, decoded=False)) is event
    assert recent.get("b") is None


def test_what_is_not_at_hand_is_read_once_for_all() -> None:
    recent, event = Recent(), ToolRun(id="a", name="lookup")
    found = recent.load(_entry(event, decoded=False))
    assert found == event
    assert recent.load(_entry(event, decoded=False)) is found


def test_the_last_ones_are_kept_within_the_bound() -> None:
    events = [ToolRun(id=f"{number:04}", name="x" * 100) for number in range(50)]
    size = len(events[0].to_json_text())
    recent = Recent(bound=10 * size)
    for event in events:
        recent.add([_entry(event), _entry(event)])  # one that comes twice counts once
    kept = [event.id for event in events if recent.get(event.id) is not None]
    assert kept == [event.id for event in events[-10:]]
    recent.add([_entry(ToolRun(id="large", name="x" * 20 * size))])
    assert recent.get("large") is None
