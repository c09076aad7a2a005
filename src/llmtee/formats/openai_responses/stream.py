"""The events of a streamed response of OpenAI Responses, put together into the response that they tell of.

Pure of I/O: whoever reads the stream hands each event in and takes the response when the stream has ended, or broken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from llmtee.model.snapshot import to_json_object

Place: TypeAlias = tuple[int, str, int | None, str]
"""Where a text belongs: the item's index, the list in it and the index there (``""`` and ``None``: the item), the field."""

_ENDS = ("response.completed", "response.incomplete", "response.failed")
_STATES = ("response.created", "response.queued", "response.in_progress")
_TEXTS = {
    "response.output_text": ("content", "content_index", "text"),
    "response.refusal": ("content", "content_index", "refusal"),
    "response.reasoning_text": ("content", "content_index", "text"),
    "response.reasoning_summary_text": ("summary", "summary_index", "text"),
    "response.function_call_arguments": ("", None, "arguments"),
    "response.mcp_call_arguments": ("", None, "arguments"),
    "response.custom_tool_call_input": ("", None, "input"),
    "response.code_interpreter_call_code": ("", None, "code"),
}
"""Events that come as ``….delta`` and ``….done``: the list in the item, the event's index into it, the field."""

_PARTS = {
    "response.content_part": ("content", "content_index"),
    "response.reasoning_summary_part": ("summary", "summary_index"),
}
_TYPES = {
    "response.output_text": "output_text",
    "response.refusal": "refusal",
    "response.reasoning_text": "reasoning_text",
    "response.reasoning_summary_text": "summary_text",
}


class ResponsesStream:
    """Collects events with `add`; `response` is what they amount to so far. Not safe for several threads at once."""

    def __init__(self) -> None:
        self._base: dict[str, Any] = {}
        self._ended = False
        self._error: dict[str, Any] | None = None
        self._items: dict[int, dict[str, Any]] = {}
        self._parts: dict[tuple[int, str, int], dict[str, Any]] = {}
        self._notes: dict[tuple[int, str, int], list[Any]] = {}
        self._texts: dict[Place, list[str]] = {}

    def add(self, event: Any) -> None:
        """Takes one event, as an object of JSON or of the SDK. One that is unknown or malformed changes nothing."""
        fields = to_json_object(event)
        kind = fields.get("type")
        if not isinstance(kind, str):
            return
        if kind in _STATES or kind in _ENDS:
            self._take_response(fields.get("response"), ended=kind in _ENDS)
        elif kind == "error":
            found = fields.get("error")
            self._error = found if isinstance(found, dict) else _without(fields, "type")
        elif _index(fields, "output_index") is not None:
            self._take_item_event(kind, fields)

    def response(self) -> dict[str, Any] | None:
        """The response; ``None`` while nothing is known of one.

        Of a stream that was cut short it is rebuilt from the deltas, with the status ``incomplete``, or ``failed``
        where the stream told of an error.
        """
        if not (self._base or self._items or self._texts or self._error):
            return None
        out = dict(self._base)
        if not out.get("output"):  # some servers end a stream with a response whose output is empty
            out["output"] = self._output()
        out.setdefault("object", "response")
        if self._error is not None and not self._ended:
            out |= {"status": "failed", "error": self._error}
        elif not self._ended:
            out["status"] = "incomplete"
        return to_json_object(out)

    # ── taking ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _take_response(self, response: Any, *, ended: bool) -> None:
        if isinstance(response, dict) and (ended or not self._ended):
            self._base = response
            self._ended = ended

    def _take_item_event(self, kind: str, event: Mapping[str, Any]) -> None:
        index = int(event["output_index"])
        name, _, step = kind.rpartition(".")
        if name == "response.output_item":
            self._take_item(index, event.get("item"), done=step == "done")
        elif name in _PARTS:
            field, key = _PARTS[name]
            self._take_part(index, field, _index(event, key), event.get("part"))
        elif name == "response.output_text.annotation":
            at = _index(event, "content_index")
            if at is not None and isinstance(event.get("annotation"), dict):
                self._notes.setdefault((index, "content", at), []).append(event["annotation"])
        elif name in _TEXTS:
            self._take_text(index, name, step, event)

    def _take_item(self, index: int, item: Any, *, done: bool) -> None:
        if not isinstance(item, dict):
            return
        self._items[index] = item
        if done:  # it is whole; what was collected for it is in it
            self._texts = {at: said for at, said in self._texts.items() if at[0] != index}
            self._parts = {at: part for at, part in self._parts.items() if at[0] != index}
            self._notes = {at: notes for at, notes in self._notes.items() if at[0] != index}

    def _take_part(self, index: int, field: str, at: int | None, part: Any) -> None:
        if at is None or not isinstance(part, dict):
            return
        self._parts[index, field, at] = part
        if part.get("annotations"):
            self._notes.pop((index, field, at), None)

    def _take_text(self, index: int, name: str, step: str, event: Mapping[str, Any]) -> None:
        field, key, text_field = _TEXTS[name]
        at = None if key is None else _index(event, key)
        said = event.get("delta" if step == "delta" else text_field)
        if not isinstance(said, str) or (key is not None and at is None):
            return
        if at is not None:
            self._parts.setdefault((index, field, at), {"type": _TYPES[name], text_field: ""})
        place = (index, field, at, text_field)
        if step == "delta":
            self._texts.setdefault(place, []).append(said)
        elif step == "done":
            self._texts[place] = [said]

    # ── rebuilding ──────────────────────────────────────────────────────────────────────────────────────────────

    def _output(self) -> list[dict[str, Any]]:
        found = {*self._items, *(at[0] for at in self._parts), *(at[0] for at in self._texts)}
        return [self._item(index) for index in sorted(found)]

    def _item(self, index: int) -> dict[str, Any]:
        item = dict(self._items.get(index) or self._guess(index))
        for field in ("content", "summary"):
            indices = sorted(at for i, name, at in self._parts if (i, name) == (index, field))
            if indices:
                item[field] = [self._part(index, field, at) for at in indices]
        for (i, field, _, key), said in self._texts.items():
            if i == index and not field:
                item[key] = "".join(said)
        return item

    def _part(self, index: int, field: str, at: int) -> dict[str, Any]:
        part = dict(self._parts[index, field, at])
        for (*place, key), said in self._texts.items():
            if place == [index, field, at]:
                part[str(key)] = "".join(said)
        if notes := self._notes.get((index, field, at)):
            part["annotations"] = notes
        return part

    def _guess(self, index: int) -> dict[str, Any]:
        """The item whose beginning the stream did not hold, by what was said in it."""
        types = {part.get("type") for (i, _, _), part in self._parts.items() if i == index}
        if types & {"summary_text", "reasoning_text"}:
            return {"type": "reasoning", "summary": []}
        if types:
            return {"type": "message", "role": "assistant", "status": "in_progress"}
        custom = any(at[0] == index and at[3] == "input" for at in self._texts)
        return {"type": "custom_tool_call" if custom else "function_call", "name": ""}


def _index(event: Mapping[str, Any], key: str) -> int | None:
    value = event.get(key)
    return value if type(value) is int and value >= 0 else None


def _without(fields: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key not in names}
