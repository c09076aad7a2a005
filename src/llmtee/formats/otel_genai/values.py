"""OTLP's typed values as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.errors import InputError
from llmtee.jsonfields import as_list, as_object, text_or_none


def read_attributes(raw: Any, path: str) -> dict[str, Any]:
    """Attributes as a plain object: from OTLP's list of keys and typed values, or from an object as it is.

    Raises:
        InputError: it is neither, or a value is not of its type; the error names its JSON path.
    """
    if isinstance(raw, Mapping):  # exporters that write for people, not for collectors
        return dict(raw)
    found: dict[str, Any] = {}
    for i, one in enumerate(as_list(raw, path)):
        where = f"{path}[{i}]"
        pair = as_object(one, where)
        key = text_or_none(pair.get("key"), f"{where}.key")
        if key is None:
            raise InputError("is missing", path=f"{where}.key")
        found[key] = read_value(pair.get("value"), f"{where}.value")
    return found


def read_value(raw: Any, path: str) -> Any:
    """One of OTLP's typed values as a plain JSON value; an object of no known type stays as it is."""
    if raw is None:
        return None
    raw = as_object(raw, path)
    for kind, inner in raw.items():
        where = f"{path}.{kind}"
        match kind:
            case "stringValue" | "boolValue" | "bytesValue":  # bytes stay in base64
                return inner
            case "intValue":
                number = digits(inner)
                if number is None:
                    raise InputError("must be a whole number, as digits", path=where)
                return number
            case "doubleValue":
                return inner  # NaN and Infinity are written as text
            case "arrayValue":
                values = as_list(as_object(inner or {}, where).get("values"), f"{where}.values")
                return [read_value(one, f"{where}.values[{i}]") for i, one in enumerate(values)]
            case "kvlistValue":
                pairs = as_object(inner or {}, where).get("values")
                return read_attributes(pairs, f"{where}.values")
    return dict(raw) or None


def digits(raw: Any) -> int | None:
    """A whole number, which OTLP writes as digits where it has 64 bits; ``None`` for anything else."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return None
    if isinstance(raw, float) and not raw.is_integer():
        return None
    try:
        return int(raw)
    except (ValueError, OverflowError):
        return None
