"""A conversation that is too large, cut to size by declared steps. No message is ever dropped.

Inkeep takes 2 MB and wants all messages each time, so that a long conversation cannot be split. In this order, and no
further than needed:

1. bytes of media, the largest first: a placeholder in the content, nothing in the properties;
2. the longest texts, in content and in properties of messages, in the middle: all to one length, as long as fits;
3. properties of messages, the largest first;
4. arguments of tool calls, the largest first;
5. the conversation's properties.

``properties.llmteeTrimmed`` of the conversation says how much was cut.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from llmtee import jsontext
from llmtee.spec import Note, WireItem, middle, trim_middle
from llmtee.vendors.inkeep.parking import TRIMMED
from llmtee.vendors.inkeep.settings import Inkeep

_SHORTEST: Final = 200
"""Characters that a text keeps at least."""
_WHOLE: Final = frozenset({"data", "signature", "encrypted"})
"""Keys whose text means nothing when a part of it is missing."""
_MEDIA_WORTH: Final = 1_000
"""Bytes; smaller media are not worth a placeholder."""
_MARK_ROOM: Final = 100
"""Bytes that the mark may still grow by."""

_REASONS: Final = {
    "media": ("messages[].parts[]", "dropped", "bytes of media"),
    "texts": ("messages[].parts[].text", "trimmed", "texts cut in the middle"),
    "characters": ("messages[].parts[].text", "trimmed", "characters cut out of them"),
    "properties": ("messages[].properties", "dropped", "properties of messages"),
    "arguments": ("messages[].parts[].arguments", "dropped", "arguments of tool calls"),
    "own": ("properties", "dropped", "the conversation's properties"),
}


def shrink(item: WireItem, limit: int, settings: Inkeep) -> WireItem | None:
    """The item in at most ``limit`` bytes of UTF-8 JSON, or ``None`` where its messages alone are too large."""
    if item.body is None or item.size <= limit:
        return item
    if "messages" not in item.body:  # feedback
        return None
    body = copy.deepcopy(item.body)
    cut = _Cut(body, limit)
    for step in (_drop_media, _trim_texts, _drop_properties, _drop_arguments, _drop_own):
        step(cut)
        if cut.fits():
            return WireItem(
                id=item.id,
                body=cut.marked(),
                session=item.session,
                notes=(*item.notes, *cut.notes()),
                context=item.context,
            )
    return None


class _Cut:
    """The body being cut, and the count of what was."""

    def __init__(self, body: dict[str, Any], limit: int) -> None:
        self.body, self.limit = body, limit
        self.counts: dict[str, int] = {}
        self.size = 0
        self.measure()

    @property
    def messages(self) -> list[dict[str, Any]]:
        return self.body["messages"]  # type: ignore[no-any-return]

    def count(self, what: str, number: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + number

    def measure(self) -> None:
        """Sizes the body as it will be sent, mark included."""
        self.size = len(jsontext.dumps(self.marked()))

    def fits(self) -> bool:
        self.measure()
        return self.size <= self.limit

    def marked(self) -> dict[str, Any]:
        properties = self.body.get("properties") or {}
        before = properties.get(TRIMMED)
        counts = dict(before) if isinstance(before, dict) else {}
        for what, number in self.counts.items():
            earlier = counts.get(what)
            counts[what] = number + (earlier if isinstance(earlier, int) else 0)
        return {**self.body, "properties": {**properties, TRIMMED: counts}}

    def notes(self) -> Iterator[Note]:
        for what, (path, action, said) in _REASONS.items():
            if what in self.counts:
                reason = (
                    f"{self.counts[what]:,} {said}: Inkeep takes {self.limit:,} bytes and all messages at a time; "
                    "only its copy is cut"
                )
                yield Note(path, action, reason)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Place:
    """A value inside the body, and how large it is."""

    holder: Any
    key: Any
    size: int

    @property
    def value(self) -> Any:
        return self.holder[self.key]


def _cost(value: Any) -> int:
    """Bytes of a value as JSON."""
    return len(jsontext.dumps(value))


def _largest_first(
    cut: _Cut, what: str, places: list[_Place], instead: Callable[[_Place], Any]
) -> None:
    """Replaces the largest values, as many as needed."""
    cut.measure()
    for place in sorted(places, key=lambda place: -place.size):
        if cut.size <= cut.limit - _MARK_ROOM:
            return
        value = instead(place)
        cut.count(what)
        cut.size -= place.size - _cost(value)
        place.holder[place.key] = value


# ── 1. media ────────────────────────────────────────────────────────────────────────────────────────────────────


def _drop_media(cut: _Cut) -> None:
    places = [place for message in cut.messages for place in _media(message)]
    _largest_first(cut, "media", places, _without_bytes)


def _media(message: dict[str, Any]) -> Iterator[_Place]:
    content = message["content"]
    for i, part in enumerate(content if isinstance(content, list) else ()):
        if part["type"] == "image_url" and part["image_url"]["url"].startswith("data:"):
            yield _Place(content, i, _cost(part))
    for holder in _objects(message.get("properties")):
        data = holder.get("data")
        if holder.get("type") == "media" and isinstance(data, str) and len(data) > _MEDIA_WORTH:
            yield _Place(holder, "data", _cost(data))


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner)


def _without_bytes(place: _Place) -> Any:
    if isinstance(place.holder, dict):
        return None
    mime = place.value["image_url"]["url"][5:].partition(";")[0].partition(",")[0]
    return {"type": "text", "text": f"[image: {mime[:100]}, {place.size:,} bytes cut by llmtee]"}


# ── 2. texts ────────────────────────────────────────────────────────────────────────────────────────────────────


def _trim_texts(cut: _Cut) -> None:
    places = [place for message in cut.messages for place in _texts(message)]
    room = cut.limit - _MARK_ROOM - cut.size
    low, high = _SHORTEST, max((len(place.value) for place in places), default=0)
    if not high or high <= low:
        return
    while low < high:  # the longest length at which it fits
        length = (low + high + 1) // 2
        if room + sum(_saved(place, length) for place in places) >= 0:
            low = length
        else:
            high = length - 1
    for place in places:
        if len(place.value) > low:
            start, end = middle(place.value, low)
            cut.count("texts")
            cut.count("characters", end - start)
            place.holder[place.key] = trim_middle(place.value, low)


def _texts(message: dict[str, Any]) -> Iterator[_Place]:
    content = message["content"]
    if isinstance(content, str):
        yield from _text(message, "content")
    else:
        for part in content:
            if part["type"] == "text":
                yield from _text(part, "text")
    yield from _inner_texts(message.get("properties"))


def _inner_texts(value: Any) -> Iterator[_Place]:
    if not isinstance(value, dict | list):
        return
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(inner, str):
            if key not in _WHOLE:
                yield from _text(value, key)
        else:
            yield from _inner_texts(inner)


def _text(holder: Any, key: Any) -> Iterator[_Place]:
    if len(holder[key]) > _SHORTEST:
        yield _Place(holder, key, _cost(holder[key]))


def _saved(place: _Place, length: int) -> int:
    return place.size - _cost(trim_middle(place.value, length)) if len(place.value) > length else 0


# ── 3. to 5. what is not said in words ──────────────────────────────────────────────────────────────────────────


def _drop_properties(cut: _Cut) -> None:
    places = [
        _Place(message, "properties", _cost(message["properties"]))
        for message in cut.messages
        if message.get("properties")
    ]
    _largest_first(cut, "properties", places, lambda _: {})


def _drop_arguments(cut: _Cut) -> None:
    places = [
        _Place(call["function"], "arguments", _cost(call["function"]["arguments"]))
        for message in cut.messages
        for call in message.get("tool_calls") or ()
        if len(call["function"]["arguments"]) > _SHORTEST
    ]
    _largest_first(cut, "arguments", places, lambda _: "{}")


def _drop_own(cut: _Cut) -> None:
    properties = cut.body.get("properties") or {}
    own = {key: value for key, value in properties.items() if key != TRIMMED}
    if own:
        cut.count("own")
        cut.body["properties"] = {key: properties[key] for key in properties if key not in own}
