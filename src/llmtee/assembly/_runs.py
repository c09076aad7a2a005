"""Tool runs of a conversation, put back where they happened."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from llmtee import jsontext
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


def with_call_ids(
    runs: Iterable[ToolRun], messages: Sequence[Message], within: Callable[[ToolRun], bool]
) -> list[ToolRun]:
    """``runs``, those without a call id with that of the call in ``messages`` that they answer.

    A function that runs as a tool is not told which call it answers. It is the first one of its name that no other run
    answers, that asks for nothing else than the run was given, and that was not made later.

    Args:
        runs: in the order of their time.
        messages: of the transcript.
        within: whether a run is of the transcript, and not of a sub-agent.
    """
    runs = list(runs)
    if not any(run.call_id is None for run in runs):
        return runs
    told = {run.call_id for run in runs}
    waiting: dict[str, list[tuple[Message, ToolCallPart]]] = {}
    for message in messages:
        for call in message.tool_calls:
            if call.id is not None and call.id not in told and call.name is not None:
                waiting.setdefault(call.name, []).append((message, call))
    return [
        _with_call_id(run, waiting.get(run.name or "", []))
        if run.call_id is None and within(run)
        else run
        for run in runs
    ]


def _with_call_id(run: ToolRun, waiting: list[tuple[Message, ToolCallPart]]) -> ToolRun:
    for i, (message, call) in enumerate(waiting):
        asked, began = message.started_at, run.started_at
        if (asked is None or began is None or asked <= began) and _asks_for(call, run.arguments):
            del waiting[i]
            return run.model_copy(update={"call_id": call.id})
    return run


def _asks_for(call: ToolCallPart, given: Any) -> bool:
    """Whether all that the model asked for was given; a function may be given more, such as a connection."""
    asked = call.arguments
    if asked == {} or (asked is None and not call.arguments_text):
        return True
    if isinstance(asked, dict) and isinstance(given, dict):
        return all(
            key in given and jsontext.same(given[key], value) for key, value in asked.items()
        )
    return jsontext.same(asked, given)


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
