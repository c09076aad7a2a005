"""The events of a stream of OpenAI Responses, put together to the response that they tell.

Facts: OpenAI's SDK types of stream events and its streaming guide, 2026. The last event repeats the whole response;
what came before counts where the stream was cut short, and for servers whose last event has no output.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from llmtee.formats import records
from llmtee.formats._stream import Accumulator, as_index, is_empty
from llmtee.jsonfields import as_list, as_object, as_text, rest

_ENDS = ("response.completed", "response.incomplete", "response.failed")
_STATES = ("response.created", "response.queued", "response.in_progress")
_TEXTS = {
    "response.output_text": ("content", "content_index", "text", "output_text"),
    "response.refusal": ("content", "content_index", "refusal", "refusal"),
    "response.reasoning_text": ("content", "content_index", "text", "reasoning_text"),
    "response.reasoning_summary_text": ("summary", "summary_index", "text", "summary_text"),
    "response.function_call_arguments": ("", "", "arguments", ""),
    "response.mcp_call_arguments": ("", "", "arguments", ""),
    "response.custom_tool_call_input": ("", "", "input", ""),
    "response.code_interpreter_call_code": ("", "", "code", ""),
}
"""Events that come as ``….delta`` and ``….done``: the list in the item, the event's index into it, the field, the part's type."""

_PARTS = {
    "response.content_part": ("content", "content_index"),
    "response.reasoning_summary_part": ("summary", "summary_index"),
}
_ANNOTATION = "response.output_text.annotation"

Place: TypeAlias = tuple[str, int]
"""Where a part of an item stands: the list and the index there."""


class ResponsesStream(Accumulator):
    """Gathers the events of one stream.

    Events of an unknown type are left out: they tell of progress, and the item they tell of comes whole.
    """

    def __init__(self) -> None:
        super().__init__()
        self._base: Mapping[str, Any] = {}
        self._ended = False
        self._error: Mapping[str, Any] | None = None
        self._items: dict[int, _Item] = {}
        self._latest = 0

    @property
    def complete(self) -> bool:
        """Whether ``response.completed``, ``response.incomplete`` or ``response.failed`` has come."""
        return self._ended

    @property
    def usage_missing(self) -> bool:
        """Whether no event had counts: they come with the last one."""
        return is_empty(self._base.get("usage"))

    def _take(self, chunk: Mapping[str, Any], path: str) -> bool:
        kind = chunk.get("type")
        if kind is None:
            return False
        name, _, step = as_text(kind, f"{path}.type").rpartition(".")
        if kind in _STATES or kind in _ENDS:
            return self._take_response(chunk.get("response"), f"{path}.response", kind in _ENDS)
        if kind == "error":
            found = chunk.get("error")
            error = rest(chunk, "type", "sequence_number") if found is None else found
            records.decode_error(error, f"{path}.error")
            self._error = error if isinstance(error, Mapping) else {"message": error}
            return False
        if name in _TEXTS or name in _PARTS or name in ("response.output_item", _ANNOTATION):
            index = as_index(chunk.get("output_index"), f"{path}.output_index")
            index = self._latest if index is None else index
            item = self._items.get(index) or _Item()
            says = item.take(name, step, chunk, path)
            self._items[index] = item
            self._latest = index
            return says
        return False

    def _response(self) -> dict[str, Any] | None:
        if not (self._base or self._items or self._error):
            return None
        out = dict(self._base)
        if not out.get("output"):  # some servers end a stream with a response whose output is empty
            out["output"] = [item.whole() for _, item in sorted(self._items.items())]
        out.setdefault("object", "response")
        if self._error is not None and not self._ended:
            out |= {"status": "failed", "error": self._error}
        elif not self._ended:
            out["status"] = "incomplete"
        return out

    def _take_response(self, raw: Any, path: str, ended: bool) -> bool:
        response = as_object(raw, path)
        for key in ("usage", "error", "incomplete_details"):
            if response.get(key) is not None:
                as_object(response[key], f"{path}.{key}")
        output = as_list(response.get("output"), f"{path}.output")
        if ended or not self._ended:
            self._base = response
            self._ended = ended
        return bool(output)


class _Item:
    """One item of the output while it comes."""

    def __init__(self) -> None:
        self._base: Mapping[str, Any] | None = None
        self._parts: dict[Place, Mapping[str, Any]] = {}
        self._notes: dict[Place, list[Any]] = {}
        self._part_texts: dict[Place, dict[str, list[str]]] = {}
        self._texts: dict[str, list[str]] = {}

    def take(self, name: str, step: str, event: Mapping[str, Any], path: str) -> bool:
        """Takes an event about the item; says whether the model says something in it."""
        if name == "response.output_item":
            return self._take_base(as_object(event.get("item"), f"{path}.item"), step == "done")
        if name in _TEXTS:
            return self._take_text(name, step, event, path)
        field, key = _PARTS.get(name, ("content", "content_index"))
        place = (field, as_index(event.get(key), f"{path}.{key}") or 0)
        if name == _ANNOTATION:
            note = as_object(event.get("annotation"), f"{path}.annotation")
            self._notes.setdefault(place, []).append(note)
            return False
        part = as_object(event.get("part"), f"{path}.part")
        self._parts[place] = part
        if part.get("annotations"):
            self._notes.pop(place, None)
        return any(not is_empty(part.get(key)) for key in ("text", "refusal"))

    def _take_base(self, item: Mapping[str, Any], done: bool) -> bool:
        if done:  # it is whole; what was collected for it is in it
            for collected in (self._parts, self._notes, self._part_texts, self._texts):
                collected.clear()
        self._base = item
        # A message or a reasoning begins empty; a call begins with its name.
        return any(not is_empty(item.get(key)) for key in ("name", "content", "summary"))

    def _take_text(self, name: str, step: str, event: Mapping[str, Any], path: str) -> bool:
        field, key, text_field, kind = _TEXTS[name]
        if step not in ("delta", "done"):
            return False
        at = (as_index(event.get(key), f"{path}.{key}") or 0) if key else 0
        source = "delta" if step == "delta" else text_field
        said = as_text(event.get(source), f"{path}.{source}")
        if field:
            self._parts.setdefault((field, at), {"type": kind, text_field: ""})
            texts = self._part_texts.setdefault((field, at), {})
        else:
            texts = self._texts
        if step == "delta":
            texts.setdefault(text_field, []).append(said)
        else:
            texts[text_field] = [said]
        return bool(said)

    def whole(self) -> dict[str, Any]:
        """The item as it would have come in one piece."""
        item = dict(self._guess() if self._base is None else self._base)
        for field in ("content", "summary"):
            if places := sorted(place for place in self._parts if place[0] == field):
                item[field] = [self._part(place) for place in places]
        return item | {key: "".join(pieces) for key, pieces in self._texts.items()}

    def _part(self, place: Place) -> dict[str, Any]:
        texts = self._part_texts.get(place, {})
        part = {**self._parts[place], **{key: "".join(pieces) for key, pieces in texts.items()}}
        if notes := self._notes.get(place):
            part["annotations"] = notes
        return part

    def _guess(self) -> dict[str, Any]:
        """The item whose beginning the stream did not hold, by what was said in it."""
        types = {str(part.get("type")) for part in self._parts.values()}
        if types & {"summary_text", "reasoning_text"}:
            return {"type": "reasoning", "summary": []}
        if types or self._notes:
            return {"type": "message", "role": "assistant", "status": "in_progress"}
        custom = "input" in self._texts
        return {"type": "custom_tool_call" if custom else "function_call", "name": ""}
