"""Any Python value to a JSON value, without ever raising.

The result shares nothing with the input, so that an application may go on changing what it logged. What JSON
cannot say becomes a marker string that names the type, such as ``<float: nan>`` or ``<object: app.Cart>``;
the marker never holds the value's ``repr``, which may hold secrets.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import enum
import math
import pathlib
import uuid
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr

from llmtee import jsontext

MAX_DEPTH = 180
"""Deepest nesting that is kept. JSON readers stop at about 200, and a record wraps what is logged."""


_PLAIN = frozenset({int, bool, type(None)})
"""What JSON says as it is; by exact type, because a subclass may be an enum."""


class Taken(dict[str, Any]):
    """A JSON object that is nobody else's: `to_json_value` takes what is in it as it stands, instead of copying it."""


def taken(value: Any) -> Any:
    """A JSON value that `to_json_value` has made, or that was just read from a text, and that nobody will change."""
    return Taken(value) if type(value) is dict else value


def to_json_value(value: Any) -> Any:
    """A deep copy of ``value`` made of ``None``, ``bool``, ``int``, finite ``float``, ``str``, ``list`` and ``dict``."""
    return dict(value) if type(value) is Taken else _convert(value, MAX_DEPTH, ())


def from_json_text(text: bytes | str) -> Any:
    """What `to_json_value` makes of the value of a JSON text, without a copy where it would be an equal one.

    Raises:
        ValueError: as ``jsontext.loads``.
    """
    try:
        value = jsontext.loads_utf8(text)
    except ValueError:
        return to_json_value(jsontext.loads(text))
    return value if _is_finite(value, MAX_DEPTH) else to_json_value(value)


def _is_finite(value: Any, depth: int) -> bool:
    """Whether a value read from UTF-8 holds neither a float beyond JSON (``1e999``) nor too deep a nesting."""
    kind = type(value)
    if kind is not dict and kind is not list:
        return kind is not float or math.isfinite(value)
    if depth <= 0:
        return False
    for inner in value.values() if kind is dict else value:
        # Most are texts and numbers: asked here, to save the call.
        kind = type(inner)
        if kind is dict or kind is list:
            if not _is_finite(inner, depth - 1):
                return False
        elif kind is float and not math.isfinite(inner):
            return False
    return True


def to_json_object(value: Any) -> dict[str, Any]:
    """Like `to_json_value` for something that must be an object; anything else stands under the key ``value``."""
    if type(value) is dict and not value:
        return {}
    result = to_json_value(value)
    if isinstance(result, dict):
        return result
    return {} if result is None else {"value": result}


def clean_text(text: str) -> str:
    """``text`` with lone surrogates, which UTF-8 cannot hold, replaced by U+FFFD."""
    if text.isascii():
        return text if type(text) is str else str.__str__(text)
    try:
        text.encode()
    except UnicodeEncodeError:
        # A surrogate pair that was split into two code points is a character; put it together again.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text if type(text) is str else str.__str__(text)


def error_text(error: BaseException) -> str:
    """What an exception says; nothing where it cannot say it."""
    try:
        return clean_text(str(error))
    except Exception:  # noqa: BLE001 - an exception of the application's own may do anything
        return ""


def marker(kind: str, detail: str) -> str:
    """The text that stands for a value which JSON cannot say."""
    return f"<{kind}: {detail}>"


def _convert(value: Any, depth: int, seen: tuple[int, ...]) -> Any:
    # The common cases first and by exact type: every value of every event comes this way.
    kind = type(value)
    if kind is str:
        return value if value.isascii() else clean_text(value)
    if kind is dict or kind is list or kind is tuple:
        return _container(value, depth, seen)
    if kind in _PLAIN:
        return value
    if kind is float:
        return value if math.isfinite(value) else marker("float", str(value))
    try:
        return _other(value, depth, seen)
    except Exception:  # noqa: BLE001 - a property or a __iter__ of the caller's object may do anything
        return _named(value)


