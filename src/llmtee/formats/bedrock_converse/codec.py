"""Bedrock ``Converse``: request and response, or either alone, to a model call and back.

Facts: the Bedrock Runtime API's reference and boto3, autumn 2026. The body of an answer has neither an id nor a model;
boto3 puts the request's id into ``ResponseMetadata``, and a failure is ``ClientError.response``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from llmtee.errors import InputError
from llmtee.formats import records
from llmtee.formats._stored import joined
from llmtee.formats.bedrock_converse.blocks import (
    OWNER,
    inner,
    nested,
    own,
    owned,
    without_nones,
)
from llmtee.formats.bedrock_converse.cannot import CANNOT
from llmtee.formats.bedrock_converse.detect import detect
from llmtee.formats.bedrock_converse.messages import (
    decode_answer,
    decode_messages,
    decode_system,
    encode_message,
    encode_messages,
)
from llmtee.formats.bedrock_converse.parameters import decode_parameters, encode_parameters
from llmtee.formats.bedrock_converse.stream import ConverseStream
from llmtee.formats.bedrock_converse.tools import decode_tools, encode_tools
from llmtee.formats.bedrock_converse.usage import decode_usage, encode_usage, usage_flags
from llmtee.jsonfields import as_number, as_object, join, rest, text_or_none
from llmtee.model import Choice, ErrorInfo, Item, Message, ModelCall
from llmtee.spec import Format

NAME = OWNER
DIALECT = "bedrock-converse"
PROVIDER = "aws.bedrock"

FINISH_REASONS: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_call",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
}
"""The words of the wire to the canonical ones; any other is kept as the raw word only."""

_WORDS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_call": "tool_use",
    "content_filter": "content_filtered",
    "pause": "end_turn",
    "error": "malformed_model_output",
}
_COMMON = {
    "maxTokens": "max_output_tokens",
    "temperature": "temperature",
    "topP": "top_p",
    "stopSequences": "stop",
}
_BESIDE = (
    *("guardrailConfig", "additionalModelRequestFields", "additionalModelResponseFieldPaths"),
    *("promptVariables", "requestMetadata", "performanceConfig", "serviceTier"),
)
_REQUEST = ("modelId", "messages", "system", "inferenceConfig", "toolConfig", *_BESIDE)
_RESPONSE = ("output", "stopReason", "usage", "Error", "error")
_META = "ResponseMetadata"


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def decode(raw: Any) -> list[Item]:
    """One record as a list of one model call; see `decode_record`."""
    return [decode_record(raw)]


def decode_record(raw: Any) -> ModelCall:
    """One record, ``{"request": …, "response": …}`` with what stands beside them, or either alone.

    A response that is a list of events, or the text of server-sent events, is put together first; so is the list under
    ``stream`` in what boto3 gives.

    What the record says of the event (see ``formats/records.py``) goes before what request and response say. The id is
    the record's own, else derived from the request id in ``ResponseMetadata``, else from the whole record; the
    duration is ``metrics.latencyMs``. What has no canonical home is in ``extra["bedrock-converse"]``.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    record = records.read(joined(raw, ConverseStream, within="stream"), _kind)
    asked = _decode_request(record.request, record.request_path)
    answered = _decode_response(record.response, record.response_path)
    response_id = answered.pop("response_id", None)
    ours = {**asked.pop("ours", {}), **answered.pop("ours", {})}
    given = dict(record.fields)
    latency = answered.get("duration_ms")
    if latency is not None and given.get("duration_ms", latency) != latency:
        ours["latencyMs"] = latency
    provider = record.provider or PROVIDER
    fields: dict[str, Any] = {**asked, **answered, **given, "provider": provider}
    flags = (*given.get("flags", ()), *answered.get("flags", ()))
    fields["flags"] = tuple(dict.fromkeys(flags))
    fields["id"] = record.event_id(NAME, response_id)
    if response_id:
        fields["source_ids"] = {provider: response_id, **given.get("source_ids", {})}
    if ours:
        fields["extra"] = {**given.get("extra", {}), NAME: ours}
    native = record.native(DIALECT)
    return ModelCall(**fields, native=native)


