"""Tool results, for which Inkeep has no role, folded into the message that made the call, and unfolded again.

``properties.toolResults`` is an object by call id. An entry has the fields of the canonical tool result; ``message``,
the fields of the message it stood in; and ``run``, the fields of the `ToolRun` that was recorded of it, without what
the call and the result say already. ``call_id`` stands in an entry only where it is not the key. Unfolded, results
stand right behind the message that made the call, in the order of the calls; where else they stood, a carry knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from llmtee import jsontext
from llmtee.model import Message, ToolResultPart, ToolRun
from llmtee.vendors.inkeep.wire import nearest_role


@dataclass
class Slot:
    """A message that stands in ``messages``, and what was folded into it."""

    message: Message
    results: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Folded:
    """What `fold` makes of a conversation."""

    slots: list[Slot]
    runs: list[ToolRun]
    """Those that belong to no call in the messages."""
    results: int
    """How many results were folded."""
    unasked: int
    """How many of them answer no call in the messages."""


def fold(messages: Sequence[Message], runs: Sequence[ToolRun], *, as_text: bool) -> Folded:
    """Messages without tool results, and the results with the messages that asked for them.

    A result before any message of the assistant stays where it is, and so do all of them ``as_text``.

    Args:
        messages: with their final ids.
        runs: the conversation's tool runs.
        as_text: whether results stay messages.
    """
    return _Folding(as_text=as_text).fold(messages, runs)


class _Folding:
    def __init__(self, *, as_text: bool) -> None:
        self.as_text = as_text
        self.slots: list[Slot] = []
        self.callers: dict[str, Slot] = {}
        self.assistant: Slot | None = None
        self.results = self.unasked = 0

    def fold(self, messages: Sequence[Message], runs: Sequence[ToolRun]) -> Folded:
        for message in messages:
            rest = self._fold_results(message)
            if rest is None:
                continue
            slot = Slot(rest)
            self.slots.append(slot)
            if _is_assistants(rest):
                self.assistant = slot
            for call in rest.tool_calls:
                if call.id is not None:
                    self.callers[call.id] = slot
        left = [run for run in runs if not self._fold_run(run)]
        return Folded(self.slots, left, self.results, self.unasked)

    def _fold_results(self, message: Message) -> Message | None:
        """The message without the results that were folded; ``None`` when nothing else was in it."""
        assistant = None if self.as_text else self.assistant
        if assistant is None or not any(isinstance(p, ToolResultPart) for p in message.parts):
            return message
        rest = tuple(part for part in message.parts if not isinstance(part, ToolResultPart))
        about = {"id": message.id} if rest else _fields_of(message)
        for part in message.parts:
            if isinstance(part, ToolResultPart):
                self._enter(part, {"message": about}, assistant)
                about = {"id": message.id}
        return message.model_copy(update={"parts": rest}) if rest else None

    def _enter(self, part: ToolResultPart, entry: dict[str, Any], assistant: Slot) -> None:
        call_id = part.call_id
        owner = assistant if call_id is None else self.callers.get(call_id)
        self.results += 1
        if owner is None:
            self.unasked += 1
            owner = assistant
        fields = part.to_json()
        del fields["type"]
        fields.pop("call_id", None)
        key = call_id or "result"
        if key in owner.results or key != call_id:
            fields = {"call_id": call_id, **fields}
            key = next(name for n in count(1) if (name := f"{key} {n}") not in owner.results)
        owner.results[key] = {**fields, **entry}

    def _fold_run(self, run: ToolRun) -> bool:
        owner = self.callers.get(run.call_id) if run.call_id is not None else None
        if owner is None or run.call_id is None:
            return False
        entry = owner.results.get(run.call_id)
        if entry is None:
            entry = {} if run.result is None else {"result": run.result}
        if "run" in entry or entry.get("call_id", run.call_id) != run.call_id:
            return False
        owner.results[run.call_id] = {**entry, "run": _run_fields(run, owner.message, entry)}
        return True


def _fields_of(message: Message) -> dict[str, Any]:
    """A message as JSON, without its parts, and without its role where that is ``tool``."""
    fields = message.model_dump(mode="json", exclude_defaults=True, exclude={"parts"})
    return {key: value for key, value in fields.items() if (key, value) != ("role", "tool")}


def _is_assistants(message: Message) -> bool:
    speaks = message.generation is not None or bool(message.tool_calls)
    return nearest_role(message.role, speaks_as_model=speaks) == "assistant"


def _known(message: Message, call_id: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """What the call and its result say of a run."""
    call = next((call for call in reversed(message.tool_calls) if call.id == call_id), None)
    known = {"call_id": call_id, "result": entry.get("result")}
    return known if call is None else {**known, "name": call.name, "arguments": call.arguments}


def _run_fields(run: ToolRun, message: Message, entry: Mapping[str, Any]) -> dict[str, Any]:
    known = _known(message, run.call_id or "", entry)
    fields = {"name": None, "arguments": None, "result": None, **run.to_json()}
    del fields["kind"]
    return {
        key: value
        for key, value in fields.items()
        if (value is not None if key not in known else not jsontext.same(known[key], value))
    }


# ── the way back ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Result:
    part: ToolResultPart
    message: Mapping[str, Any]


def unfold(slots: Sequence[Slot]) -> tuple[list[Message], list[ToolRun]]:
    """The messages with the tool messages where they stood, and the runs that were recorded of the calls.

    Raises:
        ValueError: the results are not as `fold` writes them.
    """
    standing = {slot.message.id for slot in slots}
    runs: list[ToolRun] = []
    groups: dict[str, list[_Result]] = {}
    behind: list[list[list[_Result]]] = []
    for slot in slots:
        behind.append([])
        for result in _results(slot, runs):
            message_id = str(result.message.get("id"))
            if message_id not in groups:
                groups[message_id] = []
                if message_id not in standing:
                    behind[-1].append(groups[message_id])
            groups[message_id].append(result)
    messages: list[Message] = []
    for slot, made in zip(slots, behind, strict=True):
        messages.append(_put_back(slot.message, groups.get(str(slot.message.id), ())))
        messages += [_tool_message(group) for group in made]
    return messages, runs


def _results(slot: Slot, runs: list[ToolRun]) -> list[_Result]:
    """The results in a slot, in the order of the calls; adds to ``runs`` those that were recorded."""
    calls = [call.id for call in slot.message.tool_calls]
    entries = [
        (entry.get("call_id", key), entry)
        for key, entry in slot.results.items()
        if isinstance(entry, Mapping)
    ]
    entries.sort(key=lambda pair: calls.index(pair[0]) if pair[0] in calls else len(calls))
    found = []
    for call_id, entry in entries:
        if isinstance(run := entry.get("run"), Mapping):
            runs.append(ToolRun.model_validate({**_known(slot.message, call_id, entry), **run}))
        if isinstance(message := entry.get("message"), Mapping):
            fields = {key: entry[key] for key in ToolResultPart.model_fields if key in entry}
            part = ToolResultPart.model_validate({**fields, "call_id": call_id})
            found.append(_Result(part, message))
    return found


def _put_back(message: Message, results: Sequence[_Result]) -> Message:
    """The message with results that stood among its parts: before them, as providers want it."""
    parts = (*(result.part for result in results), *message.parts)
    return message.model_copy(update={"parts": parts}) if results else message


def _tool_message(group: Sequence[_Result]) -> Message:
    fields: dict[str, Any] = {"role": "tool"}
    for result in group:
        fields |= result.message
    parts = tuple(result.part for result in group)
    return Message.model_validate({**fields, "parts": parts})
