"""What the records of tracing products have in common: loose names, JSON as text, ids, times, and whose model it was."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from typing import Any

from llmtee import jsontext
from llmtee.errors import InputError
from llmtee.formats.providers import provider_of, provider_word
from llmtee.jsonfields import as_count, as_list, as_object, as_text, join, type_name
from llmtee.model import Usage
from llmtee.model.ids import derive_id, is_uuid
from llmtee.model.snapshot import to_json_value
from llmtee.model.times import parse_time

_OPENAI = re.compile(r"(gpt-|chatgpt-|o\d(-|$)|text-embedding-)")
_HEX = re.compile(r"[0-9a-f]{32}$")
_DIGITS = re.compile(r"\d{1,18}$")


class Row:
    """An object whose fields are named in camelCase by an API and in snake_case by its export; asked in camelCase.

    Remembers what was asked for, so that the rest can be kept.
    """

    def __init__(self, raw: Any, path: str = "") -> None:
        self.raw = as_object(raw, path)
        self.place = path
        # Where both spellings are there, the API's own goes first.
        self._names = {_camel(key): key for key in self.raw}
        self._names |= {key: key for key in self.raw if _camel(key) == key}
        self._used: set[str] = set()

    def get(self, name: str) -> Any:
        """The value, or ``None``."""
        found = self._names.get(name, name)
        self._used.add(found)
        return self.raw.get(found)

    def path(self, name: str) -> str:
        """Where the value stands, by its own name."""
        return join(self.place, self._names.get(name, name))

    def text(self, name: str) -> str | None:
        """The value, which must be text or null; empty text is none. A number becomes its digits."""
        value = self.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        return None if value is None else as_text(value, self.path(name)) or None

    def time(self, name: str) -> dt.datetime | None:
        """The value, which must be a time or null. A time without a zone means UTC."""
        return as_time(self.get(name), self.path(name))

    def object(self, name: str) -> dict[str, Any]:
        """The value, which may be JSON as text; what is no object stands under ``value``."""
        value = unwrapped(self.get(name))
        if value is None or value == "":
            return {}
        return dict(value) if isinstance(value, Mapping) else {"value": value}

    def rest(self) -> dict[str, Any]:
        """What nobody asked for and says something, under its own names."""
        return {
            key: value
            for key, value in self.raw.items()
            if key not in self._used and value not in (None, {}, [])
        }


def _camel(key: str) -> str:
    head, *tail = key.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in tail) if head else key


def unwrapped(value: Any) -> Any:
    """``value``, or the object or list that it is the JSON text of."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    try:
        return to_json_value(jsontext.loads(value))
    except ValueError:
        return value


def as_time(value: Any, path: str) -> dt.datetime | None:
    """``value``, which must be a time or null.

    Raises:
        InputError: it is something else.
    """
    try:
        return parse_time(value)
    except (ValueError, ArithmeticError) as error:
        raise InputError(str(error), path=path) from None


def as_texts(value: Any, path: str) -> tuple[str, ...]:
    """``value``, which must be a list of texts, maybe as JSON text."""
    value = unwrapped(value) or None
    return tuple(as_text(one, f"{path}[{i}]") for i, one in enumerate(as_list(value, path)))


def tokens(value: Any, path: str) -> int | None:
    """A count of tokens; databases export wide integers as digits in text."""
    if isinstance(value, str):
        if not _DIGITS.match(value):
            raise InputError(f"must be a whole number, not {type_name(value)}", path=path)
        return int(value)
    return as_count(value, path)


def usage_flags(usage: Usage | None) -> tuple[str, ...]:
    """What cannot be true of the counts, as flags of the call."""
    return () if usage is None else tuple(f"usage: {problem}" for problem in usage.problems())


def trace_id(owner: str, given: str | None) -> str | None:
    """32 hex digits: those of the given id where it is made of them, else derived from it."""
    if given is None:
        return None
    plain = given.lower().replace("-", "") if is_uuid(given) else given
    return plain if _HEX.match(plain) else derive_id(owner, "trace", given).replace("-", "")


def provider(word: Any, model: str | None) -> str | None:
    """The provider by a tracer's word for it, else told by the model's name where that tells."""
    if isinstance(word, str) and word:
        return provider_word(word)
    if model is None:
        return None
    told = provider_of(model)
    return told if told != "openai" or "/" in model or _OPENAI.match(model) else None


def first_text(values: Iterable[Any]) -> str | None:
    """The first that is text and not empty."""
    return next((value for value in values if isinstance(value, str) and value), None)
