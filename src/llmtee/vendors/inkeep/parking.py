"""What Inkeep's fields cannot say, put into ``properties`` and taken out again.

Inkeep shows and filters ``properties`` of conversations and messages, so what people look for has a plain name
there: ``model``, ``usage``, ``toolResults`` and the other words of `MESSAGE_WORDS` and `CONVERSATION_WORDS`. What
only the exact way back needs stands under ``llmtee``. That key is also the mark by which reading knows that the
words are ours: without it, properties are the application's own, whatever they are called. An own property with the
name of one of our words is moved to ``llmtee.properties`` when both would be there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, TypeAdapter

from llmtee import jsontext
from llmtee.model import AnyPart, Generation, TextPart, ToolResultPart

MARK: Final = "llmtee"
VERSION: Final = 1
TRIMMED: Final = "llmteeTrimmed"

GENERATION_WORDS: Final = {
    "event": "modelCallId",
    "provider": "provider",
    "model": "model",
    "response_model": "responseModel",
    "parameters": "parameters",
    "finish_reason": "finishReason",
    "finish_reason_raw": "finishReasonRaw",
    "usage": "usage",
    "cost": "cost",
    "started_at": "startedAt",
    "ended_at": "endedAt",
    "first_token_at": "firstTokenAt",
    "error": "error",
}
"""Fields of a `Generation` by their word in ``messages[].properties``."""
LATENCY: Final = "latencyMs"
"""Milliseconds from ``startedAt`` to ``endedAt``, for people; not read back."""
RESULTS: Final = "toolResults"
MESSAGE_WORDS: Final = frozenset({*GENERATION_WORDS.values(), LATENCY, RESULTS})

CONVERSATION_FIELDS: Final = {
    "title": "title",
    "trace_id": "traceId",
    "source": "source",
    "ended_at": "endedAt",
    "metrics": "metrics",
    "feedback": "feedback",
    "tool_runs": "toolRuns",
}
"""Fields of a conversation by their word in ``properties``."""
AGENT: Final = "agent"
AGENT_VERSION: Final = "agentVersion"
CONVERSATION_WORDS: Final = frozenset({*CONVERSATION_FIELDS.values(), AGENT, AGENT_VERSION})

_PARTS: TypeAdapter[Any] = TypeAdapter(AnyPart)


class Parked(NamedTuple):
    """``properties``, told apart."""

    own: dict[str, Any]
    """The application's."""
    words: dict[str, Any]
    exact: dict[str, Any]
    """What stands under ``llmtee``."""


def park(
    own: Mapping[str, Any],
    words: Mapping[str, Any],
    exact: Mapping[str, Any],
    vocabulary: frozenset[str],
) -> dict[str, Any]:
    """All three in one ``properties`` object."""
    if not words and not exact and not _is_mark(own.get(MARK)):
        return dict(own)
    clashing = {key: value for key, value in own.items() if key in vocabulary or key == MARK}
    mark = {"vocabulary": VERSION, **exact, **({"properties": clashing} if clashing else {})}
    kept = {key: value for key, value in own.items() if key not in clashing}
    return {**kept, **words, MARK: mark}


def unpark(properties: Mapping[str, Any], vocabulary: frozenset[str]) -> Parked:
    """The way back of `park`."""
    if not _is_mark(properties.get(MARK)):
        return Parked(dict(properties), {}, {})
    exact = {key: value for key, value in properties[MARK].items() if key != "vocabulary"}
    clashing = exact.pop("properties", {})
    own = {key: value for key, value in properties.items() if key not in vocabulary and key != MARK}
    words = {key: value for key, value in properties.items() if key in vocabulary}
    return Parked({**own, **(clashing if isinstance(clashing, dict) else {})}, words, exact)


