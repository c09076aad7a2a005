"""Tool calls, their results, and recorded runs, brought together by id: each call is one tool invocation."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llmtee.model import Conversation, Message, ToolCallPart, ToolResultPart, ToolRun, times
from llmtee.spec import Note
from llmtee.vendors.roark import wire
from llmtee.vendors.roark.text import TOOLS, plain_text
from llmtee.vendors.roark.timing import Span, end_of, to_ms

NO_NAME = "tool"
"""Stands for a tool's name where nobody said it."""


@dataclass
class Invocation:
    """One call of a tool, as far as it is known."""

    path: str
    """The canonical path of what says the most of it: the run, else the call, else the result."""
    call: ToolCallPart | None = None
    result: ToolResultPart | None = None
    run: ToolRun | None = None
    asked: int | None = None
    """The message that asked for it."""
    answered: int | None = None
    """The message that holds the result."""

    @property
    def call_id(self) -> str | None:
        """The id that the model gave to the call."""
        if self.call is not None:
            return self.call.id
        if self.result is not None:
            return self.result.call_id
        return self.run.call_id if self.run is not None else None

    @property
    def failed(self) -> bool:
        """Whether the tool failed."""
        told = self.result is not None and self.result.is_error is True
        return told or (self.run is not None and self.run.error is not None)


def invocations(conversation: Conversation) -> list[Invocation]:
    """Every call once: those in the messages in their order, then the runs that no message speaks of."""
    pairing = _Pairing()
    for i, message in enumerate(conversation.messages):
        for j, part in enumerate(message.parts):
            if isinstance(part, ToolCallPart):
                pairing.add_call(part, i, j)
        for j, result in _results(message):
            pairing.add_result(result, i, j)
    for i, run in enumerate(conversation.tool_runs):
        pairing.add_run(run, i)
    return pairing.found


class _Pairing:
    def __init__(self) -> None:
        self.found: list[Invocation] = []
        self._unanswered: dict[str | None, list[Invocation]] = {}
        self._unrecorded: dict[str | None, list[Invocation]] = {}

    def add_call(self, call: ToolCallPart, i: int, j: int) -> None:
        invocation = self._new(Invocation(f"messages[{i}].parts[{j}]", call=call, asked=i))
        self._unanswered.setdefault(call.id, []).append(invocation)

    def add_result(self, result: ToolResultPart, i: int, j: int) -> None:
        """To the first call that waits for it; without an id, the names must not differ."""
        waiting = self._unanswered.get(result.call_id, [])
        for invocation in waiting:
            call = invocation.call
            if result.call_id is not None or (call and result.name in (None, call.name)):
                waiting.remove(invocation)
                break
        else:
            invocation = self._new(Invocation(f"messages[{i}].parts[{j}]"))
            self._unrecorded.setdefault(result.call_id, []).append(invocation)
        invocation.result, invocation.answered = result, i

    def add_run(self, run: ToolRun, i: int) -> None:
        waiting = self._unrecorded.get(run.call_id, []) if run.call_id is not None else []
        invocation = waiting.pop(0) if waiting else self._new(Invocation(""))
        invocation.run, invocation.path = run, f"tool_runs[{i}]"

    def _new(self, invocation: Invocation) -> Invocation:
        self.found.append(invocation)
        if invocation.call is not None:
            self._unrecorded.setdefault(invocation.call.id, []).append(invocation)
        return invocation


def _results(message: Message) -> list[tuple[int, ToolResultPart]]:
    """The results in a message and where in it they stand."""
    results = [
        (j, part) for j, part in enumerate(message.parts) if isinstance(part, ToolResultPart)
    ]
    if not results and message.role.lower() in TOOLS and message.text:
        return [(0, ToolResultPart(name=message.name, result=message.text))]
    return results


