"""The columns of events and conversations in a table: what is in each, and its Arrow type. Needs no Arrow itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from llmtee import jsontext
from llmtee.model import Conversation, Cost, Message, ModelCall, Step, ToolRun

ArrowType: TypeAlias = Literal[
    "string", "large_string", "int64", "double", "timestamp[us, tz=UTC]", "list<item: string>"
]
"""In Arrow's own words."""

_INT64 = 2**63


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    name: str
    type: ArrowType
    doc: str
    """What stands there, in a line."""
    of: Callable[[Any], Any]
    """Its value for one item; ``None`` where the item has none."""


def _column(
    name: str, doc: str, of: Callable[[Any], Any] | None = None, kind: ArrowType = "string"
) -> Column:
    return Column(name, kind, doc, of or (lambda item: getattr(item, name, None)))


# ── what both have ──────────────────────────────────────────────────────────────────────────────────────────────


def _time(name: str, doc: str) -> Column:
    return _column(name, doc, kind="timestamp[us, tz=UTC]")


def _texts(name: str, doc: str, of: Callable[[Any], Any] | None = None) -> Column:
    return _column(
        name, doc, of or (lambda item: list(getattr(item, name, ()))), "list<item: string>"
    )


def _json(name: str, doc: str) -> Column:
    def of(item: Any) -> str | None:
        value = getattr(item, name, None)
        return jsontext.dumps(value).decode() if value else None

    return _column(name, doc, of)


def _count(name: str, doc: str, of: Callable[[Any], int | None]) -> Column:
    def fitting(item: Any) -> int | None:
        value = of(item)
        return value if value is not None and -_INT64 <= value < _INT64 else None

    return _column(name, doc, fitting, "int64")


def _milliseconds(name: str, doc: str, of: Callable[[Any], float | None]) -> Column:
    return _column(name, doc, of, "double")


def _between(start: dt.datetime | None, end: dt.datetime | None) -> float | None:
    return None if start is None or end is None else (end - start) / dt.timedelta(milliseconds=1)


def _duration(item: Any) -> float | None:
    measured: float | None = getattr(item, "duration_ms", None)
    if measured is not None:
        return measured
    return _between(getattr(item, "started_at", None), getattr(item, "ended_at", None))


_HEAD = (
    _column("id", "The item's id."),
    _column(
        "kind", "`model_call`, `tool_run`, `step`, `conversation`; `annotation`, `vendor_request`."
    ),
    _column("session", "The session, in the application's own words."),
    _column("trace_id", "OpenTelemetry trace id."),
)
_TIMES = (
    _time("started_at", "When it began."),
    _time("ended_at", "When it ended."),
    _milliseconds(
        "duration_ms", "Milliseconds: as measured, else from `started_at` to `ended_at`.", _duration
    ),
)
_TAIL = (
    _texts("tags", "Its tags."),
    _json("metrics", "Measurements and scores by name, as JSON; null where there are none."),
    _json("feedback", "What people said about it, by name, as JSON."),
    _json("properties", "The application's own properties, as JSON."),
    _column("source", "Where it was produced."),
    _texts("flags", "What a reader should know of its quality."),
)
_WHOLE = _column("json", "The whole item as JSON: what `from_frame` reads.", None, "large_string")
"""Its text is written apart, since that of an item is made once."""


# ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _usage(name: str, field: str, doc: str) -> Column:
    def of(item: Any) -> int | None:
        usage = getattr(item, "usage", None)
        count: int | None = getattr(usage, field, None)
        return count

    return _count(name, doc, of)


def _of(owner: str, field: str) -> Callable[[Any], Any]:
    """The field of something that an item may have, such as its agent's name."""
    return lambda item: getattr(getattr(item, owner, None), field, None)


def _text_of(value: Any) -> str | None:
    """Any JSON value as a text; ``None`` where there is nothing."""
    if value is None or value == {}:
        return None
    return value if isinstance(value, str) else jsontext.dumps(value).decode()


def _input_text(item: Any) -> str | None:
    match item:
        case ModelCall():
            asked = (message.text for message in reversed(item.input) if message.role == "user")
            return next(asked, None)
        case ToolRun():
            return _text_of(item.arguments)
        case Step():
            return _text_of(item.inputs)
    return None


def _output_text(item: Any) -> str | None:
    match item:
        case ModelCall():
            return None if item.output is None else item.output.text
        case ToolRun():
            return _text_of(item.result)
        case Step():
            return _text_of(item.outputs)
    return None


def _called(item: Any) -> list[str]:
    output = getattr(item, "output", None)
    return [call.name for call in output.tool_calls] if isinstance(output, Message) else []


