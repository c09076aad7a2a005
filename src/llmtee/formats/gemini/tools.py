"""Tool calls, their results and tool definitions in the shape of Gemini.

Gemini's calls often have no id: a result answers the oldest open call of its name. llmtee makes ids up from the name and
the call's ordinal among those of that name, counted from the start of the history, so that a call has the same id in
the answer that made it and in every later request that repeats it. Made-up ids are never written back.
"""

from __future__ import annotations

import copy
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from llmtee.formats.gemini.names import inner, nested, own, owned, without_nones
from llmtee.jsonfields import as_list, as_object, as_text, join, rest, text_or_none
from llmtee.model import AnyPart, TextPart, ToolCallPart, ToolDefinition, ToolResultPart

CODE = "code_execution"
"""What the server-side tool that runs Python is called here; on the wire its parts have no name."""

_OK = "OUTCOME_OK"
_SCHEMAS = ("parameters", "parametersJsonSchema")


class Pairing:
    """Which calls a history has seen so far: gives ids to those without, and finds the call of a result."""

    def __init__(self) -> None:
        """At the start of a history."""
        self._count: Counter[str] = Counter()
        self._open: defaultdict[str, list[str]] = defaultdict(list)
        self._names: dict[str, str] = {}

    def copy(self) -> Pairing:
        """One that goes on from here by itself: every candidate answers the same history."""
        return copy.deepcopy(self)

    def call(self, call_id: str | None, name: str) -> str:
        """The id of a call."""
        if call_id is None:
            self._count[name] += 1
            call_id = f"call_{name}_{self._count[name]}"
        self._open[name].append(call_id)
        self._names[call_id] = name
        return call_id

    def result(self, call_id: str | None, name: str | None) -> tuple[str | None, str | None]:
        """The id and the name of the call that a result answers, as far as either is known."""
        if call_id is not None:
            name = self._names.get(call_id) if name is None else name
            if call_id in self._open.get(name or "", ()):
                self._open[name or ""].remove(call_id)
            return call_id, name
        waiting = self._open.get(name or "")
        return (waiting.pop(0) if waiting else None), name


# ── calls and results ───────────────────────────────────────────────────────────────────────────────────────────


def decode_tool_part(
    raw: Mapping[str, Any], path: str, pairing: Pairing
) -> ToolCallPart | ToolResultPart | None:
    """A part that calls a tool or answers a call; ``None`` for any other, and for one without a body to read."""
    match raw:
        case {"functionCall": {"args": args}} if not isinstance(args, Mapping):
            return None
        case {"functionCall": Mapping() as body}:
            return _call(raw, "functionCall", body, f"{path}.functionCall", pairing)
        case {"functionResponse": Mapping() as body}:
            return _result(raw, "functionResponse", body, f"{path}.functionResponse", pairing)
        case {"executableCode": {"code": str()} as body}:
            return _call(raw, "executableCode", body, f"{path}.executableCode", pairing)
        case {"codeExecutionResult": Mapping() as body}:
            return _result(raw, "codeExecutionResult", body, f"{path}.codeExecutionResult", pairing)
        case {"toolCall": {"toolType": str()} as body}:
            return _call(raw, "toolCall", body, f"{path}.toolCall", pairing)
        case {"toolResponse": {"toolType": str()} as body}:
            return _result(raw, "toolResponse", body, f"{path}.toolResponse", pairing)
        case _:
            return None


def _call(
    raw: Mapping[str, Any], key: str, body: Mapping[str, Any], path: str, pairing: Pairing
) -> ToolCallPart:
    if key == "functionCall":
        name, kind = as_text(body.get("name", ""), f"{path}.name"), "function"
        arguments, known = body.get("args"), ["id", "name", "args"]
    elif key == "toolCall":
        name = kind = body["toolType"]
        arguments, known = body.get("args"), ["id", "toolType", "args"]
    else:
        name = kind = CODE
        arguments, known = rest(body, "id"), list(body)
    call_id = text_or_none(body.get("id"), f"{path}.id") or None
    extra = {**nested(key, rest(body, *known)), **rest(raw, key)}
    return ToolCallPart(
        id=pairing.call(call_id, name),
        name=name,
        arguments=arguments,
        call_type=kind,
        synthetic_id=call_id is None,
        extra=owned(extra if key == "functionCall" else {**extra, "form": key}),
    )


def _result(
    raw: Mapping[str, Any], key: str, body: Mapping[str, Any], path: str, pairing: Pairing
) -> ToolResultPart:
    failed: bool | None = None
    if key == "functionResponse":
        name = text_or_none(body.get("name"), f"{path}.name")
        result, failed = _answer(body.get("response"))
        known = ["id", "name", "response"]
        known += ["parts"] if isinstance(body.get("parts"), list) else []
    elif key == "toolResponse":
        name, result, known = body["toolType"], body.get("response"), ["id", "toolType", "response"]
    else:
        name, result, known = CODE, body.get("output"), ["id", "output"]
        failed = body.get("outcome", _OK) != _OK
    call_id = text_or_none(body.get("id"), f"{path}.id") or None
    extra = {**nested(key, rest(body, *known)), **rest(raw, key)}
    if call_id is None:
        extra["paired"] = True
    if key == "functionResponse" and name is None:
        extra["unnamed"] = True
    call_id, name = pairing.result(call_id, name)
    return ToolResultPart(
        call_id=call_id,
        name=name,
        result=result,
        is_error=failed,
        extra=owned(extra if key == "functionResponse" else {**extra, "form": key}),
    )


