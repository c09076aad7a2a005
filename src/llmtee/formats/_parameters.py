"""Parameters of a call: the names that providers share, and whose the others are.

Canonical are OpenAI's words where OpenAI has one, as those of the OpenTelemetry GenAI conventions mostly do:
``tool_choice`` is ``auto``, ``none``, ``required`` or ``{"type": "function", "function": {"name": …}}``;
``response_format`` is ``text``, ``json_object`` or ``json_schema`` as in Chat Completions; ``reasoning_effort`` is a word and
``reasoning_budget`` a count of tokens, 0 for none.

Each format reads its own spelling into these where it can write the same spelling back, and leaves all else as it came,
under the provider's own name. A parameter that other formats know and this one does not is never written into its
requests, unless it was read from one: what compatible servers take survives, what would be refused is left out.

Sources: the SDK types of OpenAI, Anthropic, Google and boto3, autumn 2026.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_SAMPLING = ("max_output_tokens", "temperature", "top_p")
_OPENAI = (
    *(*_SAMPLING, "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort"),
    *("service_tier", "user", "stream", "top_logprobs", "metadata", "verbosity", "store"),
    *("safety_identifier", "prompt_cache_key", "prompt_cache_retention", "stream_options"),
)

NAMES: Mapping[str, frozenset[str]] = {
    "openai-chat": frozenset(
        (
            *(*_OPENAI, "stop", "seed", "n", "presence_penalty", "frequency_penalty", "logprobs"),
            *("logit_bias", "modalities", "audio", "prediction", "web_search_options"),
            *(
                "function_call",
                "top_k",
            ),  # top_k: not OpenAI's, but every compatible server takes it
        )
    ),
    "openai-responses": frozenset(
        (
            *(*_OPENAI, "background", "conversation", "include", "max_tool_calls"),
            *("previous_response_id", "prompt", "reasoning", "text", "truncation"),
        )
    ),
    "anthropic-messages": frozenset(
        (
            *(*_SAMPLING, "top_k", "stop", "tool_choice", "parallel_tool_calls", "user", "stream"),
            *("response_format", "reasoning_effort", "reasoning_budget", "thinking"),
            *("output_config", "mcp_servers", "container", "context_management", "inference_geo"),
            *("anthropic_version", "anthropic_beta"),
        )
    ),
    "gemini": frozenset(
        (
            *(*_SAMPLING, "top_k", "stop", "seed", "n", "presence_penalty", "frequency_penalty"),
            *("tool_choice", "response_format", "reasoning_effort", "reasoning_budget"),
            *("logprobs", "top_logprobs", "service_tier", "toolConfig", "safetySettings"),
            *("cachedContent", "labels", "responseMimeType", "responseSchema"),
            *("responseJsonSchema", "responseModalities", "speechConfig", "thinkingConfig"),
            *("mediaResolution", "imageConfig", "routingConfig", "modelSelectionConfig"),
            *("audioTimestamp", "enableEnhancedCivicAnswers", "httpOptions"),
            "automaticFunctionCalling",
        )
    ),
    "bedrock-converse": frozenset(
        (
            *(*_SAMPLING, "stop", "tool_choice", "service_tier", "metadata", "toolChoice"),
            *("guardrailConfig", "additionalModelRequestFields", "performanceConfig"),
            *("additionalModelResponseFieldPaths", "promptVariables", "serviceTier"),
        )
    ),
}
"""By format, what `ModelCall.parameters` may hold that its requests can say."""

_ALL = frozenset().union(*NAMES.values())
REMEMBERED = "parameters"
"""Under which key of the call's own ``extra`` a format remembers names of others that one of its requests had."""


def foreign(parameters: Iterable[str], owner: str, *literal: str) -> dict[str, Any]:
    """What a format remembers of the parameters that it read: those that only others know, and ``literal`` ones.

    A literal one stands in a request under its canonical name, where the format has another shape for it.
    """
    found = sorted({name for name in parameters if name in _ALL - NAMES[owner]} | {*literal})
    return {REMEMBERED: found} if found else {}


def writable(
    parameters: Mapping[str, Any], owner: str, ours: Mapping[str, Any] = {}
) -> dict[str, Any]:
    """The parameters that a format's request may hold; ``ours`` is the call's own ``extra`` of the format."""
    remembered = ours.get(REMEMBERED)
    own = NAMES[owner] | set(remembered if isinstance(remembered, list) else ())
    return {name: value for name, value in parameters.items() if name in own or name not in _ALL}


def function_choice(name: str) -> dict[str, Any]:
    """The canonical ``tool_choice`` that asks for one function."""
    return {"type": "function", "function": {"name": name}}


def chosen_function(choice: Any) -> str | None:
    """The function that a canonical ``tool_choice`` asks for; ``None`` where it is another choice."""
    match choice:
        case {"type": "function", "function": {"name": str(name)}} if choice == function_choice(
            name
        ):
            return name
    return None


def json_schema(schema: Any) -> dict[str, Any]:
    """The canonical ``response_format`` that asks for JSON of a schema."""
    return {"type": "json_schema", "json_schema": {"schema": schema}}


def asked_schema(response_format: Any) -> Any:
    """The schema that a canonical ``response_format`` asks for; ``None`` where it asks for none."""
    match response_format:
        case {"type": "json_schema", "json_schema": {"schema": schema}}:
            return schema
    return None


def moved(
    parameters: dict[str, Any], holder: str, field: str, name: str, value: Any, original: Any
) -> None:
    """Takes ``field`` out of the object ``parameters[holder]`` and sets it as ``name``.

    Nothing is done where the name is taken, or ``original`` (what would be written back) is not what stands there.
    """
    inner = parameters.get(holder)
    if not isinstance(inner, dict) or field not in inner or value is None or name in parameters:
        return
    if inner[field] != original:
        return
    left = {key: one for key, one in inner.items() if key != field}
    if left:
        parameters[holder] = left
    else:
        del parameters[holder]
    parameters[name] = value