def encode(
    invocation: Invocation, said: Sequence[Span], start: dt.datetime, notes: list[Note]
) -> wire.WireInvocation:
    """An invocation in Roark's shape, without the agent.

    Args:
        invocation: the call.
        said: when each message of the conversation was said.
        start: when to date a call that nothing else dates.
        notes: takes what was changed.
    """
    began, ended = _times(invocation, said, start, notes)
    out: wire.WireInvocation = {
        "name": _name(invocation, notes),
        "parameters": _parameters(invocation, notes),
        "result": _result(invocation, notes),
        "startTimestamp": times.to_iso(began),
    }
    if invocation.run is not None and invocation.run.description:
        out["description"] = invocation.run.description
    if ended is not None:
        out["endTimestamp"] = times.to_iso(ended)
    return out


def _name(invocation: Invocation, notes: list[Note]) -> str:
    for part in (invocation.run, invocation.call, invocation.result):
        if part is not None and part.name:
            return part.name
    reason = f"Roark asks for a name; {NO_NAME!r} stands for it"
    notes.append(Note(f"{invocation.path}.name", "changed", reason))
    return NO_NAME


def _parameters(invocation: Invocation, notes: list[Note]) -> dict[str, Any]:
    arguments = invocation.run.arguments if invocation.run is not None else None
    if arguments is None and invocation.call is not None:
        arguments = invocation.call.arguments
        arguments = invocation.call.arguments_text if arguments is None else arguments
    if isinstance(arguments, dict):
        return arguments
    if arguments is None or arguments == "":
        return {}
    reason = "Roark takes only an object; it stands there under 'arguments'"
    notes.append(Note(f"{invocation.path}.arguments", "changed", reason))
    return {"arguments": arguments}


def _result(invocation: Invocation, notes: list[Note]) -> str | dict[str, Any]:
    result = invocation.run.result if invocation.run is not None else None
    if result is None and invocation.result is not None:
        parts = invocation.result.parts
        result = (
            plain_text(parts, notes, f"{invocation.path}.parts")
            if parts
            else invocation.result.result
        )
    if result is None:
        return _no_result(invocation, notes)
    if isinstance(result, str | dict):
        return result
    reason = "Roark takes only text or an object; it stands there under 'result'"
    notes.append(Note(f"{invocation.path}.result", "changed", reason))
    return {"result": result}


def _no_result(invocation: Invocation, notes: list[Note]) -> str:
    error = invocation.run.error if invocation.run is not None else None
    if error is not None:
        reason = "Roark has no field for it; it stands as the result"
        notes.append(Note(f"{invocation.path}.error", "changed", reason))
        return f"error: {error.message or error.type or 'unknown'}"
    reason = "Roark asks for a result; empty text stands for it"
    notes.append(Note(f"{invocation.path}.result", "changed", reason))
    return ""


def _times(
    invocation: Invocation, said: Sequence[Span], start: dt.datetime, notes: list[Note]
) -> tuple[dt.datetime, dt.datetime | None]:
    """Those of the run; else from the end of the message that asks to the start of the one that answers."""
    run = invocation.run
    began, ended = (to_ms(run.started_at), to_ms(run.ended_at)) if run is not None else (None, None)
    asked = said[invocation.asked] if invocation.asked is not None else None
    answered = said[invocation.answered] if invocation.answered is not None else None
    if began is None and ended is None and answered is not None and answered.given:
        # Assembly gives the run's own times to the message that holds its result.
        began, ended = (
            (None, answered.start) if answered.end is None else (answered.start, answered.end)
        )
    if began is not None and ended is None and run is not None and run.duration_ms is not None:
        ended = _after(began, run.duration_ms)
    if began is None:
        reason = "Roark dates every call; the time was derived from its neighbours"
        notes.append(Note(f"{invocation.path}.started_at", "changed", reason))
        fallback = asked or answered
        began = (fallback.end or fallback.start) if fallback is not None else (ended or start)
        began = min(began, ended or began)
    return began, end_of(began, ended, f"{invocation.path}.ended_at", notes)


def _after(start: dt.datetime, milliseconds: float) -> dt.datetime | None:
    try:
        return to_ms(start + dt.timedelta(milliseconds=milliseconds))
    except (OverflowError, ValueError):
        return None
