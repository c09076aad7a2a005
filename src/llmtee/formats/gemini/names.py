"""The two spellings of Gemini's keys, and where a Gemini value keeps what has no canonical home.

REST writes ``inlineData``; the Python SDK's ``model_dump`` writes ``inline_data``, with a null for every field that
is not set. A request or response is brought to the REST spelling before it is read, and back after it was written.
Only keys that Gemini knows are respelled, and only in Gemini's own objects: arguments of tools, their answers and
JSON Schemas are the user's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llmtee.model import Choice, Message, ModelCall, ToolDefinition
from llmtee.model.parts import Part

OWNER = "gemini"
"""Under which key of ``extra`` the shape keeps what has no canonical home. What others keep there is never written."""

_INNER = (
    *("contents", "content", "parts", "systemInstruction", "generationConfig", "config", "tools"),
    *("functionDeclarations", "toolConfig", "functionCallingConfig", "thinkingConfig"),
    *("functionCall", "functionResponse", "inlineData", "fileData", "videoMetadata"),
    *("executableCode", "codeExecutionResult", "toolCall", "toolResponse"),
    *("candidates", "promptFeedback", "groundingMetadata", "groundingChunks", "groundingSupports"),
    *("web", "maps", "retrievedContext", "segment", "searchEntryPoint", "citationMetadata"),
    *("citations", "citationSources", "safetyRatings", "safetySettings"),
)
"""Keys whose values are Gemini's own objects, or lists of them."""

_LEAVES = (
    *("usageMetadata", "modelVersion", "responseId", "createTime", "cachedContent", "serviceTier"),
    *("maxOutputTokens", "topP", "topK", "stopSequences", "candidateCount", "presencePenalty"),
    *("frequencyPenalty", "responseMimeType", "responseSchema", "responseJsonSchema"),
    *("responseModalities", "responseLogprobs", "speechConfig", "mediaResolution", "imageConfig"),
    *("httpOptions", "automaticFunctionCalling", "includeThoughts", "thinkingBudget"),
    *("thinkingLevel", "allowedFunctionNames", "mimeType", "displayName", "fileUri"),
    *("startOffset", "endOffset", "thoughtSignature", "willContinue", "partialArgs", "toolType"),
    *("parametersJsonSchema", "responseJsonSchema", "googleSearch", "googleSearchRetrieval"),
    *("googleMaps", "urlContext", "codeExecution", "computerUse", "fileSearch"),
    *("finishReason", "finishMessage", "tokenCount", "avgLogprobs", "logprobsResult"),
    *("urlContextMetadata", "blockReason", "blockReasonMessage", "webSearchQueries"),
    *("renderedContent", "groundingChunkIndices", "confidenceScores", "startIndex", "endIndex"),
    *("partIndex", "publicationDate", "sdkHttpResponse", "automaticFunctionCallingHistory"),
)


def snake(name: str) -> str:
    """``inline_data`` of ``inlineData``."""
    return re.sub(r"[A-Z]", lambda found: "_" + found[0].lower(), name)


_TO_SNAKE: dict[str, str] = {
    name: snake(name) for name in (*_INNER, *_LEAVES) if snake(name) != name
}
_TO_CAMEL: dict[str, str] = {there: here for here, there in _TO_SNAKE.items()}
_OPEN = frozenset(_INNER)


def normalise(raw: Any) -> tuple[Any, bool]:
    """``raw`` in the REST spelling and without nulls; and whether anything in it was spelled the other way."""
    found: list[str] = []
    return _normalise(raw, found), bool(found)


def _normalise(value: Any, found: list[str]) -> Any:
    if isinstance(value, list):
        return [_normalise(one, found) for one in value]
    if not isinstance(value, Mapping):
        return value
    out: dict[str, Any] = {}
    for key, inner in value.items():
        name = str(_TO_CAMEL.get(key, key))
        if inner is None:
            continue
        if name != key and value.get(name) is not None:
            name = key  # both spellings at once: the second is no field of Gemini's
        out[name] = _normalise(inner, found) if name in _OPEN else inner
        if name != key and out[name] not in ("", [], {}):  # what says nothing may not be written
            found.append(key)
    return out


def respell(value: Any) -> Any:
    """``value`` in the spelling of the Python SDK."""
    if isinstance(value, list):
        return [respell(one) for one in value]
    if not isinstance(value, dict):
        return value
    out: dict[str, Any] = {}
    for key, inner in value.items():
        name = str(_TO_SNAKE.get(key, key))
        name = key if name in value else name
        out[name] = respell(inner) if key in _OPEN else inner
    return out


def respell_path(path: str) -> str:
    """A JSON path as it is in a record of the Python SDK."""
    return re.sub(r"\w+", lambda found: _TO_SNAKE.get(found[0], found[0]), path)


def owned(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of this shape, as ``extra`` keeps them."""
    return {OWNER: dict(fields)} if fields else {}


def own(value: Part | Message | ToolDefinition | Choice | ModelCall) -> dict[str, Any]:
    """What ``extra`` keeps of this shape's fields."""
    fields = value.extra.get(OWNER)
    return dict(fields) if isinstance(fields, dict) else {}


def nested(key: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The unknown fields of an inner object, as ``extra`` keeps them."""
    return {key: fields} if fields else {}


def inner(extra: dict[str, Any], key: str) -> dict[str, Any]:
    """Takes out of ``extra`` what `nested` put into it."""
    fields = extra.pop(key, None)
    return fields if isinstance(fields, dict) else {}


def without_nones(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that say something."""
    return {key: value for key, value in fields.items() if value is not None}
