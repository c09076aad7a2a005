"""Parameters of Anthropic Messages, to the canonical names and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.formats._parameters import (
    REMEMBERED,
    asked_schema,
    chosen_function,
    function_choice,
    json_schema,
    moved,
)

_NAMES = {"max_tokens": "max_output_tokens", "stop_sequences": "stop"}
_CHOICES = {"any": "required", "auto": "auto", "none": "none"}
_WORDS = {here: there for there, here in _CHOICES.items()}
_SERIAL = "disable_parallel_tool_use"


def decode_parameters(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters by their canonical names; what cannot be written back from there stays as it came."""
    found = _renamed(raw, _NAMES)
    for key in ("stop", "stop_sequences"):
        if isinstance(found.get(key), str):
            found[key] = [found[key]]
    _decode_choice(found)
    thinking = found.get("thinking")
    if "reasoning_budget" not in found and (budget := _budget(thinking)) is not None:
        del found["thinking"]
        found["reasoning_budget"] = budget
    config = found.get("output_config")
    if isinstance(config, dict):
        if isinstance(effort := config.get("effort"), str):
            moved(found, "output_config", "effort", "reasoning_effort", effort, effort)
        form = config.get("format")
        schema = form.get("schema") if isinstance(form, dict) else None
        asked = None if schema is None else json_schema(schema)
        moved(found, "output_config", "format", "response_format", asked, _format(asked))
    match found.get("metadata"):
        case {"user_id": str(user), **more} if not more and "user" not in found:
            del found["metadata"]
            found["user"] = user
    return found


def encode_parameters(
    parameters: Mapping[str, Any], ours: Mapping[str, Any] = {}
) -> dict[str, Any]:
    """The parameters as a request of Anthropic has them. What it cannot say of a ``response_format`` is left out."""
    found = dict(parameters)
    for key in ("stop", "stop_sequences"):
        if isinstance(found.get(key), str):
            found[key] = [found[key]]
    _encode_choice(found)
    if _whole(budget := found.get("reasoning_budget")) and "thinking" not in found:
        del found["reasoning_budget"]
        found["thinking"] = _thinking(budget)
    remembered = ours.get(REMEMBERED)
    if not isinstance(remembered, list) or "response_format" not in remembered:
        _encode_output(found)
    metadata = found.get("metadata", {})
    free = isinstance(metadata, dict) and "user_id" not in metadata
    if free and isinstance(found.get("user"), str):
        found["metadata"] = {**metadata, "user_id": found.pop("user")}
    return _renamed(found, {there: here for here, there in _NAMES.items()})


def _renamed(fields: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """``fields`` with other names, where those are free."""
    return {
        names[key] if key in names and names[key] not in fields else key: value
        for key, value in fields.items()
    }


def _decode_choice(found: dict[str, Any]) -> None:
    """``tool_choice``, and whether calls may be parallel, which stands in it here."""
    raw = found.get("tool_choice")
    if not isinstance(raw, dict):
        return
    choice, serial = _choice_of({key: raw[key] for key in raw if key != _SERIAL}), raw.get(_SERIAL)
    if choice is None or (serial is not None and "parallel_tool_calls" in found):
        return
    if serial is None and _SERIAL not in raw:
        found["tool_choice"] = choice
    elif isinstance(serial, bool):
        found["tool_choice"], found["parallel_tool_calls"] = choice, not serial


def _choice_of(raw: Mapping[str, Any]) -> Any:
    match raw:
        case {"type": str(word), **more} if not more and word in _CHOICES:
            return _CHOICES[word]
        case {"type": "tool", "name": str(name), **more} if not more:
            return function_choice(name)
    return None


def _encode_choice(found: dict[str, Any]) -> None:
    if "tool_choice" not in found and "parallel_tool_calls" not in found:
        return
    choice = found.get("tool_choice")
    if isinstance(choice, str):
        found["tool_choice"] = {"type": _WORDS.get(choice, choice)}
    elif (name := chosen_function(choice)) is not None:
        found["tool_choice"] = {"type": "tool", "name": name}
    parallel = found.get("parallel_tool_calls")
    chosen = found.get("tool_choice", {"type": "auto"})
    if isinstance(parallel, bool) and isinstance(chosen, dict) and _SERIAL not in chosen:
        del found["parallel_tool_calls"]
        found["tool_choice"] = {**chosen, _SERIAL: not parallel}


def _whole(value: Any) -> bool:
    return type(value) is int


def _budget(raw: Any) -> int | None:
    """The tokens that may be thought; ``None`` where ``thinking`` says something else."""
    match raw:
        case {"type": "disabled"}:
            found: Any = 0
        case {"type": "enabled", "budget_tokens": found}:
            pass
        case _:
            return None
    return found if _whole(found) and _thinking(found) == raw else None


def _thinking(budget: Any) -> dict[str, Any]:
    if budget == 0:
        return {"type": "disabled"}
    return {"type": "enabled", "budget_tokens": budget}


def _encode_output(found: dict[str, Any]) -> None:
    config = found.get("output_config", {})
    if not isinstance(config, dict):
        return
    more: dict[str, Any] = {}
    if isinstance(effort := found.get("reasoning_effort"), str) and "effort" not in config:
        more["effort"] = effort
        del found["reasoning_effort"]
    if "format" not in config and (form := _format(found.get("response_format"))) is not None:
        more["format"] = form
    found.pop("response_format", None)  # plain JSON without a schema has no word here
    if more:
        found["output_config"] = {**config, **more}


def _format(response_format: Any) -> dict[str, Any] | None:
    schema = asked_schema(response_format)
    return None if schema is None else {"type": "json_schema", "schema": schema}