def _kind(raw: Mapping[str, Any]) -> Literal["request", "response"] | None:
    """What a record without an envelope is."""
    if any(raw.get(key) is not None for key in ("output", "stopReason", "Error")):
        return "response"
    return "request" if "messages" in raw else None


def _decode_request(raw: Any, path: str) -> dict[str, Any]:
    if raw is None:
        return {}
    request = as_object(raw, path)
    where = join(path, "inferenceConfig")
    config = as_object(request.get("inferenceConfig") or {}, where)
    known = [key for key in _COMMON if config.get(key) is not None]
    parameters = {_COMMON[key]: config[key] for key in known}
    parameters |= {key: request[key] for key in _BESIDE if request.get(key) is not None}
    tools, choice, more = decode_tools(request.get("toolConfig"), join(path, "toolConfig"))
    parameters |= {} if choice is None else {"toolChoice": choice}
    left = without_nones(rest(config, *known))
    ours = {
        **nested("request", without_nones(rest(request, *_REQUEST))),
        **nested("inferenceConfig", left),
        **nested("toolConfig", more),
    }
    return {
        "model": text_or_none(request.get("modelId"), join(path, "modelId")),
        "parameters": decode_parameters(parameters),
        "tools": tools,
        "input": (
            *decode_system(request.get("system"), join(path, "system")),
            *decode_messages(request.get("messages"), join(path, "messages")),
        ),
        "ours": ours,
    }


def _decode_response(raw: Any, path: str) -> dict[str, Any]:
    if raw is None:
        return {}
    if isinstance(raw, str):
        # A gateway's page with status 200 reaches the application as text: kept in ``native`` as it came.
        return {"flags": ("response_not_json",)}
    response = as_object(raw, path)
    if all(response.get(key) is None for key in ("output", "stopReason", "Error", "error")):
        raise InputError(
            "has neither output nor Error, so it is no answer of Converse", path=path or None
        )
    usage = decode_usage(response.get("usage"), join(path, "usage"))
    metrics = as_object(response.get("metrics") or {}, join(path, "metrics"))
    beside = {**rest(response, *_RESPONSE, "metrics"), "metrics": rest(metrics, "latencyMs")}
    beside = {key: value for key, value in beside.items() if value not in (None, {})}
    meta = response.get(_META)
    meta = meta if isinstance(meta, Mapping) else {}
    error, form = _decode_error(response, meta, path)
    request_id = meta.get("RequestId")
    fields = {
        "response_id": request_id if isinstance(request_id, str) else None,
        "choices": _decode_choice(response, path),
        "usage": usage,
        "duration_ms": as_number(metrics.get("latencyMs"), join(path, "metrics.latencyMs")),
        "error": error,
        "flags": usage_flags(usage),
        "ours": {**nested("response", beside), **form},
    }
    return without_nones(fields)


def _decode_choice(response: Mapping[str, Any], path: str) -> tuple[Choice, ...]:
    word = text_or_none(response.get("stopReason"), join(path, "stopReason"))
    if response.get("output") is None and word is None:
        return ()
    output = as_object(response.get("output") or {}, join(path, "output"))
    extra = nested("output", rest(output, "message"))
    if output.get("message") is None:
        message, extra = Message(role="assistant"), {**extra, "message": "absent"}
    else:
        message = decode_answer(output["message"], join(path, "output.message"))
    reason = FINISH_REASONS.get(word or "")
    choice = Choice(
        message=message, finish_reason=reason, finish_reason_raw=word, extra=owned(extra)
    )
    return (choice,)


