"""What a span is: a call of a model, the run of a tool, or another step, by whichever convention says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.formats.otel_genai.attributes import Attributes
from llmtee.formats.otel_genai.otlp import SIGNALS, is_log

MODEL_CALL, TOOL_RUN = "model_call", "tool_run"

_OPERATIONS = {
    **dict.fromkeys(("chat", "generate_content", "text_completion"), MODEL_CALL),
    "execute_tool": TOOL_RUN,
    "embeddings": "embedding",
    "invoke_agent": "agent",
    "create_agent": "agent",
    "invoke_workflow": "chain",
    "retrieval": "retriever",
}
_WORDS = {
    **dict.fromkeys(("llm", "generation", "completion", "chat"), MODEL_CALL),
    "tool": TOOL_RUN,
    **dict.fromkeys(("workflow", "task", "span", "chain"), "chain"),
}
"""Words of OpenInference, OpenLLMetry, Langfuse and LangSmith, in lower case; any other is the type of a step."""

_USUAL = ("chat", "llm", "execute_tool", "tool", "invoke_agent", "embeddings", "retrieval")

_VERCEL = {
    "ai.toolcall": TOOL_RUN,
    "ai.generatetext": "agent",
    "ai.streamtext": "agent",
    "ai.embed": "embedding",
    "ai.embedmany": "embedding",
}
_WORD_KEYS = (
    *("openinference.span.kind", "langfuse.observation.type", "langsmith.span.kind"),
    *("llm.request.type", "traceloop.span.kind"),
)
_CALL_SIGNS = (
    *("gen_ai.output.messages", "gen_ai.completion.", "llm.completions.", "llm.output_messages."),
    *("gen_ai.prompt.", "llm.prompts.", "llm.input_messages."),
)


def kind_of(attributes: Attributes) -> str:
    """``model_call``, ``tool_run``, or the type of a step, such as ``agent`` or ``retriever``.

    A word that the kind alone does not give back counts as unread.
    """
    kind = _kind(attributes)
    for key in ("gen_ai.operation.name", "ai.operationId", *_WORD_KEYS):
        word = str(attributes.values.get(key)).lower()
        if word not in (*_USUAL, kind):
            attributes.keep(key)
    return kind


def _kind(attributes: Attributes) -> str:
    if (word := attributes.text("openinference.span.kind")) is not None:
        return _WORDS.get(word.lower(), word.lower())
    if (word := attributes.text("gen_ai.operation.name")) is not None:
        return _OPERATIONS.get(word, word)
    if (word := attributes.text("ai.operationId")) is not None:
        name = word.lower()
        return MODEL_CALL if ".do" in name else _VERCEL.get(name, "chain")
    if (word := attributes.text(*_WORD_KEYS[1:])) is not None:
        return _WORDS.get(word.lower(), word.lower())
    return MODEL_CALL if attributes.has(*_CALL_SIGNS) else "chain"


# ── telling a record's format ───────────────────────────────────────────────────────────────────────────────────

_OPENINFERENCE = (
    "openinference.",
    "llm.input_messages.",
    "llm.output_messages.",
    "llm.token_count.",
)
_TELEMETRY = (
    "gen_ai.",
    "traceloop.",
    "ai.operationId",
    "llm.request.type",
    "langfuse.",
    "langsmith.",
)


def keys_of(raw: Any) -> set[str] | None:
    """The keys of all attributes in a record, and the names of its log records; ``None`` for no OTLP. Never raises."""
    listed = raw if isinstance(raw, list) else [raw]
    pieces = [piece for one in listed for piece in _pieces(one)]
    groups = any(isinstance(one, Mapping) and _is_export(one) for one in listed)
    if not pieces and not groups:
        return None
    found: set[str] = set()
    for piece in pieces:
        if isinstance(name := piece.get("eventName"), str):
            found.add(name)
        attributes = piece.get("attributes")
        if isinstance(attributes, Mapping):
            found.update(key for key in attributes if isinstance(key, str))
        elif isinstance(attributes, list):
            keys = (pair.get("key") for pair in attributes if isinstance(pair, Mapping))
            found.update(key for key in keys if isinstance(key, str))
    return found


def _is_export(raw: Mapping[Any, Any]) -> bool:
    return any(isinstance(raw.get(signal), list) for signal in ("resourceSpans", "resourceLogs"))


def _pieces(raw: Any) -> list[Mapping[Any, Any]]:
    if not isinstance(raw, Mapping):
        return []
    if not _is_export(raw):
        if "spanId" in raw and "traceId" in raw:
            return [raw]
        return [raw] if is_log(raw) and "attributes" in raw else []
    return [
        piece
        for signal, scopes, members in SIGNALS
        for group in _members(raw, signal)
        for key in scopes
        for scope in _members(group, key)
        for piece in _members(scope, members)
    ]


def _members(raw: Mapping[Any, Any], key: str) -> list[Mapping[Any, Any]]:
    inner = raw.get(key)
    return [one for one in inner if isinstance(one, Mapping)] if isinstance(inner, list) else []


def is_openinference(keys: set[str]) -> str | None:
    """The names that only OpenInference writes, where one of them is there: ``llm.token_count.*``."""
    return _first(keys, _OPENINFERENCE)


def is_exported(keys: set[str]) -> str | None:
    """The names that the vendor ``otlp`` writes beside those of the conventions, and reads: ``llmtee.*``."""
    return _first(keys, ("llmtee.",))


def is_telemetry(keys: set[str]) -> str | None:
    """The names that other telemetry of models writes, where one of them is there: ``gen_ai.*``."""
    return _first(keys, _TELEMETRY)


def _first(keys: set[str], starts: tuple[str, ...]) -> str | None:
    found = (start for start in starts if any(key.startswith(start) for key in keys))
    return next((f"{start}*" if start.endswith(".") else start for start in found), None)
