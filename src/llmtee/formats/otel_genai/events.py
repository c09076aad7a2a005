"""A span to an event: a model call, the run of a tool, or another step. Each span becomes one event by itself.

The formats ``otel-genai`` and ``openinference`` share this, and their traces; they differ in the records they claim
and in the name under which they keep what has no canonical home.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmtee.formats._traced.tree import related
from llmtee.formats.finish_reasons import finish_reason
from llmtee.formats.otel_genai.attributes import Attributes, parsed
from llmtee.formats.otel_genai.dialects import Exchange, read_exchange
from llmtee.formats.otel_genai.fields import common, first_token_events, read_error, score_events
from llmtee.formats.otel_genai.kinds import MODEL_CALL, TOOL_RUN, kind_of
from llmtee.formats.otel_genai.otlp import Log, Span, SpanEvent, read_pieces
from llmtee.formats.otel_genai.pieces import joined
from llmtee.formats.otel_genai.request import (
    finish_words,
    read_models,
    read_parameters,
    read_provider,
    read_template,
    read_tools,
)
from llmtee.formats.otel_genai.usage import read_cost, read_usage
from llmtee.model import (
    Choice,
    Item,
    Message,
    ModelCall,
    Step,
    ToolRun,
)
from llmtee.spec import Traces

_INPUTS = ("input.value", "traceloop.entity.input", "langfuse.observation.input", "ai.prompt")
_OUTPUTS = (
    "output.value",
    "traceloop.entity.output",
    "langfuse.observation.output",
    "ai.response.text",
)


def traces(owner: str) -> Traces:
    """How the spans and log records of a trace are joined, for the format that keeps its own under ``owner``."""

    def split(raw: Any) -> list[tuple[str | None, Any]]:
        return [(piece.trace_id, (owner, piece)) for piece in read_pieces(raw)]

    return Traces(split=split, join=read_events)


def read_events(pieces: Sequence[tuple[str, Span | Log]]) -> list[Item]:
    """The events of spans and log records, each with the name of the format that read it."""
    owners: dict[tuple[str | None, str | None], str] = {}
    for owner, piece in sorted(pieces, key=lambda pair: isinstance(pair[1], Span)):
        owners[piece.trace_id, piece.span_id] = (
            owner  # a span tells its format better than its log records
        )
    events: list[Item] = []
    for span, flags in joined([piece for _, piece in pieces]):
        event = _event(span, owners[span.trace_id, span.span_id])
        events.append(
            event.model_copy(update={"flags": (*event.flags, *flags)}) if flags else event
        )
    return related(events, ("session", "person", "agent"))


def _event(span: Span, owner: str) -> Item:
    attributes = Attributes(span.attributes)
    kind = kind_of(attributes)
    fields = common(span, attributes)
    error, thrown = read_error(span, attributes)
    marks = (
        event
        for event in first_token_events(span)
        if not event.attributes and event.time == fields.get("first_token_at")
    )
    read = (*thrown, *score_events(span), *marks)
    if error is not None:
        fields["error"] = error
    if kind == MODEL_CALL:
        return _model_call(span, attributes, fields, owner, read)
    if kind == TOOL_RUN:
        return _tool_run(span, attributes, fields, owner, read)
    return _step(span, attributes, fields, owner, read, kind)


def _extra(
    span: Span, attributes: Attributes, owner: str, read: tuple[SpanEvent, ...], dialect: int | None
) -> dict[str, Any]:
    events = [dict(event.raw) for event in span.events if not any(event is one for one in read)]
    ours = {
        "dialect": dialect,
        "attributes": attributes.unread(),
        "events": events,
        "resource": span.resource,
        "scope": span.scope,
        "span": span.rest,
    }
    ours = {key: value for key, value in ours.items() if value}
    return {owner: ours} if ours else {}


# ── model calls ─────────────────────────────────────────────────────────────────────────────────────────────────


def _model_call(
    span: Span,
    attributes: Attributes,
    fields: dict[str, Any],
    owner: str,
    read: tuple[SpanEvent, ...],
) -> ModelCall:
    words = finish_words(attributes)
    exchange = read_exchange(attributes, span.events, owner, words) or Exchange(0)
    provider = read_provider(attributes)
    usage, flags = read_usage(attributes)
    answered = attributes.text("gen_ai.response.id", "ai.response.id")
    if answered is not None:
        fields["source_ids"] = {**fields["source_ids"], provider or owner: answered}
    parameters = read_parameters(attributes)
    model, response_model = read_models(attributes, parameters, bool(exchange.choices))
    return ModelCall(
        **fields,
        name=span.name,
        provider=provider,
        model=model,
        response_model=response_model,
        parameters=parameters,
        tools=read_tools(attributes, owner),
        template=read_template(attributes),
        input=exchange.input,
        choices=exchange.choices or _unsaid(words),
        usage=usage,
        cost=read_cost(attributes),
        flags=flags,
        extra=_extra(span, attributes, owner, (*read, *exchange.events), exchange.dialect),
    )


def _unsaid(words: list[str]) -> tuple[Choice, ...]:
    """Answers whose content was not recorded: emitters leave it out by default, but tell how each ended."""
    return tuple(
        Choice(
            message=Message(role="assistant"),
            finish_reason=finish_reason(word),
            finish_reason_raw=word,
        )
        for word in words
    )


# ── tools and steps ─────────────────────────────────────────────────────────────────────────────────────────────


def _tool_run(
    span: Span,
    attributes: Attributes,
    fields: dict[str, Any],
    owner: str,
    read: tuple[SpanEvent, ...],
) -> ToolRun:
    name = attributes.text(
        "gen_ai.tool.name", "tool.name", "traceloop.entity.name", "ai.toolCall.name"
    )
    arguments = ("gen_ai.tool.call.arguments", "ai.toolCall.args", "input.value")
    results = ("gen_ai.tool.call.result", "ai.toolCall.result", "output.value")
    return ToolRun(
        **fields,
        name=name or span.name,
        call_id=attributes.text("gen_ai.tool.call.id", "tool_call.id", "tool.id", "ai.toolCall.id"),
        description=attributes.text("gen_ai.tool.description", "tool.description"),
        arguments=attributes.json(*arguments, *_INPUTS, "tool.parameters"),
        result=attributes.json(*results, *_OUTPUTS),
        extra=_extra(span, attributes, owner, read, None),
    )


def _step(
    span: Span,
    attributes: Attributes,
    fields: dict[str, Any],
    owner: str,
    read: tuple[SpanEvent, ...],
    kind: str,
) -> Step:
    inputs = _object(attributes.json(*_INPUTS))
    outputs = _object(attributes.json(*_OUTPUTS))
    for key, place, name in (
        ("gen_ai.system_instructions", inputs, "system_instructions"),
        ("gen_ai.input.messages", inputs, "messages"),
        ("gen_ai.retrieval.query.text", inputs, "query"),
        ("gen_ai.output.messages", outputs, "messages"),
        ("gen_ai.retrieval.documents", outputs, "documents"),
    ):
        if (value := attributes.json(key)) is not None:
            place.setdefault(name, value)
    for group in ("retrieval", "reranker"):
        for side, place in (("documents", outputs), ("input_documents", inputs)):
            names = (side, "output_documents") if side == "documents" else (side,)
            for one in names:
                if attributes.has(f"{group}.{one}."):
                    place.setdefault(side, _documents(attributes.tree(f"{group}.{one}")))
    return Step(
        **fields,
        name=span.name,
        step_type=kind,
        inputs=inputs,
        outputs=outputs,
        extra=_extra(span, attributes, owner, read, None),
    )


def _object(value: Any) -> dict[str, Any]:
    value = parsed(value)
    if isinstance(value, dict):
        return value
    return {} if value is None else {"value": value}


def _documents(tree: Any) -> Any:
    if not isinstance(tree, list):
        return tree
    return [one.get("document", one) if isinstance(one, dict) else one for one in tree]