def _container(value: Any, depth: int, seen: tuple[int, ...]) -> Any:
    if id(value) in seen:
        return marker("cycle", type(value).__name__)
    if depth <= 0:
        return marker("nested too deep", type(value).__name__)
    seen = (*seen, id(value))
    if type(value) is dict or isinstance(value, Mapping):
        result: dict[str, Any] = {}
        # The copy is made in one go: another thread of the application may be changing the original.
        for key, item in list(value.items()):
            name = key if type(key) is str and key.isascii() else _key(key)
            if name in result:  # {1: …, "1": …}: keep both
                name = f"{name} <{type(key).__name__}>"
            # Said here too, to save a call for most of what there is.
            kind = type(item)
            is_plain = kind in _PLAIN or (kind is str and item.isascii())
            result[name] = item if is_plain else _convert(item, depth - 1, seen)
        return result
    return [_convert(item, depth - 1, seen) for item in value]


def _key(key: Any) -> str:
    if isinstance(key, enum.Enum):
        key = key.value
    if isinstance(key, str):
        return clean_text(key)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, (int, float, uuid.UUID, Decimal, dt.date)):
        return str(key)
    if isinstance(key, bytes):
        return key.decode("utf-8", "replace")
    if isinstance(key, tuple):
        return ",".join(_key(part) for part in key)
    return _named(key)


def _other(value: Any, depth: int, seen: tuple[int, ...]) -> Any:
    for kind, convert in _SIMPLE:
        if isinstance(value, kind):
            return _convert(convert(value), depth, seen)
    if isinstance(value, Mapping):
        return _container(value, depth, seen)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _container(value._asdict(), depth, seen)
    if isinstance(value, (list, tuple)):
        return _container(value, depth, seen)
    if isinstance(value, (set, frozenset)):
        # Sets have no order of their own; the order of the texts makes the same set the same JSON.
        items = _container(list(value), depth, (*seen, id(value)))
        return sorted(items, key=lambda item: (type(item).__name__, str(item)))
    return _object(value, depth, seen)


def _object(value: Any, depth: int, seen: tuple[int, ...]) -> Any:
    if id(value) in seen:
        return marker("cycle", type(value).__name__)
    seen = (*seen, id(value))
    if isinstance(value, BaseModel) or (
        hasattr(value, "model_dump") and not isinstance(value, type)
    ):
        return _convert(value.model_dump(), depth, seen)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return _container(fields, depth, seen)
    if isinstance(value, BaseException):
        return {"type": type(value).__qualname__, "message": clean_text(str(value))}
    if hasattr(value, "tolist") and hasattr(value, "dtype"):  # numpy arrays and scalars
        return _convert(value.tolist(), depth, seen)
    return _named(value)


def _named(value: Any) -> str:
    if isinstance(value, type):
        return marker("class", f"{value.__module__}.{value.__qualname__}")
    kind = type(value)
    return marker("object", f"{kind.__module__}.{kind.__qualname__}")


def _isoformat(value: dt.datetime) -> str:
    text = value.isoformat()
    return text[:-6] + "Z" if text.endswith("+00:00") else text


_SIMPLE: Iterable[tuple[type | tuple[type, ...], Callable[[Any], Any]]] = (
    (enum.Enum, lambda value: value.value),
    ((SecretStr, SecretBytes), lambda value: marker("secret", type(value).__name__)),
    (str, str.__str__),
    (int, int),
    (float, float.__float__),
    (dt.datetime, _isoformat),
    ((dt.date, dt.time), lambda value: value.isoformat()),
    (dt.timedelta, lambda value: value.total_seconds()),
    (Decimal, str),
    (uuid.UUID, str),
    (pathlib.PurePath, str),
    ((bytes, bytearray, memoryview), lambda value: base64.b64encode(bytes(value)).decode()),
)
