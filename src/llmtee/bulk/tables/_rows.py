"""Rows to events: what a row says of a model call, a tool run, a step, or a record of a provider's format."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from llmtee import jsontext
from llmtee.bulk.tables._values import Values, values_of
from llmtee.bulk.tables.mapping import TableMapping
from llmtee.errors import InputError
from llmtee.formats import records
from llmtee.formats.openai_chat.messages import decode_messages
from llmtee.model import (
    Agent,
    Choice,
    Cost,
    ErrorInfo,
    Item,
    Message,
    ModelCall,
    Person,
    Step,
    TextPart,
    ToolRun,
    Usage,
)
from llmtee.model.ids import as_uuid, derive_id

OWNER = "table"
"""Under which name what has no field in an event is kept in its ``extra``."""

_KINDS: dict[str, type[ModelCall | ToolRun | Step]] = {
    "model_call": ModelCall,
    "tool_run": ToolRun,
    "step": Step,
}
_WORDS = {"model": "model_call", "llm": "model_call", "tool": "tool_run", "chain": "step"}
_TOOL = ("tool", "tool_call_id", "tool_arguments", "tool_result")
_CALL = (
    *("provider", "model", "response_model", "parameters", "system", "input", "output", "messages"),
    *("finish_reason", "usage", "cost", "currency"),
)
_PLAIN = ("session", "trace_id", "source", "metrics", "feedback", "properties", "tags")
_FINISH = ("stop", "length", "tool_call", "content_filter", "pause", "error")
_RATINGS = {
    **dict.fromkeys(("up", "thumbs up", "thumbs_up", "👍", "+1", "like", "liked"), "positive"),
    **dict.fromkeys(("down", "thumbs down", "thumbs_down", "👎", "-1", "dislike"), "negative"),
}

Decode = Callable[[Any], list[Item]]


@dataclass(frozen=True, slots=True)
class RowDecoder:
    """Reads a row as one event."""

    mapping: TableMapping

    def __call__(self, row: Any) -> list[Item]:
        """The event of a row, in a list.

        Raises:
            InputError: a cell is not what its field holds; the error names the column.
        """
        values = values_of(row, self.mapping)
        try:
            return [_event(values)]
        except InputError as error:
            raise placed(error, values) from None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            path = ".".join(str(step) for step in first["loc"])
            raise placed(InputError(first["msg"], path=path), values) from None


@dataclass(frozen=True, slots=True)
class ExchangeDecoder:
    """Reads a row as a record of a provider's format, with the request or the response in a column."""

    mapping: TableMapping
    decode: Decode

    def __call__(self, row: Any) -> list[Item]:
        """The items of a row. Raises as `RowDecoder`."""
        values = values_of(row, self.mapping)
        try:
            return self.decode(_record(values))
        except InputError as error:
            raise placed(error, values) from None


def placed(error: InputError, values: Values) -> InputError:
    """``error`` with the column that its field came from."""
    path = error.path or ""
    name = next(
        (
            name
            for name in values.columns
            if path == name or path.startswith((f"{name}.", f"{name}["))
        ),
        None,
    )
    if name is None:
        return error
    inside = path[len(name) :]
    return InputError(f"{name}{inside}: {error.reason}", path=values.columns[name])


def shared(values: Values) -> dict[str, Any]:
    """The fields that all events have, taken out of ``values``."""
    fields: dict[str, Any] = identified(values)
    for name in _PLAIN:
        if (value := values.take(name)) is not None:
            fields[name] = value
    if "feedback" in fields and isinstance(rating := fields["feedback"].get("rating"), str):
        word = _RATINGS.get(rating.strip().lower(), rating)
        fields["feedback"] = {**fields["feedback"], "rating": word}
    if (agent := agent_of(values)) is not None:
        fields["agent"] = agent
    if (person := person_of(values)) is not None:
        fields["person"] = person
    fields |= times(values)
    if (error := error_of(values)) is not None:
        fields["error"] = error
    if values.flags:
        fields["flags"] = values.flags
    return fields


def identified(values: Values) -> dict[str, Any]:
    """``id``, ``parent`` and ``source_ids``. An id that is no UUID becomes one, as in records: they still meet."""
    own, parent, foreign = values.take("id"), values.take("parent"), values.take("source_ids") or {}
    found: dict[str, Any] = {}
    if own is not None:
        found["id"] = as_uuid(own, records.OWNER)
        if found["id"] != own:
            foreign = {**foreign, records.OWNER: own}
    if parent is not None:
        found["parent"] = as_uuid(parent, records.OWNER)
    return {**found, **({"source_ids": foreign} if foreign else {})}


def agent_of(values: Values) -> Agent | None:
    """The agent that a row names."""
    name, version = values.take("agent"), values.take("agent_version")
    return None if name is None and version is None else Agent(name=name, version=version)


def person_of(values: Values) -> Person | None:
    """The person that a row names."""
    own, properties = values.take("person"), values.take("person.properties")
    return None if own is None and not properties else Person(id=own, properties=properties or {})


def error_of(values: Values) -> ErrorInfo | None:
    """Why it failed."""
    raw, kind = values.take("error"), values.take("error_type")
    found = records.decode_error(raw, "error")
    if kind is None:
        return found
    return (
        ErrorInfo(message=kind, type=kind)
        if found is None
        else found.model_copy(update={"type": kind})
    )


