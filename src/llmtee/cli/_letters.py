"""Dead letters in lines of JSON, each beside the event that it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from llmtee import jsontext
from llmtee.bulk import LETTER
from llmtee.eventlog import DeadLetter, Entry, Selection, SqliteLog


def write_letters(log: SqliteLog, letters: list[DeadLetter], write: Callable[[Any], None]) -> int:
    """Writes a line for each event of the letters, which may come without requests and answers; returns how many."""
    count = 0
    for listed in letters:
        # One by one: requests may be large.
        found = log.letters(
            Selection(state=listed.state, exporter=listed.exporter, ids=(listed.id,))
        )
        whole = next((one for one in found if one.segment == listed.segment), listed)
        for line in _lines(whole, log.letter_entries(whole)):
            write(line)
            count += 1
    return count


def _lines(letter: DeadLetter, entries: list[Entry]) -> Iterator[dict[str, Any]]:
    """A line for each event; the first has the whole letter, the others only say which one."""
    beside: dict[str, Any] = letter.to_json()
    if not entries:
        yield {LETTER: {**beside, "event": "not in the log any more"}}
    for entry in entries:
        value = jsontext.loads(entry.payload)
        about = {**beside, "format": entry.format} if entry.kind == "undecodable" else beside
        yield {**(value if isinstance(value, dict) else {"record": value}), LETTER: about}
        beside = brief(letter)


def brief(letter: DeadLetter) -> dict[str, Any]:
    """A letter as a JSON object, without request and answer."""
    return {
        key: value for key, value in letter.to_json().items() if key not in ("request", "answer")
    }
