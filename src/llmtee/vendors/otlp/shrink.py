"""A span that is too large, cut by declared steps: media first, then the longest texts, in the middle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

from llmtee import jsontext
from llmtee.model.snapshot import marker
from llmtee.spec import Note, WireItem, middle, trim_middle
from llmtee.vendors.otlp import wire
from llmtee.vendors.otlp.settings import OTLP

_SHORTEST = 200
"""Characters that every text keeps, so that ids, names and addresses stay whole."""
_CANONICAL = {
    "gen_ai.input.messages": "input",
    "gen_ai.system_instructions": "input",
    "gen_ai.output.messages": "choices",
    "gen_ai.tool.definitions": "tools",
    "gen_ai.tool.call.arguments": "arguments",
    "gen_ai.tool.call.result": "result",
    "input.value": "inputs",
    "output.value": "outputs",
    "metadata": "properties",
}

_Step: TypeAlias = Callable[[str, Any], tuple[str, str] | None]
"""A text and the object it stands in to the text that replaces it, and what was done; ``None`` leaves it."""


def shrink(item: WireItem, limit: int, settings: OTLP) -> WireItem | None:
    """The span in at most ``limit`` bytes, or ``None`` if it cannot be cut so far."""
    if item.size <= limit:
        return item
    smaller = _cut(item, _drop_media, "dropped")
    if smaller.size <= limit:
        return smaller
    best = None
    low, high = _SHORTEST, smaller.size
    while low <= high:
        length = (low + high) // 2
        trimmed = _cut(smaller, _trimmer(length), "trimmed")
        if trimmed.size <= limit:
            best, low = trimmed, length + 1
        else:
            high = length - 1
    return best


def _drop_media(text: str, holder: Any) -> tuple[str, str] | None:
    if not isinstance(holder, dict) or holder.get("type") != "blob" or len(text) <= _SHORTEST:
        return None
    what = f"{holder.get('mime_type') or 'media'}, {len(text)} characters"
    return marker("dropped", what), f"{len(text)} characters of media dropped"


def _trimmer(length: int) -> _Step:
    def trim(text: str, _: Any) -> tuple[str, str] | None:
        if len(text) <= length:
            return None
        start, end = middle(text, length)
        done = f"{end - start} of {len(text)} characters cut from the middle"
        return trim_middle(text, length), done

    return trim


def _cut(item: WireItem, step: _Step, action: Any) -> WireItem:
    notes: list[Note] = []

    def cut(value: Any, holder: Any, path: str) -> Any:
        if isinstance(value, dict):
            return {key: cut(inner, value, path) for key, inner in value.items()}
        if isinstance(value, list):
            return [cut(inner, holder, path) for inner in value]
        if not isinstance(value, str) or (changed := step(value, holder)) is None:
            return value
        notes.append(Note(path, action, f"too large: {changed[1]}"))
        return changed[0]

    def attribute(pair: dict[str, Any]) -> dict[str, Any]:
        text, key = pair["value"].get("stringValue"), pair["key"]
        if not isinstance(text, str) or len(text) <= _SHORTEST or key == wire.CARRY_KEY:
            return pair
        path = _CANONICAL.get(key, key.removeprefix(wire.PARKED_UNDER))
        made = _in_json(text, lambda value: cut(value, None, path))
        return {**pair, "value": {"stringValue": made}}

    body = {**item.body, "attributes": [attribute(pair) for pair in item.body["attributes"]]}
    status = item.body["status"]
    if "message" in status:
        body["status"] = {**status, "message": cut(status["message"], None, "error.message")}
    return replace(item, body=body, notes=(*item.notes, *notes))


def _in_json(text: str, change: Callable[[Any], Any]) -> str:
    """Changes the texts within a JSON text, so that it stays JSON; else the text itself."""
    if text[:1] in ("{", "["):
        try:
            return jsontext.dumps(change(jsontext.loads(text))).decode()
        except ValueError:
            pass
    return str(change(text))
