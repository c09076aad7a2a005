"""Requests of Gemini, to the fields of a model call and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.errors import InputError
from llmtee.formats.gemini.messages import decode_contents, decode_system, encode_messages
from llmtee.formats.gemini.names import own
from llmtee.formats.gemini.parameters import decode_parameters, encode_parameters
from llmtee.formats.gemini.tools import Pairing, decode_tools, encode_tools
from llmtee.jsonfields import as_object, join, rest, text_or_none
from llmtee.model import ModelCall

_COMMON = {
    "maxOutputTokens": "max_output_tokens",
    "topP": "top_p",
    "topK": "top_k",
    "stopSequences": "stop",
    "candidateCount": "n",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "responseLogprobs": "logprobs",
    "logprobs": "top_logprobs",
}
"""Parameters that all providers share, to the common names."""

_NATIVE = {there: here for here, there in _COMMON.items()}
_OUTSIDE = ("toolConfig", "safetySettings", "cachedContent", "labels", "serviceTier")
"""Parameters that stand beside ``generationConfig`` on the wire, and within ``config`` in the SDKs."""

_CONFIG = (
    *_COMMON,
    *("temperature", "seed", "responseMimeType", "responseSchema", "responseJsonSchema"),
    *("responseModalities", "responseLogprobs", "logprobs", "speechConfig", "thinkingConfig"),
    *("mediaResolution", "imageConfig", "routingConfig", "modelSelectionConfig", "audioTimestamp"),
    *("enableEnhancedCivicAnswers", "httpOptions", "automaticFunctionCalling"),
)
"""Every other parameter that Gemini takes."""

_HOISTED = ("systemInstruction", "tools", *_OUTSIDE)
_KNOWN = ("model", "contents", "generationConfig", *_HOISTED)


def decode_request(raw: Any, path: str, pairing: Pairing) -> dict[str, Any]:
    """The fields of the event that a request tells.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    request = as_object(raw, path)
    if "contents" not in request and "messages" in request:
        hint = "is missing; with 'messages' it is a request of another provider"
        raise InputError(hint, path=join(path, "contents"))
    ours: dict[str, Any] = {}
    places = {name: join(path, name) for name in _KNOWN}
    clash: dict[str, Any] = {}
    if "config" in request and "generationConfig" not in request:
        ours["form"] = "config"
        request, clash, places = _flatten(request, path)
    system = decode_system(request.get("systemInstruction"), places["systemInstruction"], pairing)
    contents = request.get("contents")
    if contents is not None and not isinstance(contents, list):
        ours["contents"] = "single"
    config = as_object(request.get("generationConfig") or {}, places["generationConfig"])
    parameters, left = _decode_parameters(config)
    parameters |= {name: request[name] for name in _OUTSIDE if name in request}
    if left:
        ours["config"] = left
    if beside := {**rest(request, *_KNOWN), **clash}:
        ours["request"] = beside
    return {
        "model": text_or_none(request.get("model"), places["model"]),
        "parameters": decode_parameters(parameters),
        "tools": decode_tools(request.get("tools"), places["tools"]),
        "input": (*system, *decode_contents(contents, places["contents"], pairing)),
        "ours": ours,
    }


def _flatten(
    request: Mapping[str, Any], path: str
) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """The arguments of an SDK as a request on the wire; what stands in both places; and where each field stands."""
    where = join(path, "config")
    config = as_object(request["config"], where)
    hoisted = {name: config[name] for name in _HOISTED if name in config}
    clash = {name: request[name] for name in hoisted if name in request}
    flat = {**rest(request, "config"), **hoisted, "generationConfig": rest(config, *_HOISTED)}
    places = {name: join(where if name in hoisted else path, name) for name in _KNOWN}
    return flat, clash, {**places, "generationConfig": where}


def _decode_parameters(config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters by their common names; and fields that Gemini's reference does not know."""
    known = {
        name: value
        for name, value in config.items()
        if name in _CONFIG and (name != "stopSequences" or isinstance(value, list))
    }
    return {_COMMON.get(name, name): value for name, value in known.items()}, rest(config, *known)


def _encode_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """``generationConfig``, with the parameters that Gemini knows; it refuses a request with any other."""
    named = {_NATIVE.get(name, name): value for name, value in parameters.items()}
    config = {name: value for name, value in named.items() if name in _CONFIG}
    stop = config.get("stopSequences", [])
    if isinstance(stop, str):
        config["stopSequences"] = [stop]
    elif not isinstance(stop, list):
        del config["stopSequences"]
    return config


def encode_request(call: ModelCall) -> dict[str, Any]:
    """A request of Gemini, in the form it was read in, else as on the wire."""
    ours = own(call)
    system, contents = encode_messages(call.input)
    parameters = encode_parameters(call.parameters)
    config = _encode_parameters(parameters)
    left = ours.get("config")
    config |= left if isinstance(left, dict) else {}
    outside: dict[str, Any] = {} if system is None else {"systemInstruction": system}
    beside = ours.get("request")
    beside = beside if isinstance(beside, dict) else {}
    if (tools := encode_tools(call.tools)) or "tools" in beside:
        outside["tools"] = tools
    outside |= {name: parameters[name] for name in _OUTSIDE if name in parameters}
    single = ours.get("contents") == "single" and len(contents) == 1
    request: dict[str, Any] = {} if call.model is None else {"model": call.model}
    request["contents"] = contents[0] if single else contents
    if ours.get("form") == "config":
        request["config"] = {**outside, **config}
        return {**rest(beside, *request, "generationConfig"), **request}
    request |= outside
    if config:
        request["generationConfig"] = config
    return {**rest(beside, *request), **request}
