"""Parameters of Gemini that have another shape than the canonical ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.formats._parameters import (
    asked_schema,
    chosen_function,
    function_choice,
    json_schema,
    moved,
)

_MODES = {"AUTO": "auto", "ANY": "required", "NONE": "none"}
_WORDS = {here: there for there, here in _MODES.items()}
_JSON, _TEXT = "application/json", "text/plain"
_SCHEMAS = {"responseSchema", "responseJsonSchema"}
_THINKING = {"thinkingBudget": "reasoning_budget", "thinkingLevel": "reasoning_effort"}


def decode_parameters(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters by their canonical names; what cannot be written back from there stays as it came."""
    found = dict(raw)
    choice = _choice_of(found.get("toolConfig"))
    if choice is not None:
        del found["toolConfig"]
        found["tool_choice"] = choice
    for field, name in _THINKING.items():
        config = found.get("thinkingConfig")
        value = config.get(field) if isinstance(config, dict) else None
        if type(value) is (int if name == "reasoning_budget" else str):
            moved(found, "thinkingConfig", field, name, value, value)
    if found.get("responseMimeType") == _JSON and "responseSchema" not in found:
        schema = found.pop("responseJsonSchema", None)
        found["response_format"] = (
            {"type": "json_object"} if schema is None else json_schema(schema)
        )
        del found["responseMimeType"]
    elif found.get("responseMimeType") == _TEXT and not _SCHEMAS & found.keys():
        found["response_format"] = {"type": "text"}
        del found["responseMimeType"]
    if isinstance(found.get("serviceTier"), str):
        found["service_tier"] = found.pop("serviceTier")
    return found


def _choice_of(config: Any) -> Any:
    match config:
        case {"functionCallingConfig": {"mode": str(mode), **more}} if (
            len(config) == 1 and mode in _MODES
        ):
            pass
        case _:
            return None
    match more:
        case {"allowedFunctionNames": [str(name)]} if len(more) == 1 and mode == "ANY":
            return function_choice(name)
    return None if more else _MODES[mode]


def encode_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as a request of Gemini has them, without what it cannot say."""
    found = dict(parameters)
    choice = found.pop("tool_choice", None)
    if "toolConfig" not in found and (config := _calling(choice)) is not None:
        found["toolConfig"] = {"functionCallingConfig": config}
    for field, name in _THINKING.items():
        value, config = found.pop(name, None), found.get("thinkingConfig", {})
        if value is not None and isinstance(config, dict) and field not in config:
            found["thinkingConfig"] = {**config, field: value}
    form = found.pop("response_format", None)
    schema = asked_schema(form)
    if "responseMimeType" not in found:
        if schema is not None:
            found |= {"responseMimeType": _JSON, "responseJsonSchema": schema}
        elif form in ({"type": "json_object"}, {"type": "text"}):
            found["responseMimeType"] = _JSON if form["type"] == "json_object" else _TEXT
    tier = found.pop("service_tier", None)
    if isinstance(tier, str):
        found.setdefault("serviceTier", tier)
    return found


def _calling(choice: Any) -> dict[str, Any] | None:
    if (name := chosen_function(choice)) is not None:
        return {"mode": "ANY", "allowedFunctionNames": [name]}
    return {"mode": _WORDS[choice]} if isinstance(choice, str) and choice in _WORDS else None
