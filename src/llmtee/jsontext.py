"""JSON text in and out: exact integers, raw UTF-8, one place that knows the libraries.

``orjson`` writes (the fastest by far, measured in ``benchmarks/``); what it refuses, integers beyond 64 bits,
falls to the standard library. ``pydantic_core`` reads, because it keeps large integers exact where ``orjson``
turns them into floats; text with lone surrogate escapes falls to the standard library.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import orjson
from pydantic_core import from_json


class Raw:
    """``Raw(content)`` stands in a value for the JSON text ``content``, which `dumps` writes as it is, unlooked at."""

    __slots__ = ("content",)

    def __init__(self, content: bytes) -> None:
        self.content = content


def _fragment(value: Any) -> orjson.Fragment:
    if type(value) is Raw:
        return orjson.Fragment(value.content)
    raise TypeError(f"{type(value).__name__} is not JSON")


def dumps(value: Any) -> bytes:
    """``value`` as compact UTF-8 JSON; ``value`` must be JSON already (see ``model.snapshot``), or `Raw`."""
    try:
        return orjson.dumps(value, _fragment)
    except TypeError:
        return _dumps_slowly(value)


def _dumps_slowly(value: Any) -> bytes:
    """The same by the standard library. What is raw is named by a word that stands nowhere else, and put there at the end."""
    raw: list[bytes] = []
    word = uuid.uuid4().hex

    def name(one: Any) -> str:
        if type(one) is not Raw:
            raise TypeError(f"{type(one).__name__} is not JSON")
        raw.append(one.content)
        return f"{word}{len(raw) - 1}"

    text = json.dumps(
        value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=name
    ).encode()
    if not raw:
        return text
    return re.sub(rb'"%b(\d+)"' % word.encode(), lambda found: raw[int(found[1])], text)


def dumps_with(value: Any, default: Callable[[Any], Any]) -> bytes:
    """Like `dumps`, asking ``default`` what to write for a value that JSON has no word for.

    Raises:
        TypeError: a key is no text, an integer has more than 64 bits, text has lone surrogates, or there is a cycle.
    """
    return orjson.dumps(value, default, orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_UTC_Z)


def dumps_sorted(value: Any) -> bytes:
    """Like `dumps` with sorted keys: the same bytes for equal values, for hashing."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(
            value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False
        ).encode()


def dumps_pretty(value: Any) -> str:
    """``value`` as indented JSON text for people and files."""
    return json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)


def loads(text: bytes | str) -> Any:
    """JSON text to a value.

    Raises:
        ValueError: the text is not JSON, or is nested more than 200 deep; the message names line and column.
    """
    try:
        return loads_utf8(text)
    except ValueError:
        # Lone surrogate escapes are legal JSON that pydantic_core refuses; everything else fails here again.
        if (b"\\u" if isinstance(text, bytes) else "\\u") not in text:  # type: ignore[operator]
            raise
        try:
            return json.loads(text)
        except RecursionError:
            raise ValueError("recursion limit exceeded") from None


def loads_utf8(text: bytes | str) -> Any:
    """Like `loads`, but refuses lone surrogate escapes: UTF-8 can hold every text in what it returns."""
    return from_json(text)


def same(left: Any, right: Any) -> bool:
    """Whether two values are the same JSON; to Python, 1, 1.0 and True are equal."""
    return left == right and dumps_sorted(left) == dumps_sorted(right)