def _decode_error(
    response: Mapping[str, Any], meta: Mapping[str, Any], path: str
) -> tuple[ErrorInfo | None, dict[str, str]]:
    """A failure as boto3 tells it, or as a gateway does under ``error``; and in which form it came."""
    if response.get("Error") is None:
        error = records.decode_error(response.get("error"), join(path, "error"))
        return error, {} if error is None else {"error": "error"}
    raw = as_object(response["Error"], join(path, "Error"))
    known = [key for key in ("Code", "Message") if isinstance(raw.get(key), str)]
    kind = raw["Code"] if "Code" in known else None
    status = meta.get("HTTPStatusCode")
    return ErrorInfo(
        message=raw["Message"] if "Message" in known else kind or "failed",
        type=kind,
        status=status if type(status) is int else None,
        details=rest(raw, *known) or None,
    ), {}


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def encode_call(call: ModelCall) -> dict[str, Any]:
    """A model call as ``{"request": …, "response": …}``, from the canonical fields, never from ``native``.

    Total: what Converse cannot say is written as the nearest thing it can, or left out; of several choices the first is
    written. ``response`` is ``None`` for a call without an answer, and boto3's error for one that failed.
    """
    return {"request": _encode_request(call), "response": _encode_response(call)}


def _encode_request(call: ModelCall) -> dict[str, Any]:
    ours = own(call)
    system, messages = encode_messages(call.input)
    parameters = encode_parameters(call.parameters)
    config = {
        key: parameters[name] for key, name in _COMMON.items() if parameters.get(name) is not None
    }
    if isinstance(config.get("stopSequences"), str):
        config["stopSequences"] = [config["stopSequences"]]
    config = {**inner(ours, "inferenceConfig"), **config}
    tools = encode_tools(call.tools, parameters.get("toolChoice"), inner(ours, "toolConfig"))
    return {
        **inner(ours, "request"),
        **without_nones({"modelId": call.model}),
        "messages": messages,
        **({"system": system} if system else {}),
        **({"inferenceConfig": config} if config else {}),
        **({"toolConfig": tools} if tools else {}),
        **{key: parameters[key] for key in _BESIDE if parameters.get(key) is not None},
    }


def _encode_response(call: ModelCall) -> dict[str, Any] | None:
    if not call.choices and call.error is None:
        return None
    ours = own(call)
    beside = rest(inner(ours, "response"), *_RESPONSE)
    metrics = inner(beside, "metrics")
    latency = ours.get("latencyMs", call.duration_ms)
    if latency is not None:
        whole = isinstance(latency, float) and latency.is_integer()
        metrics = {"latencyMs": int(latency) if whole else latency, **metrics}
    failed = {} if call.error is None else _encode_error(call.error, ours, beside)
    return {
        **(_encode_choice(call.choices[0]) if call.choices else {}),
        **({} if call.usage is None else {"usage": encode_usage(call.usage)}),
        **({"metrics": metrics} if metrics else {}),
        **beside,
        **failed,
    }


def _encode_choice(choice: Choice) -> dict[str, Any]:
    extra = own(choice)
    word = choice.finish_reason_raw
    if choice.finish_reason is not None and FINISH_REASONS.get(word or "") != choice.finish_reason:
        word = _WORDS.get(choice.finish_reason, word)
    said = choice.message.model_copy(update={"role": "assistant"})
    absent = extra.get("message") == "absent" and not said.parts
    output = {} if absent else {"message": encode_message(said)}
    return {
        "output": {**inner(extra, "output"), **output},
        **without_nones({"stopReason": word}),
    }


def _encode_error(
    error: ErrorInfo, ours: Mapping[str, Any], beside: Mapping[str, Any]
) -> dict[str, Any]:
    if ours.get("error") == "error":
        return {"error": records.encode_error(error)}
    details = error.details if isinstance(error.details, dict) else {}
    code = error.code if error.type is None else error.type
    known = without_nones({"Message": error.message, "Code": code})
    # A value that is no text was kept with the details, and the field told by another one.
    odd = [key for key in known if key in details and not isinstance(details[key], str)]
    meta = beside.get(_META)
    if error.status is not None and not isinstance(meta, dict):
        return {"Error": {**details, **rest(known, *odd)}, _META: {"HTTPStatusCode": error.status}}
    return {"Error": {**details, **rest(known, *odd)}}


FORMAT = Format(
    name=NAME,
    title="Amazon Bedrock Converse",
    dialect=DIALECT,
    decode=decode,
    encode=encode_call,
    detect=detect,
    stream=ConverseStream,
    cannot=CANNOT,
)