def _answer(response: Any) -> tuple[Any, bool | None]:
    """The answer in a function's response, which must be an object: its documented keys wrap what is none."""
    match response:
        case {"output": output} if len(response) == 1 and not isinstance(output, Mapping):
            return output, None
        case {"error": error} if len(response) == 1:
            return (response if isinstance(error, Mapping) else error), True
        case _:
            return response, None


def encode_tool_call(part: ToolCallPart) -> dict[str, Any]:
    """A call as a part; one of a tool that another provider runs becomes a function call."""
    extra = own(part)
    key = extra.pop("form", "functionCall")
    call_id = {} if part.synthetic_id or part.id is None else {"id": part.id}
    arguments = part.arguments
    if key == "executableCode" and isinstance(arguments, dict):
        return {**extra, key: {**arguments, **call_id}}
    if key == "toolCall":
        body = {"toolType": part.name, **({} if arguments is None else {"args": arguments})}
        return {**extra, key: {**inner(extra, key), **call_id, **body}}
    if (
        arguments is None and part.arguments_text
    ):  # no JSON: the input of a custom tool, or cut short
        arguments = {"input": part.arguments_text}
    elif arguments is not None and not isinstance(arguments, dict):
        arguments = {"value": arguments}
    more = inner(extra, "functionCall")
    body = {"name": part.name, **({} if arguments is None else {"args": arguments})}
    return {**extra, "functionCall": {**more, **call_id, **body}}


def tool_result_body(
    part: ToolResultPart, names: Mapping[str, str]
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The field, the body and the fields beside it of a part that answers a call; its media are left to the caller."""
    extra = own(part)
    key = extra.pop("form", "functionResponse")
    call_id = None if extra.pop("paired", None) is True else part.call_id
    name = part.name if part.name is not None else names.get(part.call_id or "")
    if extra.pop("unnamed", None) is True:
        name = None
    if key == "toolResponse":
        known = {"id": call_id, "toolType": name, "response": part.result}
    elif key == "codeExecutionResult":
        known = {"id": call_id, "output": part.result}
    else:
        key = "functionResponse"
        known = {"id": call_id, "name": name, "response": _response(part)}
    return key, {**inner(extra, key), **without_nones(known)}, extra


def _response(part: ToolResultPart) -> dict[str, Any]:
    result = part.result
    if result is None and any(isinstance(one, TextPart) for one in part.parts):
        result = "".join(one.text for one in part.parts if isinstance(one, TextPart))
    if isinstance(result, dict) and (part.is_error is not True or result.keys() == {"error"}):
        return result
    return {"error" if part.is_error is True else "output": result}


def names_of(parts: Iterable[AnyPart]) -> dict[str, str]:
    """Which tool each call asks for, by the call's id."""
    return {part.id: part.name for part in parts if isinstance(part, ToolCallPart) and part.id}


# ── definitions ─────────────────────────────────────────────────────────────────────────────────────────────────


def decode_tools(raw: Any, path: str) -> tuple[ToolDefinition, ...]:
    """The tools offered. An entry of ``tools`` holds functions, server-side tools, or both."""
    found: list[ToolDefinition] = []
    entries = 0
    for i, entry in enumerate(as_list(raw, path)):
        decoded = _decode_entry(entry, f"{path}[{i}]", {"entry": entries} if entries else {})
        found += decoded
        entries += bool(decoded)
    return tuple(found)


def _decode_entry(raw: Any, path: str, mark: dict[str, Any]) -> list[ToolDefinition]:
    if not isinstance(raw, Mapping):  # the Python SDK takes functions, which logs can only name
        return [ToolDefinition(type="unknown", extra=owned({**mark, "tool": raw}))]
    found: list[ToolDefinition] = []
    for key, value in raw.items():
        where = join(path, key)
        if key == "functionDeclarations":
            found += [
                _declaration(as_object(one, f"{where}[{j}]"), f"{where}[{j}]", mark)
                for j, one in enumerate(as_list(value, where))
            ]
        else:
            found.append(ToolDefinition(type=key, name=key, extra=owned({**mark, "tool": value})))
    return found


def _declaration(raw: Mapping[str, Any], path: str, mark: dict[str, Any]) -> ToolDefinition:
    schema = next((key for key in _SCHEMAS if raw.get(key) is not None), _SCHEMAS[0])
    extra = {**mark, **nested("functionDeclaration", rest(raw, "name", "description", schema))}
    if schema != _SCHEMAS[0]:
        extra["schema"] = schema
    return ToolDefinition(
        name=text_or_none(raw.get("name"), f"{path}.name"),
        description=text_or_none(raw.get("description"), f"{path}.description"),
        parameters=raw.get(schema),
        extra=owned(extra),
    )


def encode_tools(tools: Iterable[ToolDefinition]) -> list[Any]:
    """``tools`` of a request. Tools that another provider runs itself are left out: here nobody would answer them."""
    entries: dict[int, Any] = {}
    for tool in tools:
        extra = own(tool)
        number = extra.get("entry")
        number = number if type(number) is int else 0
        if "tool" in extra and tool.type == "unknown" and tool.name is None:
            entries[number] = extra["tool"]
        elif isinstance(entry := entries.setdefault(number, {}), dict):
            if "tool" in extra:
                entry[tool.type] = extra["tool"]
            elif tool.type in ("function", "custom"):
                entry.setdefault("functionDeclarations", []).append(_encode_declaration(tool))
    return [entries[number] for number in sorted(entries) if entries[number] not in ({}, None)]


def _encode_declaration(tool: ToolDefinition) -> dict[str, Any]:
    extra = own(tool)
    schema = extra.get("schema")
    schema = schema if schema in _SCHEMAS else _SCHEMAS[0]
    known = {"name": tool.name, "description": tool.description, schema: tool.parameters}
    return {**inner(extra, "functionDeclaration"), **without_nones(known)}
