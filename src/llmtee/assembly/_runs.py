"""Tool runs of a conversation, put back where they happened."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from llmtee.model import Message, TextPart, ToolCallPart, ToolResultPart, ToolRun


class Runs:
    """The tool runs of a conversation, handed out once each: at the result that they led to, else by time."""

    def __init__(self, runs: Iterable[ToolRun], messages: Iterable[Message]) -> None:
        paired = {call_id for message in messages for call_id in _result_ids(message)}
        self._paired: dict[str, list[ToolRun]] = {}
        self._others: deque[ToolRun] = deque()
        for run in runs:
            if run.call_id in paired:
                self._paired.setdefault(run.call_id or "", []).append(run)
            else:
                self._others.append(run)
        self._recorded = set(self._paired)

    def has(self, call_id: str | None) -> bool:
        """Whether a run answered that call."""
        return call_id in self._recorded

    def of(self, message: Message) -> list[ToolRun]:
        """The runs that led to the results in a message."""
        return [run for call_id in _result_ids(message) for run in self._paired.pop(call_id, [])]

    def before(self, message: Message) -> Iterator[ToolRun]:
        """The other runs that began before a message."""
        said = message.started_at
        while said and self._others and (begun := self._others[0].started_at) and begun <= said:
            yield self._others.popleft()

    def rest(self) -> list[ToolRun]:
        """What was not handed out."""
        return list(self._others)


def _result_ids(message: Message) -> list[str]:
    results = (part for part in message.parts if isinstance(part, ToolResultPart))
    return [part.call_id for part in results if part.call_id is not None]


def pairs(
    message: Message, before: Sequence[Message]
) -> Iterator[tuple[ToolResultPart, ToolCallPart]]:
    """The results in a message, each with the call that it answers."""
    for part in message.parts:
        if isinstance(part, ToolResultPart) and part.call_id is not None:
            calls = (call for m in reversed(before) for call in m.tool_calls)
            call = next((call for call in calls if call.id == part.call_id), None)
            if call is not None:
                yield part, call


def answer_of(result: ToolResultPart) -> Any:
    """What a tool answered, as one value."""
    if not result.parts:
        return result.result
    if all(isinstance(part, TextPart) for part in result.parts):
        return "".join(part.text for part in result.parts if isinstance(part, TextPart))
    return [part.to_json() for part in result.parts]
