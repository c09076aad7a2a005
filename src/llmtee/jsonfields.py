"""Reading foreign JSON: what has the wrong type is reported with its JSON path, never guessed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from llmtee.errors import InputError

_NAMES = {dict: "an object", list: "a list", str: "text", int: "an integer", bool: "true or false"}


def type_name(value: Any) -> str:
    """The JSON type of ``value`` in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    return next((name for kind, name in _NAMES.items() if isinstance(value, kind)), "a value")


def join(path: str, key: str) -> str:
    """The JSON path of a field of the object at ``path``; the outermost object has the empty path."""
    return f"{path}.{key}" if path else key


def as_object(value: Any, path: str) -> Mapping[str, Any]:
    """``value``, which must be an object."""
    if type(value) is dict:  # to ask an abstract class takes ten times as long
        return value
    if not isinstance(value, Mapping):
        raise InputError(f"must be an object, not {type_name(value)}", path=path or None)
    return value


def as_list(value: Any, path: str) -> list[Any]:
    """``value``, which must be a list; ``None`` is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise InputError(f"must be a list, not {type_name(value)}", path=path or None)
    return list(value)


def as_text(value: Any, path: str) -> str:
    """``value``, which must be text."""
    if not isinstance(value, str):
        raise InputError(f"must be text, not {type_name(value)}", path=path or None)
    return value


def text_or_none(value: Any, path: str) -> str | None:
    """``value``, which must be text or null. A number becomes its digits: ids are often written so."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise InputError(f"must be text, not {type_name(value)}", path=path or None)


def rest(raw: Mapping[str, Any], *known: str) -> dict[str, Any]:
    """The fields of ``raw`` that are not ``known``, for ``extra``."""
    return {key: value for key, value in raw.items() if key not in known}


def as_number(value: Any, path: str) -> float | None:
    """``value``, which must be a number that a float can hold, or null."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"must be a number, not {type_name(value)}", path=path or None)
    try:
        return float(value)
    except OverflowError:
        raise InputError("is too large a number", path=path or None) from None


def as_count(value: Any, path: str) -> int | None:
    """``value``, which must be a whole number or null. A fraction of zero (``12.0``) is none."""
    if value is None:
        return None
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole:
        raise InputError(f"must be a whole number, not {type_name(value)}", path=path or None)
    return int(value)


def as_amount(value: Any, path: str) -> Decimal:
    """An amount of money: a number, or digits as text.

    Raises:
        InputError: ``value`` is neither.
    """
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            amount = Decimal(str(value))
        except (InvalidOperation, ValueError):
            pass
        else:
            if amount.is_finite():
                return amount
    raise InputError(f"must be an amount, a number or digits, not {type_name(value)}", path=path)
