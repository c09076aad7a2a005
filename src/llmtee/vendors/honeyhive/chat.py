"""The content of a model event: ``config``, ``inputs`` and ``outputs``.

What has an unexpected shape is never an error: it stays where it stood, in the leftover that render writes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from llmtee.errors import InputError
from llmtee.formats.openai_chat.messages import (
    decode_message,
    decode_messages,
    encode_message,
    encode_messages,
)
from llmtee.model import (
    Choice,
    Message,
    ModelCall,
    PromptTemplate,
    ToolDefinition,
    ToolResultPart,
)
from llmtee.model.memo import Derived
from llmtee.model.snapshot import to_json_value
from llmtee.vendors.honeyhive.metadata import Parked
from llmtee.vendors.honeyhive.wire import MESSAGE_FIELDS

_MAX_TOKENS = ("max_output_tokens", "max_tokens")
"""The canonical name, and that of HoneyHive's hyperparameters."""


def _renamed(fields: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    """``fields`` with one of them under another name, unless that is taken."""
    if new in fields:
        return dict(fields)
    return {new if key == old else key: value for key, value in fields.items()}


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def write_config(call: ModelCall) -> dict[str, Any]:
    """Model, provider, parameters, tools and template of a call."""
    template = call.template
    fields = {
        "type": "chat",
        "model": call.model,
        "provider": call.provider,
        "hyperparameters": _renamed(call.parameters, *_MAX_TOKENS),
        "tools": [_tool(tool) for tool in call.tools],
        "version": template and template.version,
    }
    config = {key: value for key, value in fields.items() if value}
    if template is not None and template.messages is not None:
        config["template"] = template.messages
    return config


_tool = Derived(ToolDefinition.to_json)


def write_inputs(call: ModelCall) -> dict[str, Any]:
    """The template's variables, and the messages as ``chat_history``."""
    variables = call.template.variables if call.template is not None else {}
    inputs = {key: value for key, value in variables.items() if key != "chat_history"}
    if call.input:
        inputs["chat_history"] = encode_messages(call.input)
    return inputs


def write_outputs(call: ModelCall) -> dict[str, Any]:
    """The message of the first choice; further choices stand in its field ``choices``."""
    if not call.choices:
        return {}
    outputs = _write_message(call.choices[0].message)
    if len(call.choices) > 1:
        outputs["choices"] = [_write_choice(choice) for choice in call.choices[1:]]
    return outputs


def _write_choice(choice: Choice) -> dict[str, Any]:
    fields = {
        "message": _write_message(choice.message),
        "finish_reason": choice.finish_reason,
        "finish_reason_raw": choice.finish_reason_raw,
    }
    return {**choice.extra, **{key: value for key, value in fields.items() if value is not None}}


def _write_message(message: Message) -> dict[str, Any]:
    """One message as one object; results of tools that ran at the provider stand in its field ``tool_results``."""
    results = tuple(part for part in message.parts if isinstance(part, ToolResultPart))
    if results:
        others = tuple(part for part in message.parts if not isinstance(part, ToolResultPart))
        message = message.model_copy(update={"parts": others})
    [encoded] = encode_message(message)
    if results:
        encoded["tool_results"] = encode_message(Message(role="tool", parts=results))
    return encoded


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def read_config(
    config: Mapping[str, Any], found: dict[str, Any], template: dict[str, Any]
) -> dict[str, Any]:
    """Fills the fields of a call (``found``) and of its template, and returns what is left of ``config``."""
    left = dict(config)
    if left.get("type") == "chat":
        del left["type"]
    for key, holder, name, kind in (
        ("model", found, "model", str),
        ("provider", found, "provider", str),
        ("hyperparameters", found, "parameters", dict),
        ("version", template, "version", str),
    ):
        if left.get(key) and isinstance(left[key], kind):
            holder[name] = left.pop(key)
    if "parameters" in found:
        found["parameters"] = _renamed(found["parameters"], *reversed(_MAX_TOKENS))
    if left.get("template") is not None:
        template["messages"] = left.pop("template")
    if tools := _read_tools(left.get("tools")):
        found["tools"] = tools
        del left["tools"]
    return left


def _read_tools(raw: Any) -> tuple[ToolDefinition, ...]:
    if not isinstance(raw, list):
        return ()
    try:
        return tuple(ToolDefinition.model_validate(tool) for tool in raw)
    except ValidationError:
        return ()


def read_inputs(
    inputs: Mapping[str, Any], found: dict[str, Any], template: dict[str, Any]
) -> dict[str, Any]:
    """Fills the messages and the template's variables, and returns what is left of ``inputs``."""
    left = dict(inputs)
    history = left.pop("chat_history", None)
    try:
        found["input"] = decode_messages(to_json_value(history), "chat_history")
    except InputError:
        found["input"] = ()
    template["variables"] = left
    unread = "chat_history" in inputs and not found["input"]
    return {"chat_history": history} if unread else {}


def read_template(template: Mapping[str, Any], parked: Parked) -> PromptTemplate | None:
    """The template; ``None`` where nothing is known of one."""
    variables = {**template.get("variables", {}), **(parked.take("template_variables") or {})}
    fields = {**template, "variables": variables, "id": parked.take("template_id")}
    read = PromptTemplate.model_validate(fields)
    return None if read == PromptTemplate() else read


def read_outputs(
    outputs: Mapping[str, Any], parked: Parked
) -> tuple[tuple[Choice, ...], dict[str, Any]]:
    """The choices, and what is left of ``outputs``."""
    left = dict(outputs)
    others = _read_choices(left.get("choices"))
    if others:
        del left["choices"]
    if not MESSAGE_FIELDS & set(left):
        return (), dict(outputs)
    try:
        message = _read_message(left)
    except InputError:
        return (), dict(outputs)
    first = Choice(
        message=message,
        finish_reason=parked.take("finish_reason"),
        finish_reason_raw=parked.take("finish_reason_raw"),
        extra=parked.take("choice") or {},
    )
    return (first, *others), {}


def _read_choices(raw: Any) -> tuple[Choice, ...]:
    """Further choices as `write_outputs` writes them; none where they are anything else."""
    if not isinstance(raw, list):
        return ()
    choices = []
    for entry in raw:
        if not isinstance(entry, Mapping):
            return ()
        extra = dict(entry)
        try:
            fields = {
                "message": _read_message(extra.pop("message", None)),
                "finish_reason": extra.pop("finish_reason", None),
                "finish_reason_raw": extra.pop("finish_reason_raw", None),
            }
            choices.append(Choice.model_validate({**fields, "extra": extra}))
        except (InputError, ValidationError):
            return ()
    return tuple(choices)


def _read_message(raw: Any) -> Message:
    raw, results = to_json_value(raw), tuple[Message, ...]()
    if isinstance(raw, dict) and isinstance(raw.get("tool_results"), list):
        results = decode_messages(raw["tool_results"], "tool_results")
        raw = {key: value for key, value in raw.items() if key != "tool_results"}
    message = decode_message(raw, "outputs")
    parts = tuple(part for result in results for part in result.parts)
    return message.model_copy(update={"parts": (*parts, *message.parts)}) if parts else message
