"""The chunks of a stream of Chat Completions, put together to the ``chat.completion`` that they tell.

Facts: OpenAI's SDK types and streaming guide, 2026; what servers do that are compatible with it, from their issue
trackers. Azure begins with a chunk that only has filter results, Perplexity repeats the whole message beside each
delta, some servers give every tool call the index 0 or none, or send calls whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from llmtee.errors import InputError
from llmtee.formats import records
from llmtee.formats._stream import Accumulator, Growing, as_index, is_empty, join_base64, update
from llmtee.formats.openai_chat.stream_calls import Calls
from llmtee.jsonfields import as_list, as_object, as_text, join, rest, type_name

_FIRST = ("id", "created", "model")
_ONLY_STREAMED = ("object", "choices", "obfuscation")
_TEXTS = ("refusal", "reasoning_content", "reasoning")
_SAID = ("content", *_TEXTS, "reasoning_details", "thinking_blocks", "images", "tool_calls")
"""Fields of a delta in which the model says something; ``function_call`` and ``audio`` are looked into."""


class ChatStream(Accumulator):
    """Gathers the chunks of one stream. Several choices may come in turns."""

    def __init__(self) -> None:
        super().__init__()
        self._fields: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}

    @property
    def complete(self) -> bool:
        """Whether each choice that was begun has a finish reason."""
        return bool(self._choices) and all(choice.finished for choice in self._choices.values())

    @property
    def usage_missing(self) -> bool:
        """Whether no chunk had counts."""
        return is_empty(self._fields.get("usage"))

    def _take(self, chunk: Mapping[str, Any], path: str) -> bool:
        _check_fields(chunk, path)
        where = join(path, "choices")
        found = [
            _checked(one, f"{where}[{i}]", i)
            for i, one in enumerate(as_list(chunk.get("choices"), where))
        ]
        update(self._fields, rest(chunk, *_ONLY_STREAMED), *_FIRST)
        for index, choice in found:
            self._choices.setdefault(index, _Choice()).add(choice)
        return any(_says_something(choice) for _, choice in found)

    def _response(self) -> dict[str, Any] | None:
        if not self._fields and not self._choices:
            return None
        known = {key: self._fields[key] for key in _FIRST if key in self._fields}
        beside = rest(self._fields, *_FIRST)
        if self._fields.get("error") is not None and not self._choices:
            return {**known, **beside}  # an error before anything was said
        choices = [{"index": i, **one.whole()} for i, one in sorted(self._choices.items())]
        return {**known, "object": "chat.completion", "choices": choices, **beside}


def _check_fields(chunk: Mapping[str, Any], path: str) -> None:
    """Raises for what a reader of the response would refuse, as long as the chunk can be named."""
    records.decode_error(chunk.get("error"), join(path, "error"))
    if chunk.get("usage") is not None:
        as_object(chunk["usage"], join(path, "usage"))


def _checked(raw: Any, path: str, position: int) -> tuple[int, Mapping[str, Any]]:
    """A choice of a chunk, of whose shape the rest may be sure, with its index."""
    choice = as_object(raw, path)
    index = as_index(choice.get("index"), f"{path}.index")
    said = "delta"
    if choice.get("delta") is None:
        if "text" in choice and "message" not in choice:
            raise InputError(
                "is missing; with 'text' it is a legacy completion", path=f"{path}.delta"
            )
        said = "message"  # a server that sends an answer whole
    if choice.get(said) is not None:
        _check_delta(as_object(choice[said], f"{path}.{said}"), f"{path}.{said}")
    if choice.get("logprobs") is not None:
        as_object(choice["logprobs"], f"{path}.logprobs")
    if choice.get("finish_reason") is not None:
        as_text(choice["finish_reason"], f"{path}.finish_reason")
    return position if index is None else index, choice


def _check_delta(delta: Mapping[str, Any], path: str) -> None:
    for key in ("role", *_TEXTS):
        if delta.get(key) is not None:
            as_text(delta[key], f"{path}.{key}")
    content = delta.get("content")
    if not (content is None or isinstance(content, str | list)):
        raise InputError(
            f"must be text or a list, not {type_name(content)}", path=f"{path}.content"
        )
    for key in ("function_call", "audio"):
        if delta.get(key) is not None:
            as_object(delta[key], f"{path}.{key}")
    for i, call in enumerate(as_list(delta.get("tool_calls"), f"{path}.tool_calls")):
        Calls.check(call, f"{path}.tool_calls[{i}]")


def _says_something(choice: Mapping[str, Any]) -> bool:
    said = choice.get("delta")
    said = (choice.get("message") or {}) if said is None else said
    audio, call = said.get("audio") or {}, said.get("function_call") or {}
    return (
        any(not is_empty(said.get(key)) for key in _SAID)
        or any(not is_empty(audio.get(key)) for key in ("data", "transcript"))
        or any(not is_empty(call.get(key)) for key in ("name", "arguments"))
    )


class _Choice:
    """One choice while it comes."""

    def __init__(self) -> None:
        self._fields: dict[str, Any] = {}
        self._message = Growing("role")
        self._whole: Mapping[str, Any] | None = None
        self._content: list[str | list[Any]] = []
        self._calls = Calls()
        self._function_call: Growing | None = None
        self._audio: Growing | None = None
        self._audio_data: list[str] = []
        self._logprobs: Growing | None = None

    @property
    def finished(self) -> bool:
        return self._fields.get("finish_reason") is not None

    def add(self, choice: Mapping[str, Any]) -> None:
        update(self._fields, rest(choice, "index", "delta", "message", "logprobs"))
        if (logprobs := choice.get("logprobs")) is not None:
            self._logprobs = self._logprobs or Growing()
            self._logprobs.add(logprobs)
        if choice.get("delta") is not None:
            self._add_delta(choice["delta"])
        elif choice.get("message") is not None:
            self._whole = choice["message"]

    def _add_delta(self, delta: Mapping[str, Any]) -> None:
        self._message.add(rest(delta, "content", "tool_calls", "function_call", "audio"))
        if delta.get("content") is not None:
            self._content.append(delta["content"])
        for call in delta.get("tool_calls") or ():
            self._calls.add(call)
        if (call := delta.get("function_call")) is not None:
            self._function_call = self._function_call or Growing("name")
            self._function_call.add(call)
        if (audio := delta.get("audio")) is not None:
            self._audio = self._audio or Growing("id")
            self._audio.add(rest(audio, "data") if isinstance(audio.get("data"), str) else audio)
            if isinstance(audio.get("data"), str):
                self._audio_data.append(audio["data"])

    def whole(self) -> dict[str, Any]:
        """The choice as it would have come in one piece."""
        logprobs = {} if self._logprobs is None else {"logprobs": self._logprobs.whole()}
        message = self._joined() if self._whole is None else {"role": "assistant", **self._whole}
        return {"message": message, "finish_reason": None, **logprobs, **self._fields}

    def _joined(self) -> dict[str, Any]:
        fields = self._message.whole()
        role = fields.get("role") or "assistant"
        # Texts that came empty would have come as null, or not at all.
        beside = {key: fields[key] for key in fields if key != "role" and not is_empty(fields[key])}
        if calls := self._calls.whole():
            beside["tool_calls"] = calls
        if self._function_call is not None:
            beside["function_call"] = self._function_call.whole()
        if self._audio is not None:
            data = {"data": join_base64(self._audio_data)} if self._audio_data else {}
            beside["audio"] = {**self._audio.whole(), **data}
        content = _content(self._content)
        return {"role": role, "content": None if content == "" and beside else content, **beside}


def _content(pieces: list[str | list[Any]]) -> Any:
    """Text; a list of parts where a server sends those (Mistral); ``None`` where nothing came."""
    texts = [piece for piece in pieces if isinstance(piece, str)]
    if len(texts) == len(pieces):
        return "".join(texts) if pieces else None
    parts: list[Any] = []
    for plain, run in groupby((part for piece in pieces for part in _parts(piece)), _is_plain):
        found = list(run)
        if plain:
            found = [{"type": "text", "text": "".join(one["text"] for one in found)}]
        parts += found
    return parts


def _parts(piece: str | list[Any]) -> list[Any]:
    if isinstance(piece, str):
        return [{"type": "text", "text": piece}] if piece else []
    return piece


def _is_plain(part: Any) -> bool:
    match part:
        case {"type": "text", "text": str()}:
            return len(part) == 2
    return False
