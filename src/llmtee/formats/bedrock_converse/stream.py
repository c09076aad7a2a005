"""The events of Bedrock's ``ConverseStream``, put together to the answer that ``Converse`` would have given.

Each event is an object with one key, its type. Facts: ``ConverseStreamOutput`` in the Bedrock Runtime API's reference
and boto3's model of it, 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.errors import InputError
from llmtee.formats._stream import (
    Accumulator,
    Growing,
    as_index,
    is_empty,
    join_base64,
    parsed_object,
    update,
)
from llmtee.jsonfields import as_object, as_text, rest, type_name

FAILURES = (
    *("internalServerException", "modelStreamErrorException", "validationException"),
    *("throttlingException", "serviceUnavailableException", "modelTimeoutException"),
)
EVENTS = (
    *("messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop"),
    *("messageStop", "metadata"),
)
_TEXTS = {"toolUse": ("input",), "reasoningContent": ("text", "signature", "redactedContent")}
_AROUND = "p"
"""Bedrock pads events with a text of random length under this key, against eavesdroppers who count bytes."""


class ConverseStream(Accumulator):
    """Gathers the events of one stream."""

    def __init__(self) -> None:
        super().__init__()
        self._message: dict[str, Any] = {}
        self._blocks: dict[int, _Block] = {}
        self._end: dict[str, Any] = {}
        self._metadata: dict[str, Any] = {}
        self._error: dict[str, Any] | None = None
        self._unknown: list[Any] = []

    @property
    def complete(self) -> bool:
        """Whether the reason to stop has come."""
        return not is_empty(self._end.get("stopReason"))

    @property
    def usage_missing(self) -> bool:
        """Whether ``metadata``, the last event, has not come."""
        return is_empty(self._metadata.get("usage"))

    def _take(self, chunk: Mapping[str, Any], path: str) -> bool:
        found = {
            key: as_object(value, f"{path}.{key}")
            for key, value in chunk.items()
            if key in (*EVENTS, *FAILURES) and value is not None  # JavaScript's SDK may write nulls
        }
        for key in EVENTS[1:4]:
            if key in found:
                as_index(found[key].get("contentBlockIndex"), f"{path}.{key}.contentBlockIndex")
        _check(found, path)
        if not found and any(not is_empty(value) for value in rest(chunk, _AROUND).values()):
            self._unknown.append(dict(chunk))
        said = [self._take_event(kind, event) for kind, event in found.items()]
        return any(said)

    def _take_event(self, kind: str, event: Mapping[str, Any]) -> bool:
        event = rest(event, _AROUND)
        if kind in FAILURES:
            told = event.get("message", event.get("Message"))
            beside = rest(event, "message", "Message")
            said = {} if told is None else {"Message": told}
            self._error = {"Code": kind, **said, **beside}
        elif kind == "messageStart":
            update(self._message, event)
        elif kind == "messageStop":
            update(self._end, event)
        elif kind == "metadata":
            update(self._metadata, event)
        else:
            index = event.get("contentBlockIndex")
            block = self._blocks.setdefault(0 if index is None else int(index), _Block())
            if kind == "contentBlockStart":
                return block.start(event.get("start") or {})
            if kind == "contentBlockDelta":
                return block.add(event.get("delta") or {})
        return False

    def _response(self) -> dict[str, Any] | None:
        error = {} if self._error is None else {"Error": self._error}
        unknown = {"unknown_events": self._unknown} if self._unknown else {}
        if not (self._message or self._blocks or self._end):
            return {**self._metadata, **error, **unknown} or None
        content = [block.whole() for _, block in sorted(self._blocks.items())]
        content = [block for block in content if block]
        message = {"role": "assistant", **self._message, "content": content}
        return {"output": {"message": message}, **self._end, **self._metadata, **error, **unknown}


def _check(found: Mapping[str, Mapping[str, Any]], path: str) -> None:
    """Raises for what the rest relies on."""
    for kind, key in (
        ("messageStart", "role"),
        ("messageStop", "stopReason"),
        *((kind, "message") for kind in FAILURES),
    ):
        if found.get(kind, {}).get(key) is not None:
            as_text(found[kind][key], f"{path}.{kind}.{key}")
    for kind, key in (("contentBlockStart", "start"), ("contentBlockDelta", "delta")):
        inner, where = found.get(kind, {}).get(key), f"{path}.{kind}.{key}"
        if inner is not None:
            _check_piece(as_object(inner, where), where, whole=key == "start")
    for key in ("usage", "metrics"):
        if found.get("metadata", {}).get(key) is not None:
            as_object(found["metadata"][key], f"{path}.metadata.{key}")


def _check_piece(piece: Mapping[str, Any], path: str, *, whole: bool) -> None:
    """Raises for a delta that cannot be joined; what a block begins with stays as it is."""
    if piece.get("text") is not None:
        as_text(piece["text"], f"{path}.text")
    if whole:
        return
    for key, names in _TEXTS.items():
        body = {} if piece.get(key) is None else as_object(piece[key], f"{path}.{key}")
        for name in names:
            if body.get(name) is not None:
                as_text(body[name], f"{path}.{key}.{name}")
    citation = piece.get("citation")
    if citation is not None and not isinstance(citation, Mapping):
        raise InputError(f"must be an object, not {type_name(citation)}", path=f"{path}.citation")


class _Block:
    """One block of the content while it comes."""

    def __init__(self) -> None:
        self._start: Mapping[str, Any] = {}
        self._text: list[str] = []
        self._input: list[str] = []
        self._reasoning = Growing()
        self._redacted: list[str] = []
        self._citations: list[Any] = []
        self._other: dict[str, Growing | _Listed] = {}

    def start(self, start: Mapping[str, Any]) -> bool:
        """Takes what the block begins with; says whether the model says something with it."""
        self._start = start
        if isinstance(start.get("text"), str):
            self._text.append(start["text"])
        return "toolUse" in start or not is_empty(start.get("text"))

    def add(self, delta: Mapping[str, Any]) -> bool:
        """Takes a delta; says whether the model says something with it."""
        says = False
        for key, value in delta.items():
            says |= not is_empty(value)
            if value is None:
                continue
            if key == "text":
                self._text.append(value)
            elif key == "toolUse":
                self._input.append(value.get("input") or "")
            elif key == "reasoningContent":
                self._add_reasoning(value)
            elif key == "citation":
                self._citations.append(value)
            else:
                self._add_other(key, value)
        return says

    def _add_reasoning(self, value: Mapping[str, Any]) -> None:
        if value.get("redactedContent") is not None:
            self._redacted.append(value["redactedContent"])
        self._reasoning.add(rest(value, "redactedContent"))

    def _add_other(self, key: str, value: Any) -> None:
        """What a block of another kind is made of: an image, what a tool at Amazon's gives, or nothing of today."""
        pieces = self._other.get(key)
        if isinstance(value, Mapping):
            if not isinstance(pieces, Growing):
                pieces = self._other[key] = Growing()
            pieces.add(value)
        else:
            if not isinstance(pieces, _Listed):
                pieces = self._other[key] = _Listed()
            pieces.add(value)

    def whole(self) -> dict[str, Any]:
        """The block as it would have come in one piece."""
        out: dict[str, Any] = dict(rest(self._start, "text"))
        if self._input or isinstance(out.get("toolUse"), Mapping):
            out["toolUse"] = _tool_use(out.get("toolUse"), self._input)
        if told := self._reasoning.whole():
            out["reasoningContent"] = {"reasoningText": {"text": "", **told}}
        if self._redacted:
            redacted = {"redactedContent": join_base64(self._redacted)}
            out["reasoningContent"] = {**out.get("reasoningContent", {}), **redacted}
        for key, pieces in self._other.items():
            begun, more = out.get(key), pieces.whole()
            if isinstance(more, dict):
                out[key] = {**begun, **more} if isinstance(begun, Mapping) else more
            else:  # a tool's result: its status at the start, its content in the deltas
                out[key] = {**begun, "content": more} if isinstance(begun, Mapping) else more
        if self._citations:
            content = [{"text": "".join(self._text)}]
            out["citationsContent"] = {"content": content, "citations": self._citations}
        elif self._text:
            out["text"] = "".join(self._text)
        return out


class _Listed:
    """The entries of lists that come one after another; what is no list is an entry of its own."""

    def __init__(self) -> None:
        self._entries: list[Any] = []

    def add(self, value: Any) -> None:
        self._entries += value if isinstance(value, list) else [value]

    def whole(self) -> list[Any]:
        return self._entries


def _tool_use(start: Any, pieces: list[str]) -> dict[str, Any]:
    begun = dict(start) if isinstance(start, Mapping) else {}
    if "".join(pieces):
        begun["input"] = parsed_object(pieces)
    else:
        begun.setdefault("input", {})
    return begun
