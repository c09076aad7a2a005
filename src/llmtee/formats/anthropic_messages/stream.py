"""The events of a stream of Anthropic Messages, put together to the response that they tell.

Sans I/O: whoever reads the stream hands in each event as the object in its ``data``, and asks for the response when
the stream has ended, however it ended. Facts: the streaming page of Anthropic's API reference and the accumulator of
its SDK, 2026.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from llmtee import jsontext
from llmtee.jsonfields import rest
from llmtee.model.snapshot import to_json_value

_EMPTY: Mapping[str, Mapping[str, Any]] = {
    "text_delta": {"type": "text", "text": ""},
    "citations_delta": {"type": "text", "text": ""},
    "thinking_delta": {"type": "thinking", "thinking": ""},
    "signature_delta": {"type": "thinking", "thinking": ""},
    "input_json_delta": {"type": "tool_use", "id": "", "name": "", "input": {}},
}
"""The block that a delta belongs to, where the event that begins it was missed."""


class AnthropicStream:
    """Gathers the events of one stream.

    Nothing in it raises for what an event holds: an event that is of no known shape is kept in the response, under
    ``unknown_events``. Memory grows with what the stream says, time with the number of events.
    """

    def __init__(self) -> None:
        self._message: dict[str, Any] | None = None
        self._blocks: dict[int, _Block] = {}
        self._error: dict[str, Any] | None = None
        self._stopped = False
        self._unknown: list[Any] = []

    @property
    def has_content(self) -> bool:
        """Whether the model has begun to answer: when this turns true, the first token has come."""
        return any(block.begun for block in self._blocks.values())

    @property
    def incomplete(self) -> bool:
        """Whether the stream was cut short: it has neither said why the model stopped nor ended in order."""
        return not self._stopped and (self._message or {}).get("stop_reason") is None

    def add(self, event: Mapping[str, Any]) -> None:
        """Takes the next event. It is copied, never kept or changed."""
        copied = to_json_value(event)
        if not isinstance(copied, dict) or not self._take(copied):
            self._unknown.append(copied)

    def response(self) -> dict[str, Any]:
        """The response as it would have come in one piece, or as much of it as has come so far.

        A tool's input that was cut short is the text received in place of an object. A failure after the message
        began stands in ``error`` beside what was said; one before it is the whole response.
        """
        unknown = {"unknown_events": list(self._unknown)} if self._unknown else {}
        if self._error is not None and self._message is None and not self._blocks:
            return copy.deepcopy({**self._error, **unknown})
        error = {} if self._error is None else {"error": self._error.get("error")}
        message = {"type": "message", "role": "assistant", **(self._message or {})}
        message["content"] = [block.whole() for _, block in sorted(self._blocks.items())]
        return copy.deepcopy({**message, **error, **unknown})

    def _take(self, event: dict[str, Any]) -> bool:
        """Takes an event of a known shape; says whether it is one."""
        match event:
            case {"type": "ping"}:
                pass
            case {"type": "message_start", "message": dict(message)}:
                self._begin(message)
            case {"type": "content_block_start", "index": int(i), "content_block": dict(block)}:
                self._blocks[i] = _Block(block)
            case {"type": "content_block_delta", "index": int(i), "delta": dict(delta)}:
                if i not in self._blocks:
                    self._blocks[i] = _Block(dict(_EMPTY.get(str(delta.get("type")), {})))
                self._blocks[i].add(delta)
            case {"type": "content_block_stop", "index": int()}:
                pass
            case {"type": "message_delta", "delta": dict(delta)}:
                self._merge({**rest(event, "type", "delta"), **delta})
            case {"type": "message_stop"}:
                self._stopped = True
                self._merge(rest(event, "type"))  # Bedrock adds its own metrics
            case {"type": "error", "error": dict()}:
                self._error = event
            case _:
                return False
        return True

    def _begin(self, message: dict[str, Any]) -> None:
        self._message = message
        content = message.get("content")
        for i, block in enumerate(content if isinstance(content, list) else []):
            if isinstance(block, dict):
                self._blocks[i] = _Block(block)

    def _merge(self, fields: Mapping[str, Any]) -> None:
        """Fields that come at the end. Counts are totals so far, not to be added; a null leaves what was said before."""
        if self._message is None:
            self._message = {}
        for key, value in fields.items():
            before = self._message.get(key)
            if key == "usage" and isinstance(before, dict) and isinstance(value, dict):
                told = {name: count for name, count in value.items() if count is not None}
                self._message[key] = {**before, **told}
            elif value is not None or before is None:
                self._message[key] = value


class _Block:
    """One block of the content while it comes."""

    def __init__(self, start: dict[str, Any]) -> None:
        self._start = start
        self._texts: dict[str, list[str]] = {}
        self._citations: list[Any] = []
        self._fields: dict[str, Any] = {}
        self.begun = any(start.get(key) for key in ("text", "thinking", "data", "content", "name"))

    def add(self, delta: dict[str, Any]) -> None:
        self.begun = True
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

    def whole(self) -> dict[str, Any]:
        """The block as it would have come in one piece."""
        found = {**self._start, **self._fields}
        for key, pieces in self._texts.items():
            text = "".join(pieces)
            if key == "partial_json":
                found["input"] = _input(text, self._start.get("input"))
            else:
                before = self._start.get(key)
                found[key] = f"{before}{text}" if isinstance(before, str) else text
        if self._citations:
            before = found.get("citations")
            found["citations"] = [*(before if isinstance(before, list) else ()), *self._citations]
        return found


def _input(text: str, start: Any) -> Any:
    """A tool's input: the object that the text is, or the text where it is none. No text leaves what it began with."""
    if not text:
        return start
    try:
        parsed = jsontext.loads(text)
    except ValueError:
        return text
    return parsed if isinstance(parsed, dict) else text