def _finish_reason(item: Any) -> str | None:
    choices = getattr(item, "choices", ())
    return choices[0].finish_reason if choices else None


def _amount(cost: Cost | None) -> float | None:
    return None if cost is None else float(cost.amount)


EVENT_COLUMNS: tuple[Column, ...] = (
    *_HEAD,
    _column("parent", "Id of the event that it is a step of."),
    _column("name", "What to call it in a list."),
    _column("agent", "Name of the agent.", _of("agent", "name")),
    _column("agent_version", "Version of the agent.", _of("agent", "version")),
    _column("person", "The application's own id of the person.", _of("person", "id")),
    _column("provider", "`openai`, `anthropic`, …"),
    _column("model", "The model asked for."),
    _column("response_model", "The model that answered."),
    *_TIMES,
    _time("first_token_at", "When the first token of a streamed answer came."),
    _milliseconds(
        "ttft_ms",
        "Milliseconds from `started_at` to `first_token_at`.",
        lambda item: _between(
            getattr(item, "started_at", None), getattr(item, "first_token_at", None)
        ),
    ),
    _usage("input_tokens", "input_tokens", "Tokens billed as input, caches included."),
    _usage("output_tokens", "output_tokens", "Tokens billed as output, reasoning included."),
    _usage("total_tokens", "total_tokens", "As the provider reported it; not computed."),
    _usage("cache_read_tokens", "cache_read", "Part of the input that came from a cache."),
    _usage("cache_write_tokens", "cache_write", "Part of the input written to a cache."),
    _usage("reasoning_tokens", "reasoning", "Part of the output that was thought, not said."),
    _column(
        "cost",
        "What the call cost, as somebody said it; exact in `json`.",
        lambda item: _amount(getattr(item, "cost", None)),
        "double",
    ),
    _column("currency", "Of `cost`, ISO 4217.", _of("cost", "currency")),
    _column("error_type", "The failure's own name.", _of("error", "type")),
    _column("error_message", "Why it failed; null where it did not.", _of("error", "message")),
    _column(
        "finish_reason",
        "Of the first answer: `stop`, `length`, `tool_call`, `content_filter`, …",
        _finish_reason,
    ),
    _column(
        "tool_name",
        "Of a tool run: the tool.",
        lambda item: item.name if isinstance(item, ToolRun) else None,
    ),
    _texts("tool_calls", "Names of the tools that the answer asks for, in order.", _called),
    _column("step_type", "Of a step: `chain`, `agent`, `retriever`, `session`, …"),
    _column(
        "input_text",
        "Of a model call: the last text of the user; of others what went in, as text or JSON.",
        _input_text,
        "large_string",
    ),
    _column(
        "output_text",
        "Of a model call: the text of the first answer; of others what came out, as text or JSON.",
        _output_text,
        "large_string",
    ),
    *_TAIL,
    _WHOLE,
)


# ── conversations ───────────────────────────────────────────────────────────────────────────────────────────────


def _messages(item: Any) -> tuple[Message, ...]:
    return item.messages if isinstance(item, Conversation) else ()


def _generations(item: Any) -> Iterator[Any]:
    return (message.generation for message in _messages(item) if message.generation)


def _sum(name: str, field: str, doc: str) -> Column:
    def of(item: Any) -> int | None:
        usages = (one.usage for one in _generations(item) if one.usage)
        counts = [n for usage in usages if (n := getattr(usage, field)) is not None]
        return sum(counts) if counts else None

    return _count(name, doc, of)


def _costs(item: Any) -> list[Cost]:
    """What its calls cost, where all of it is in one currency."""
    costs = [one.cost for one in _generations(item) if one.cost]
    return costs if len({cost.currency for cost in costs}) == 1 else []


def _first_text(messages: Iterable[Message], role: str) -> str | None:
    return next((message.text for message in messages if message.role == role), None)


def _failures(item: Any) -> int | None:
    if not isinstance(item, Conversation):
        return None
    failed = sum(one.error is not None for one in _generations(item))
    return failed + sum(run.error is not None for run in item.tool_runs)


def _names(values: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(value for value in values if value is not None))


