"""The events of a stream of Anthropic Messages, put together to the message that they tell.

Facts: the streaming page of Anthropic's API reference and the accumulator of its SDK, 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.errors import InputError
from llmtee.formats import records
from llmtee.formats._stream import Accumulator, as_index, is_empty, parsed_object
from llmtee.jsonfields import as_object, as_text, rest

_EMPTY: Mapping[str, Mapping[str, Any]] = {
    "text_delta": {"type": "text", "text": ""},
    "citations_delta": {"type": "text", "text": ""},
    "thinking_delta": {"type": "thinking", "thinking": ""},
    "signature_delta": {"type": "thinking", "thinking": ""},
    "input_json_delta": {"type": "tool_use", "id": "", "name": "", "input": {}},
}
"""The block that a delta belongs to, where the event that begins it was missed."""

_TEXTS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}
_INNER = {
    "message_start": ("message",),
    "content_block_start": ("content_block",),
    "content_block_delta": ("delta",),
    "content_block_stop": (),
    "message_delta": ("delta",),
    "message_stop": (),
    "error": ("error",),
    "ping": (),
}
"""The known events, and the objects that each must have."""


class AnthropicStream(Accumulator):
    """Gathers the events of one stream. Events of an unknown type are kept in the message, under ``unknown_events``."""

    def __init__(self) -> None:
        super().__init__()
        self._message: dict[str, Any] | None = None
        self._blocks: dict[int, _Block] = {}
        self._error: Mapping[str, Any] | None = None
        self._stopped = False
        self._unknown: list[Any] = []

    @property
    def complete(self) -> bool:
        """Whether the stream has said why the model stopped, or ended in order."""
        return self._stopped or (self._message or {}).get("stop_reason") is not None

    @property
    def usage_missing(self) -> bool:
        """Whether no event had counts. Those of ``message_start`` alone have only begun to count the output."""
        return is_empty((self._message or {}).get("usage"))

    def _take(self, chunk: Mapping[str, Any], path: str) -> bool:
        kind = chunk.get("type")
        if kind is not None:
            as_text(kind, f"{path}.type")
        if kind not in _INNER:
            self._unknown.append(chunk)
            return False
        inner = {key: as_object(chunk.get(key), f"{path}.{key}") for key in _INNER[kind]}
        match kind:
            case "message_start":
                return self._begin(inner["message"], f"{path}.message")
            case "content_block_start":
                index = _index(chunk, path)
                self._blocks[index] = _Block(inner["content_block"])
                return self._blocks[index].begun
            case "content_block_delta":
                return self._add_delta(_index(chunk, path), inner["delta"], f"{path}.delta")
            case "message_delta":
                self._merge({**rest(chunk, "type", "delta"), **inner["delta"]}, path)
            case "message_stop":
                self._merge(rest(chunk, "type"), path)  # Bedrock adds its own metrics
                self._stopped = True
            case "error":
                records.decode_error(inner["error"], f"{path}.error")
                self._error = chunk
        return False

    def _response(self) -> dict[str, Any] | None:
        unknown = {"unknown_events": self._unknown} if self._unknown else {}
        if self._message is None and not self._blocks:
            return {**(self._error or {}), **unknown} or None
        error = {} if self._error is None else rest(self._error, "type")
        message = {"type": "message", "role": "assistant", **(self._message or {})}
        message["content"] = [block.whole() for _, block in sorted(self._blocks.items())]
        return {**message, **error, **unknown}

    def _begin(self, message: Mapping[str, Any], path: str) -> bool:
        _check_end(message, path)
        content = message.get("content")
        blocks = {
            i: _Block(as_object(block, f"{path}.content[{i}]"))
            for i, block in enumerate(content if isinstance(content, list) else [])
        }
        self._message = dict(message)
        self._blocks |= blocks
        return any(block.begun for block in blocks.values())

    def _add_delta(self, index: int, delta: Mapping[str, Any], path: str) -> bool:
        kind = delta.get("type")
        if isinstance(kind, str) and kind in _TEXTS:
            as_text(delta.get(_TEXTS[kind]), f"{path}.{_TEXTS[kind]}")
        if index not in self._blocks:
            self._blocks[index] = _Block(_EMPTY.get(str(kind), {}))
        return self._blocks[index].add(delta)

    def _merge(self, fields: Mapping[str, Any], path: str) -> None:
        """Fields that come at the end. Counts are totals so far, not to be added; a null leaves what was said before."""
        _check_end(fields, path)
        if self._message is None:
            self._message = {}
        for key, value in fields.items():
            before = self._message.get(key)
            if key == "usage" and isinstance(before, Mapping) and isinstance(value, Mapping):
                told = {name: count for name, count in value.items() if count is not None}
                self._message[key] = {**before, **told}
            elif value is not None or before is None:
                self._message[key] = value


def _check_end(fields: Mapping[str, Any], path: str) -> None:
    if fields.get("stop_reason") is not None:
        as_text(fields["stop_reason"], f"{path}.stop_reason")
    if fields.get("usage") is not None:
        as_object(fields["usage"], f"{path}.usage")


def _index(chunk: Mapping[str, Any], path: str) -> int:
    index = as_index(chunk.get("index"), f"{path}.index")
    if index is None:
        raise InputError("is missing", path=f"{path}.index")
    return index


class _Block:
    """One block of the content while it comes."""

    def __init__(self, start: Mapping[str, Any]) -> None:
        self._start = start
        self._texts: dict[str, list[str]] = {}
        self._citations: list[Any] = []
        self._fields: dict[str, Any] = {}
        self.begun = any(start.get(key) for key in ("text", "thinking", "data", "content", "name"))

    def add(self, delta: Mapping[str, Any]) -> bool:
        """Takes a delta; says whether the model says something with it."""
        match delta:
            case {"type": "citations_delta", "citation": citation}:
                self._citations.append(citation)
            case {"type": "signature_delta", "signature": signature}:
                self._fields["signature"] = signature  # comes whole
            case _:
                # Also what no delta of today does: text is continued, anything else is set.
                for key, value in rest(delta, "type").items():
                    if isinstance(value, str):
                        self._texts.setdefault(key, []).append(value)
                    else:
                        self._fields[key] = value
        return any(not is_empty(value) for value in rest(delta, "type").values())

    def whole(self) -> dict[str, Any]:
        """The block as it would have come in one piece."""
        found = {**self._start, **self._fields}
        for key, pieces in self._texts.items():
            if key == "partial_json":
                # No text leaves what it began with.
                found["input"] = parsed_object(pieces) if any(pieces) else self._start.get("input")
            else:
                before = self._start.get(key)
                found[key] = "".join([before, *pieces] if isinstance(before, str) else pieces)
        if self._citations:
            before = found.get("citations")
            found["citations"] = [*(before if isinstance(before, list) else ()), *self._citations]
        return found