def times(values: Values) -> dict[str, Any]:
    """When it was. Of beginning, end and duration the third follows from two."""
    found = {
        name: value
        for name in ("started_at", "ended_at", "first_token_at")
        if (value := values.take(name)) is not None
    }
    seconds, milliseconds = values.take("duration_s"), values.take("duration_ms")
    duration = seconds if milliseconds is None else milliseconds
    if duration is None:
        return found
    try:
        lasted = dt.timedelta(milliseconds=duration)
        if "started_at" in found and "ended_at" not in found:
            found["ended_at"] = found["started_at"] + lasted
        elif "ended_at" in found and "started_at" not in found:
            found["started_at"] = found["ended_at"] - lasted
    except (OverflowError, ValueError):
        name = "duration_s" if milliseconds is None else "duration_ms"
        raise InputError(f"{duration:g} ms is longer than there is time", path=name) from None
    return {**found, "duration_ms": duration}


def generated(values: Values) -> dict[str, Any]:
    """How an answer was made: model, parameters, usage and cost."""
    names = ("provider", "model", "response_model", "parameters")
    found = {name: value for name in names if (value := values.take(name)) is not None}
    if counts := values.take("usage"):
        found["usage"] = Usage(**counts)
        found["flags"] = tuple(f"usage: {problem}" for problem in found["usage"].problems())
    amount, currency = values.take("cost"), values.take("currency")
    if amount is not None:
        found["cost"] = Cost(amount=amount, **({} if currency is None else {"currency": currency}))
    return found


def finish(word: str | None) -> dict[str, Any]:
    """A reason for which a model stopped, as our own word where it is one."""
    if word is None:
        return {}
    return {"finish_reason": word if word in _FINISH else None, "finish_reason_raw": word}


def _event(values: Values) -> Item:
    kind = _kind(values)
    fields = shared(values)
    name = values.take("name")
    if kind is ToolRun:
        fields |= _tool(values, name)
        left = [*_CALL]
    elif kind is Step:
        fields |= {"name": name, **_step(values)}
        left = [one for one in (*_CALL, *_TOOL) if one not in ("input", "output")]
    else:
        fields |= {"name": name, **_call(values, fields.get("flags", ()))}
        left = [*_TOOL]
    if homeless := {one: values.fields[one] for one in left if one in values.fields}:
        fields["extra"] = {OWNER: homeless}
    if "id" in fields:
        return kind(**fields)
    item = kind(id="", **fields)
    said = item.to_json()
    del said["id"]
    return item.model_copy(update={"id": derive_id(OWNER, jsontext.dumps_sorted(said).decode())})


def _kind(values: Values) -> type[ModelCall | ToolRun | Step]:
    word = values.take("kind")
    if word is None:
        return ToolRun if "tool" in values.fields else ModelCall
    kind = _KINDS.get(_WORDS.get(word.strip().lower(), word.strip().lower()))
    if kind is None:
        known = ", ".join((*_KINDS, *_WORDS))
        reason = f"is {word!r:.60}, but must be one of {known}; say what it stands for with `words`"
        raise InputError(reason, path="kind")
    return kind


def _tool(values: Values, name: str | None) -> dict[str, Any]:
    tool = values.take("tool")
    return {
        "name": name if tool is None else tool,
        "call_id": values.take("tool_call_id"),
        "arguments": values.take("tool_arguments"),
        "result": values.take("tool_result"),
    }


def _step(values: Values) -> dict[str, Any]:
    given, got = values.take("input"), values.take("output")
    return {
        "inputs": {} if given is None else {"input": given},
        "outputs": {} if got is None else {"output": got},
    }


def _call(values: Values, flags: tuple[str, ...]) -> dict[str, Any]:
    fields = generated(values)
    fields["flags"] = (*flags, *fields.get("flags", ()))
    said = [_text("system", text) for text in (values.take("system"),) if text is not None]
    raw = values.take("messages")
    if raw is not None:
        said += decode_messages(raw, "messages")
    asked, answer = values.take("input"), values.take("output")
    answered = None if answer is None else _text("assistant", answer)
    if asked is not None:
        said.append(_text("user", asked))
    elif answered is None and said and raw and said[-1].role == "assistant":
        answered = said.pop()
    fields["input"] = tuple(said)
    reason = finish(values.take("finish_reason"))
    if answered is not None:
        fields["choices"] = (Choice(message=answered, **reason),)
    elif reason:
        fields["extra"] = {OWNER: {"finish_reason": reason["finish_reason_raw"]}}
    return fields


def _text(role: str, text: str) -> Message:
    return Message(role=role, parts=(TextPart(text=text),))


def _record(values: Values) -> Mapping[str, Any]:
    """A row as a record: request and response with what stands beside them."""
    own, parent = values.take("id"), values.take("parent")
    cost, currency = values.take("cost"), values.take("currency")
    fields: dict[str, Any] = shared(values)
    for name in ("agent", "person", "error"):
        if name in fields:
            fields[name] = fields[name].to_json()
    if cost is not None:
        fields["cost"] = {"amount": cost, **({} if currency is None else {"currency": currency})}
    given = {
        "id": own,
        "parent": parent,
        "name": values.take("name"),
        "provider": values.take("provider"),
    }
    return {
        **{name: value for name, value in given.items() if value is not None},
        **fields,
        **values.fields,
    }