CONVERSATION_COLUMNS: tuple[Column, ...] = (
    *_HEAD,
    _count(
        "segment",
        "Counts the parts of a session, from 0.",
        lambda item: getattr(item, "segment", None),
    ),
    _column("title", "Its title."),
    _column("visibility", "`private` or `public`."),
    _texts(
        "agents",
        "Names of the agents.",
        lambda item: _names(a.name for a in getattr(item, "agents", ())),
    ),
    _texts(
        "people",
        "The application's own ids of the people.",
        lambda item: _names(p.id for p in getattr(item, "people", ())),
    ),
    _texts(
        "models",
        "The models that were asked for.",
        lambda item: _names(one.model for one in _generations(item)),
    ),
    *_TIMES,
    _time("updated_at", "When it last changed."),
    _count(
        "messages",
        "How many messages the transcript has.",
        lambda item: len(item.messages) if isinstance(item, Conversation) else None,
    ),
    _count(
        "user_messages",
        "How many of them are the user's.",
        lambda item: (
            sum(m.role == "user" for m in item.messages) if isinstance(item, Conversation) else None
        ),
    ),
    _count("errors", "How many of its calls and tool runs failed.", _failures),
    _sum("input_tokens", "input_tokens", "Sum over its answers; null where none reports any."),
    _sum("output_tokens", "output_tokens", "Sum over its answers."),
    _sum("total_tokens", "total_tokens", "Sum over its answers."),
    _sum("cache_read_tokens", "cache_read", "Sum over its answers."),
    _sum("cache_write_tokens", "cache_write", "Sum over its answers."),
    _sum("reasoning_tokens", "reasoning", "Sum over its answers."),
    _column(
        "cost",
        "Sum over its answers; null where they are in several currencies.",
        lambda item: float(sum(cost.amount for cost in costs)) if (costs := _costs(item)) else None,
        "double",
    ),
    _column(
        "currency",
        "Of `cost`, ISO 4217.",
        lambda item: next((cost.currency for cost in _costs(item)), None),
    ),
    _texts(
        "tool_calls",
        "Names of the tools that the answers ask for, in order.",
        lambda item: [call.name for message in _messages(item) for call in message.tool_calls],
    ),
    _column(
        "input_text",
        "The first text of the user.",
        lambda item: _first_text(_messages(item), "user"),
        "large_string",
    ),
    _column(
        "output_text",
        "The last text of the assistant.",
        lambda item: _first_text(reversed(_messages(item)), "assistant"),
        "large_string",
    ),
    *_TAIL,
    _WHOLE,
)


# ── both in one table ───────────────────────────────────────────────────────────────────────────────────────────


def _of_either(event: Column, conversation: Column) -> Column:
    def of(item: Any) -> Any:
        return (conversation if isinstance(item, Conversation) else event).of(item)

    return Column(event.name, event.type, event.doc, of)


def _either() -> Iterator[Column]:
    ours = {column.name: column for column in CONVERSATION_COLUMNS}
    for column in EVENT_COLUMNS[:-1]:
        yield _of_either(column, ours[column.name]) if column.name in ours else column
    events = {column.name for column in EVENT_COLUMNS}
    yield from (column for column in CONVERSATION_COLUMNS if column.name not in events)
    yield _WHOLE


ITEM_COLUMNS: tuple[Column, ...] = tuple(_either())

SchemaName: TypeAlias = Literal["event", "conversation", "item"]

COLUMNS: dict[SchemaName, tuple[Column, ...]] = {
    "event": EVENT_COLUMNS,
    "conversation": CONVERSATION_COLUMNS,
    "item": ITEM_COLUMNS,
}
"""The columns of each schema. ``item`` holds events and conversations in one table: the columns of both."""

VERSION = 1
"""Of all schemas: raised when a column goes or changes its type or meaning, not when one is added."""

KEY = b"llmtee.schema"
"""Key in a schema's metadata; its value is such as ``event/1``."""


# ── what the steps on batches give ──────────────────────────────────────────────────────────────────────────────


def _cell(name: str, doc: str, kind: ArrowType = "string") -> Column:
    return Column(name, kind, doc, lambda row: row.get(name))


ERROR = _cell("error", "Why the row could not be worked on; null where it could.")


def _with_error(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    return (*columns, ERROR)


DECODED_COLUMNS = _with_error(ITEM_COLUMNS)
ASSEMBLED_COLUMNS = _with_error(CONVERSATION_COLUMNS)
RENDERED_COLUMNS: tuple[Column, ...] = _with_error(
    (
        _cell("id", "Id of the event or conversation that was rendered."),
        _cell("session", "Its session."),
        _cell(
            "body", "The body of its request, as JSON; null where there is none.", "large_string"
        ),
        _cell("bytes", "Bytes of `body`.", "int64"),
        *(
            _cell(status, f"How many of its values are {status} at the vendor.", "int64")
            for status in ("kept", "parked", "changed", "trimmed")
        ),
        _cell("lost", "How many do not come back as they were: gone, changed or trimmed.", "int64"),
        _cell("skip", "Why the vendor has no place for it, or it is filtered out."),
    )
)
