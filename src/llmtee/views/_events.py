"""Events: model calls, tool runs, steps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, cast

from llmtee.views._blocks import (
    elapsed,
    fold,
    fold_json,
    head,
    json_block,
    moment,
    plural,
    span,
)
from llmtee.views._html import Html
from llmtee.views._messages import agent, call_names, cost, error, message, messages, person, tokens
from llmtee.views._style import page

if TYPE_CHECKING:
    from llmtee.model import Event, EventBase, ModelCall, Step, ToolRun

_ABOVE: Final = frozenset(
    {
        *(
            "kind",
            "name",
            "session",
            "error",
            "input",
            "choices",
            "model",
        ),
        *("tools", "parameters", "native", "arguments", "result", "inputs", "outputs", "config"),
        *("properties", "metrics", "feedback", "template", "step_type"),
    }
)
"""What has a place of its own; the rest is to fold out below, so that a card has everything."""


def event(one: EventBase) -> str:
    """One event, as a card."""
    return page(event_card(cast("Event", one)))


def event_card(one: Event) -> Html:
    """One event, without the card around it."""
    match one.kind:
        case "model_call":
            top, body = _model_call(one)
        case "tool_run":
            top, body = _tool_run(one)
        case "step":
            top, body = _step(one)
    took = elapsed(one.started_at, one.ended_at, one.duration_ms)
    facts = [
        *top,
        ("session", one.session),
        ("agent", None if one.agent is None else agent(one.agent)),
        ("person", None if one.person is None else person(one.person)),
        ("", moment(one.started_at)),
        ("took", span(took)),
        ("first token after", span(elapsed(one.started_at, one.first_token_at))),
    ]
    wrong = [] if one.error is None else [error(one.error)]
    parts = [head(one.kind.replace("_", " "), one.name, facts), *wrong, *body, *_beside(one)]
    return Html("".join(parts))


def _beside(one: Event) -> Iterable[Html]:
    """What every event may have, each to fold out."""
    yield fold_json("properties", one.properties, ", ".join(one.properties))
    yield fold_json("metrics", one.metrics, ", ".join(one.metrics))
    yield fold_json("feedback", one.feedback, ", ".join(one.feedback))
    said = {key: value for key, value in one.to_json().items() if key not in _ABOVE}
    yield fold_json("everything else", said, ", ".join(said))


def _model_call(one: ModelCall) -> tuple[list[tuple[str, str | None]], list[Html]]:
    answered = one.response_model if one.response_model != one.model else None
    facts = [
        ("model", one.model),
        ("answered by", answered),
        ("used", None if one.usage is None else tokens(one.usage)),
        ("cost", None if one.cost is None else cost(one.cost)),
    ]
    earlier, last = one.input[:-1], one.input[-1:]
    body = []
    if earlier:
        roles = ", ".join(dict.fromkeys(told.role for told in earlier))
        body.append(
            fold(f"{plural(len(earlier), 'message')} before", messages(earlier), note=roles)
        )
    body += [message(told, call_names(one.input)) for told in last]
    for place, choice in enumerate(one.choices):
        if place == 1:
            others = [message(other.message) for other in one.choices[1:]]
            body.append(fold(plural(len(others), "further answer"), *others))
        elif place == 0:
            body.append(message(choice.message))
    rest = [
        {key: value for key, value in choice.to_json().items() if key != "message"}
        for choice in one.choices
    ]
    body += [
        fold_json(
            "how it ended",
            rest if any(rest) else None,
            ", ".join(filter(None, (c.finish_reason for c in one.choices))),
        ),
        fold_json("parameters", one.parameters, ", ".join(one.parameters)),
        fold_json(
            "tools offered",
            [tool.to_json() for tool in one.tools],
            ", ".join(tool.name or tool.type for tool in one.tools),
        ),
        fold_json("prompt template", None if one.template is None else one.template.to_json()),
    ]
    if one.native is not None:
        body.append(
            fold_json("the provider's own record", one.native.to_json(), one.native.dialect)
        )
    return facts, body


def _tool_run(one: ToolRun) -> tuple[list[tuple[str, str | None]], list[Html]]:
    body = []
    if one.arguments is not None:
        body.append(fold("arguments", json_block(one.arguments), opened=True))
    if one.result is not None:
        body.append(fold("result", json_block(one.result), opened=True))
    return [("call", one.call_id)], body


def _step(one: Step) -> tuple[list[tuple[str, str | None]], list[Html]]:
    body = [
        fold_json("inputs", one.inputs, ", ".join(one.inputs)),
        fold_json("outputs", one.outputs, ", ".join(one.outputs)),
        fold_json("config", one.config, ", ".join(one.config)),
    ]
    return [("type", one.step_type)], body
