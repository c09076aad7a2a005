"""What the accumulators of all providers share. See `llmtee.spec.StreamAccumulator` for what they promise."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llmtee import jsontext
from llmtee.errors import InputError
from llmtee.jsonfields import as_count, as_object
from llmtee.model.snapshot import MAX_DEPTH, clean_text, marker, to_json_value


class Accumulator(ABC):
    """The part of a `StreamAccumulator` that is the same for every provider."""

    def __init__(self) -> None:
        self._count = 0
        self._has_content = False
        self._first_token_at: dt.datetime | None = None

    def add(self, chunk: Any, at: dt.datetime | None = None) -> None:
        """Takes the next chunk; see `llmtee.spec.StreamAccumulator.add`."""
        path = f"[{self._count}]"
        self._count += 1
        if self._take(as_object(_copied(chunk, ()), path), path) and not self._has_content:
            self._has_content = True
            self._first_token_at = at

    def response(self) -> dict[str, Any] | None:
        """What came so far, as the provider's response; ``None`` while nothing has come."""
        found = self._response()
        # The copy shares nothing with the state, and puts characters together that were cut in two.
        return None if found is None else dict(to_json_value(found))

    @property
    def has_content(self) -> bool:
        """Whether the model has begun to answer."""
        return self._has_content

    @property
    def first_token_at(self) -> dt.datetime | None:
        """When the first chunk with content arrived."""
        return self._first_token_at

    @property
    @abstractmethod
    def complete(self) -> bool:
        """Whether the provider said that the answer is at its end."""

    @property
    @abstractmethod
    def usage_missing(self) -> bool:
        """Whether no token counts have come."""

    @abstractmethod
    def _take(self, chunk: Mapping[str, Any], path: str) -> bool:
        """Takes a chunk, all of it or, with an `InputError`, nothing; says whether it carries generated content."""

    @abstractmethod
    def _response(self) -> dict[str, Any] | None:
        """The response; it may share values with the state."""


class Growing:
    """An object that comes in pieces: texts are continued, lists grow, of anything else the last stays.

    What says nothing (null, empty) leaves what was said before. Texts are joined once, when they are asked for.
    """

    def __init__(self, *once: str) -> None:
        self._once = once
        """Texts that are said once, or again and again as a whole: the first stays."""
        self._fields: dict[str, Any] = {}

    def add(self, piece: Mapping[str, Any]) -> None:
        """Takes the next piece."""
        for key, value in piece.items():
            before = self._fields.get(key)
            if is_empty(value):
                self._fields.setdefault(key, value)
            elif key in self._once:
                if is_empty(before):
                    self._fields[key] = value
            elif isinstance(value, str):
                if not isinstance(before, _Text):
                    before = self._fields[key] = _Text()
                before.append(value)
            elif isinstance(value, list):
                if not isinstance(before, list) or isinstance(before, _Text):
                    before = self._fields[key] = []
                before.extend(value)
            else:
                self._fields[key] = value

    def whole(self) -> dict[str, Any]:
        """All that came, as it would have come in one piece."""
        return {
            key: "".join(value) if isinstance(value, _Text) else value
            for key, value in self._fields.items()
        }


class _Text(list[str]):
    """A text in pieces."""


def update(fields: dict[str, Any], more: Mapping[str, Any], *once: str) -> None:
    """Sets fields of which the last that says something stays, or the first of those named in ``once``."""
    for key, value in more.items():
        before = fields.get(key)
        unset = is_empty(before) or before == 0
        if key not in fields or (not is_empty(value) and (key not in once or unset)):
            fields[key] = value


def is_empty(value: Any) -> bool:
    """Whether a value says nothing: null, empty text, an empty list or object."""
    return value is None or (isinstance(value, str | list | dict) and not value)


def as_index(value: Any, path: str) -> int | None:
    """``value``, which must be a place in a list, or null.

    Raises:
        InputError: it is not.
    """
    found = as_count(value, path)
    if found is not None and found < 0:
        raise InputError("must not be negative", path=path)
    return found


def join_base64(pieces: Sequence[str]) -> str:
    """Base64 of all the bytes whose base64 came in pieces: padding stands at the end only."""
    if any(piece.endswith("=") for piece in pieces[:-1]):
        try:
            decoded = [base64.b64decode(piece, validate=True) for piece in pieces]
        except (binascii.Error, ValueError):  # not base64 then, whatever it is
            return "".join(pieces)
        return base64.b64encode(b"".join(decoded)).decode()
    return "".join(pieces)


def parsed_object(pieces: Iterable[str]) -> Any:
    """The object whose JSON came in pieces; the text itself where it is none, as when the stream was cut short."""
    text = clean_text("".join(pieces))
    try:
        found = jsontext.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, dict) else text


def _copied(value: Any, within: tuple[int, ...]) -> Any:
    """A copy made of JSON values. Half a character is left alone: the next chunk may bring the other half.

    ``within`` names the containers around the value. As in a snapshot, one that holds itself or is very deep becomes
    a marker.
    """
    kind = type(value)
    if kind is str or value is None or kind is int or kind is bool:
        return value
    if id(value) in within:
        return marker("cycle", kind.__name__)
    if len(within) >= MAX_DEPTH:
        return marker("nested too deep", kind.__name__)
    if kind is dict and all(type(key) is str for key in value):
        return {key: _copied(inner, (*within, id(value))) for key, inner in value.items()}
    if kind is list:
        return [_copied(inner, (*within, id(value))) for inner in value]
    return to_json_value(value)