def _is_mark(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("vocabulary") == VERSION


def differences(wanted: BaseModel, native: BaseModel, *, without: set[str]) -> dict[str, Any]:
    """The fields of ``wanted`` that ``native`` has not, as JSON; what only ``native`` has does not count."""
    want = wanted.model_dump(mode="json", exclude_defaults=True, exclude=without)
    have = native.model_dump(mode="json", exclude_defaults=True, exclude=without)
    return {key: value for key, value in want.items() if key not in have or have[key] != value}


# ── how a message was made ──────────────────────────────────────────────────────────────────────────────────────


def generation_words(made: Generation | None) -> dict[str, Any]:
    """A generation in the words of ``messages[].properties``."""
    if made is None:
        return {}
    words = {GENERATION_WORDS[key]: value for key, value in made.to_json().items()}
    if made.started_at and made.ended_at:
        words[LATENCY] = round((made.ended_at - made.started_at).total_seconds() * 1000, 3)
    return words


def read_generation(words: Mapping[str, Any]) -> dict[str, Any]:
    """The way back, as JSON of a `Generation`; empty where there is none."""
    return {key: words[word] for key, word in GENERATION_WORDS.items() if word in words}


# ── parts in their order ────────────────────────────────────────────────────────────────────────────────────────


def layout(
    parts: Sequence[AnyPart], native: Sequence[AnyPart], places: Sequence[int | None]
) -> list[Any]:
    """The order of a message's parts, with what the message itself has no place for.

    Args:
        parts: the canonical parts.
        native: what reading the message gives without this list: its content, then its links, then its tool calls.
        places: for each part, the one of ``native`` that says it, if any.

    Returns:
        A number for a part that stands in the message, an object with ``from`` for one that stands there in part,
        and any other object for a part that does not stand there at all.
    """
    return [
        part.to_json() if place is None else _entry(part, native[place], place)
        for part, place in zip(parts, places, strict=True)
    ]


def _entry(part: AnyPart, native: AnyPart, place: int) -> Any:
    want, have = part.to_json(), native.to_json()
    if want == have:
        return place
    if isinstance(part, ToolResultPart):
        return _result_entry(want, native, place)
    fields = type(part).model_fields
    if not set(have) <= set(fields):
        return want
    changed = {key: value for key, value in want.items() if key not in have or have[key] != value}
    absent = {
        key: fields[key].get_default(call_default_factory=True) for key in have if key not in want
    }
    return {"from": place, **absent, **changed}


def _result_entry(want: dict[str, Any], native: AnyPart, place: int) -> dict[str, Any]:
    text = native.text if isinstance(native, TextPart) else None
    others = {key: value for key, value in want.items() if key != "result"}
    if "parts" in want or "result" not in want or text is None:
        return want
    if want["result"] == text:
        return {"from": place, "as": "text", **others}
    return {"from": place, "as": "json", **others}


def restore_parts(native: Sequence[AnyPart], entries: Any) -> tuple[AnyPart, ...]:
    """The way back of `layout`; ``native`` as it is where the list does not fit it."""
    if not isinstance(entries, list):
        return tuple(native)
    try:
        return tuple(_restore(entry, native) for entry in entries)
    except (ValueError, TypeError, IndexError):  # somebody changed the message, or the list
        return tuple(native)


def _restore(entry: Any, native: Sequence[AnyPart]) -> AnyPart:
    if isinstance(entry, int):
        return native[entry]
    if not isinstance(entry, dict) or "from" not in entry:
        part: AnyPart = _PARTS.validate_python(entry)
        return part
    source = native[entry["from"]].to_json()
    changed = {key: value for key, value in entry.items() if key not in ("from", "as")}
    if "as" in entry:
        source = {"result": _result(source.get("text", ""), entry["as"])}
    restored: AnyPart = _PARTS.validate_python({**source, **changed})
    return restored


def _result(text: str, form: Any) -> Any:
    if form != "json":
        return text
    try:
        return jsontext.loads(text)
    except ValueError:  # trimmed
        return text
