"""An event that is too large, cut by declared steps: media first, then the longest texts, in the middle."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

from llmtee.model.snapshot import marker
from llmtee.spec import Note, WireItem, middle, trim_middle
from llmtee.vendors.honeyhive.settings import HoneyHive

_SHORTEST = 200
"""Characters that every text keeps, so that ids, names and addresses stay whole."""

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,")
_BYTES_KEYS = ("data", "file_data")
"""Fields of the chat shape that hold base64."""

_CUTTABLE = (
    "inputs",
    "outputs",
    "config",
    "error",
    "metadata",
    "feedback",
    "metrics",
    "user_properties",
)
_CANONICAL = {
    "model": {"inputs": "input", "outputs": "choices", "config": "template"},
    "tool": {"inputs": "arguments", "outputs": "result"},
}
_CANONICAL_OF_ALL = {
    "metadata": "properties",
    "user_properties": "person",
    "error": "error.message",
}

_Step: TypeAlias = Callable[[str, str], tuple[str, str] | None]
"""A text and the key it stands under to the text that replaces it, and what was done; ``None`` leaves it."""


def shrink(item: WireItem, limit: int, settings: HoneyHive) -> WireItem | None:
    """The event in at most ``limit`` bytes, or ``None`` if it cannot be cut so far."""
    if item.size <= limit:
        return item
    without_media = _cut(item, _drop_media, "dropped")
    if without_media.size <= limit:
        return without_media
    return _trim(without_media, limit)


def _drop_media(text: str, key: str) -> tuple[str, str] | None:
    match = _DATA_URL.match(text)
    if match is None and (key not in _BYTES_KEYS or len(text) <= _SHORTEST):
        return None
    placeholder = marker("dropped", f"{match[1] if match else 'media'}, {len(text)} characters")
    return placeholder, f"{len(text)} characters of media dropped"


def _trim(item: WireItem, limit: int) -> WireItem | None:
    """Cuts the texts longer than some length to that length: the greatest at which the event fits."""
    best = None
    low, high = _SHORTEST, item.size
    while low <= high:
        length = (low + high) // 2
        trimmed = _cut(item, _trimmer(length), "trimmed")
        if trimmed.size <= limit:
            best, low = trimmed, length + 1
        else:
            high = length - 1
    return best


def _trimmer(length: int) -> _Step:
    def trim(text: str, key: str) -> tuple[str, str] | None:
        if len(text) <= length:
            return None
        start, end = middle(text, length)
        done = f"{end - start} of {len(text)} characters cut from the middle"
        return trim_middle(text, length), done

    return trim


def _cut(item: WireItem, step: _Step, action: Any) -> WireItem:
    names = _CANONICAL_OF_ALL | _CANONICAL.get(item.body.get("event_type", ""), {})
    notes: list[Note] = []

    def cut(value: Any, key: str, place: str) -> Any:
        if isinstance(value, dict):
            return {name: cut(inner, name, f"{place}.{name}") for name, inner in value.items()}
        if isinstance(value, list):
            return [cut(inner, key, f"{place}[{i}]") for i, inner in enumerate(value)]
        if not isinstance(value, str) or (changed := step(value, key)) is None:
            return value
        text, done = changed
        field = place.partition(".")[0]
        notes.append(Note(names.get(field, field), action, f"too large: {place}: {done}"))
        return text

    body = {
        key: cut(value, key, key) if key in _CUTTABLE else value for key, value in item.body.items()
    }
    return replace(item, body=body, notes=(*item.notes, *notes))
