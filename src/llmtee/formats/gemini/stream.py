"""The chunks of Gemini's ``streamGenerateContent``, put together to the response that they tell.

Each chunk is a response of its own that holds the parts that are new. Facts: the Gemini API's reference and the
aggregation in Google's SDKs, 2026; the page on thought signatures says which parts may not be joined.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.errors import InputError
from llmtee.formats._stream import Accumulator, Growing, as_index, is_empty, update
from llmtee.formats.gemini.names import normalise, respell, respell_path
from llmtee.formats.gemini.stream_calls import CallInPieces, begins_in_pieces
from llmtee.jsonfields import as_list, as_object, as_text, join, rest, type_name

_FIRST = ("responseId", "modelVersion", "createTime")
_MERGED = ("groundingMetadata", "urlContextMetadata")
"""Objects whose fields may come in different chunks; of each field the last that says something stays."""
_GROWING = ("logprobsResult",)
_CITATIONS = "citationMetadata"


class GeminiStream(Accumulator):
    """Gathers the chunks of one stream, in either spelling of the keys. Several candidates may come in turns."""

    def __init__(self) -> None:
        super().__init__()
        self._fields: dict[str, Any] = {}
        self._candidates: dict[int, _Candidate] = {}
        self._snake = False

    @property
    def complete(self) -> bool:
        """Whether each candidate has a finish reason, or the prompt was blocked."""
        if not self._candidates:
            feedback = self._fields.get("promptFeedback")
            return isinstance(feedback, dict) and not is_empty(feedback.get("blockReason"))
        return all(candidate.finished for candidate in self._candidates.values())

    @property
    def usage_missing(self) -> bool:
        """Whether no chunk had counts."""
        return is_empty(self._fields.get("usageMetadata"))

    def _take(self, chunk: Mapping[str, Any], path: str) -> bool:
        normal, snake = normalise(chunk)
        try:
            found = _checked(normal, path)
        except InputError as error:
            raise InputError(
                error.reason, path=respell_path(error.path or path) if snake else error.path
            ) from None
        self._snake |= snake
        update(self._fields, rest(normal, "candidates"), *_FIRST)
        says = False
        for index, candidate in found:
            says |= self._candidates.setdefault(index, _Candidate()).add(candidate)
        return says

    def _response(self) -> dict[str, Any] | None:
        if not self._fields and not self._candidates:
            return None
        found = [{**one.whole(), "index": i} for i, one in sorted(self._candidates.items())]
        response = {**({"candidates": found} if found else {}), **self._fields}
        return dict(respell(response)) if self._snake else response


def _checked(chunk: Mapping[str, Any], path: str) -> list[tuple[int, Mapping[str, Any]]]:
    """The candidates of a chunk, of whose shape the rest may be sure, with their indices."""
    for key in ("usageMetadata", "promptFeedback"):
        if chunk.get(key) is not None:
            as_object(chunk[key], join(path, key))
    error = chunk.get("error")
    if not (error is None or isinstance(error, str | Mapping)):
        raise InputError(f"must be an object, not {type_name(error)}", path=join(path, "error"))
    where = join(path, "candidates")
    candidates = enumerate(as_list(chunk.get("candidates"), where))
    return [_checked_candidate(one, f"{where}[{i}]", i) for i, one in candidates]


def _checked_candidate(raw: Any, path: str, position: int) -> tuple[int, Mapping[str, Any]]:
    candidate = as_object(raw, path)
    index = as_index(candidate.get("index"), f"{path}.index")
    if candidate.get("finishReason") is not None:
        as_text(candidate["finishReason"], f"{path}.finishReason")
    if candidate.get("content") is not None:
        content = as_object(candidate["content"], f"{path}.content")
        if content.get("role") is not None:
            as_text(content["role"], f"{path}.content.role")
        for i, part in enumerate(as_list(content.get("parts"), f"{path}.content.parts")):
            as_object(part, f"{path}.content.parts[{i}]")
    return position if index is None else index, candidate


class _Candidate:
    """One candidate while it comes."""

    def __init__(self) -> None:
        self._fields: dict[str, Any] = {}
        self._content: dict[str, Any] | None = None
        self._parts: list[_Text | CallInPieces | dict[str, Any]] = []
        self._growing: dict[str, Growing] = {}
        self._citations: dict[str, list[Any]] = {}

    @property
    def finished(self) -> bool:
        return not is_empty(self._fields.get("finishReason"))

    def add(self, candidate: Mapping[str, Any]) -> bool:
        """Takes what a chunk says of the candidate; says whether the model says something in it."""
        for key, value in rest(candidate, "content", "index").items():
            if key in _MERGED and isinstance(value, Mapping):
                before = self._fields.setdefault(key, {})
                if isinstance(before, dict):
                    update(before, value)
            elif key in _GROWING and isinstance(value, Mapping):
                self._growing.setdefault(key, Growing()).add(value)
            elif key == _CITATIONS and isinstance(value, Mapping):
                self._cite(value)
            else:
                update(self._fields, {key: value})
        content = candidate.get("content")
        if content is None:
            return False
        self._content = self._content or {}
        update(self._content, rest(content, "parts"), "role")
        said = [self._add_part(part) for part in content.get("parts") or ()]
        return any(said)

    def _cite(self, told: Mapping[str, Any]) -> None:
        """Some models tell each source once, some tell all sources so far."""
        for key, sources in told.items():
            if isinstance(sources, list):
                before = self._citations.setdefault(key, [])
                again = sources[: len(before)] == before
                before += sources[len(before) :] if again else sources

    def _add_part(self, part: dict[str, Any]) -> bool:
        last = self._parts[-1] if self._parts else None
        if isinstance(last, CallInPieces) and last.add(part):
            return True
        if _is_plain_text(part):
            thought = part.get("thought")
            if not part["text"]:
                return False  # the last chunk often holds one, for nothing
            if not isinstance(last, _Text) or last.thought != thought:
                last = _Text(thought)
                self._parts.append(last)
            last.append(part["text"])
            return True
        self._parts.append(CallInPieces(part) if begins_in_pieces(part) else part)
        return any(not is_empty(rest(part, "thoughtSignature", "thought").get(key)) for key in part)

    def whole(self) -> dict[str, Any]:
        """The candidate as it would have come in one piece."""
        content: dict[str, Any] = {}
        if self._content is not None:
            parts = [part if isinstance(part, dict) else part.whole() for part in self._parts]
            content = {"content": {**self._content, "parts": parts}}
        cited = {_CITATIONS: self._citations} if self._citations else {}
        growing = {key: value.whole() for key, value in self._growing.items()}
        return {**content, **self._fields, **cited, **growing}


class _Text(list[str]):
    """Adjacent texts of one kind. One with a signature, or with any other field, stands alone: it has to go back as it came."""

    def __init__(self, thought: Any) -> None:
        super().__init__()
        self.thought = thought

    def whole(self) -> dict[str, Any]:
        thought = {} if self.thought is None else {"thought": self.thought}
        return {"text": "".join(self), **thought}


def _is_plain_text(part: Mapping[str, Any]) -> bool:
    return isinstance(part.get("text"), str) and part.keys() <= {"text", "thought"}
