"""Parameters of OpenAI Responses that have another shape than the canonical ones, which are those of Chat Completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.formats._parameters import chosen_function, function_choice, moved

_SCHEMA = ("name", "schema", "strict", "description")


def decode_parameters(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters by their canonical names; what cannot be written back from there stays as it came."""
    found = dict(raw)
    match found.get("tool_choice"):
        case {"type": "function", "name": str(name), **more} if not more:
            found["tool_choice"] = function_choice(name)
    text = found.get("text")
    if isinstance(text, dict):
        form = _decode_format(text.get("format"))
        moved(found, "text", "format", "response_format", form, _encode_format(form))
        verbosity = text.get("verbosity")
        moved(found, "text", "verbosity", "verbosity", verbosity, verbosity)
    reasoning = found.get("reasoning")
    if isinstance(reasoning, dict) and isinstance(effort := reasoning.get("effort"), str):
        moved(found, "reasoning", "effort", "reasoning_effort", effort, effort)
    return found


def encode_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as a request of Responses has them."""
    found = dict(parameters)
    if (name := chosen_function(found.get("tool_choice"))) is not None:
        found["tool_choice"] = {"type": "function", "name": name}
    _into(found, "text", "format", "response_format", _encode_format)
    _into(found, "text", "verbosity", "verbosity", lambda value: value)
    _into(found, "reasoning", "effort", "reasoning_effort", lambda value: value)
    return found


def _into(found: dict[str, Any], holder: str, field: str, name: str, encode: Any) -> None:
    """Puts a parameter into the object that holds it here, unless something else stands there."""
    inner = found.get(holder, {})
    if found.get(name) is None or not isinstance(inner, dict) or field in inner:
        return
    value = encode(found[name])
    if value is not None:
        del found[name]
        found[holder] = {**inner, field: value}


def _decode_format(raw: Any) -> Any:
    match raw:
        case {"type": "json_schema", **fields} if fields.keys() <= set(_SCHEMA):
            return {"type": "json_schema", "json_schema": fields}
        case {"type": "text" | "json_object", **more} if not more:
            return dict(raw)
    return None


def _encode_format(form: Any) -> Any:
    match form:
        case {"type": "json_schema", "json_schema": Mapping() as fields, **more} if not more:
            return {"type": "json_schema", **fields}
        case {"type": "text" | "json_object", **more} if not more:
            return dict(form)
    return None
