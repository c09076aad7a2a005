"""Parameters of Bedrock Converse that have another shape than the canonical ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.formats._parameters import chosen_function, function_choice

_CHOICES = {"auto": "auto", "any": "required"}
_WORDS = {here: there for there, here in _CHOICES.items()}


def decode_parameters(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters by their canonical names; what cannot be written back from there stays as it came."""
    found = dict(raw)
    if (choice := _choice_of(found.get("toolChoice"))) is not None:
        del found["toolChoice"]
        found["tool_choice"] = choice
    if "requestMetadata" in found:
        found["metadata"] = found.pop("requestMetadata")
    match found.get("serviceTier"):
        case {"type": str(tier), **more} if not more:
            del found["serviceTier"]
            found["service_tier"] = tier
    return found


def _choice_of(raw: Any) -> Any:
    if not isinstance(raw, Mapping) or len(raw) != 1:
        return None
    [(word, body)] = raw.items()
    match body:
        case {"name": str(name)} if word == "tool" and len(body) == 1:
            return function_choice(name)
    return _CHOICES[word] if word in _CHOICES and body == {} else None


def encode_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as a request of Converse has them, without what it cannot say."""
    found = dict(parameters)
    choice = found.pop("tool_choice", None)
    if (name := chosen_function(choice)) is not None:
        found.setdefault("toolChoice", {"tool": {"name": name}})
    elif isinstance(choice, str) and choice in _WORDS:
        found.setdefault("toolChoice", {_WORDS[choice]: {}})
    if found.get("metadata") is not None:
        found["requestMetadata"] = found.pop("metadata")
    if isinstance(tier := found.pop("service_tier", None), str):
        found.setdefault("serviceTier", {"type": tier})
    return found
