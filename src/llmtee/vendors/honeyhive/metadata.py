"""``metadata``: an event's own properties, and beside them what HoneyHive has no other place for.

Properties stand under their own names. What llmtee adds stands under the names in this module; a property that would
be taken for one of them when it is read back goes into ``metadata.properties``.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Annotated, Any

from pydantic import BeforeValidator, StrictFloat, StrictInt, TypeAdapter, ValidationError

from llmtee.model import Agent, Cost, Event, ModelCall, Step, ToolRun, Usage
from llmtee.model.times import parse_time

TOKEN_KEYS: Mapping[str, str] = {
    "prompt_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "total_tokens": "total_tokens",
    **{
        f"{name}_tokens": name
        for name in Usage.model_fields
        if name not in ("input_tokens", "output_tokens", "total_tokens", "raw")
    },
}
"""Names in ``metadata`` of the fields of `Usage`. The first three are HoneyHive's own."""

CARRY_KEY = "llmtee"
"""Where a carry goes (``spec.CarrySlot``)."""

VENDORS_OWN = frozenset({"cost", "prompt_tokens", "completion_tokens", "total_tokens"})
"""What HoneyHive itself reads in ``metadata``."""

_OF_ALL: Mapping[str, Any] = {
    "event_id": str,
    "session_id": str,
    "parent_id": str,
    "trace_id": str,
    "first_token_at": Annotated[dt.datetime, BeforeValidator(parse_time)],
    "agent": Agent,
    "person": dict[str, Any],
    "error": dict[str, Any],
    "tags": tuple[str, ...],
    "source_ids": dict[str, str],
    "flags": tuple[str, ...],
    "extra": dict[str, Any],
    "properties": dict[str, Any],
}
_OF_A_KIND: Mapping[str, Mapping[str, Any]] = {
    "model_call": {
        "cost": StrictInt | StrictFloat,
        "cost_details": dict[str, Any],
        **dict.fromkeys(TOKEN_KEYS, StrictInt),
        "usage": dict[str, Any],
        "response_model": str,
        "finish_reason": str,
        "finish_reason_raw": str,
        "choice": dict[str, Any],
        "template_id": str,
        "template_variables": dict[str, Any],
    },
    "tool_run": {"tool_call_id": str, "description": str},
    "step": {"step_type": str},
}

PARKED = tuple(
    f"metadata.{key}"
    for keys in (_OF_ALL, *_OF_A_KIND.values())
    for key in keys
    if key not in VENDORS_OWN
)
"""Paths of what llmtee adds to ``metadata``: nothing at HoneyHive knows these names."""


@cache
def _readers(kind: str) -> dict[str, TypeAdapter[Any]]:
    return {key: TypeAdapter(shape) for key, shape in {**_OF_ALL, **_OF_A_KIND[kind]}.items()}


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def write(event: Event, parked: Mapping[str, Any]) -> dict[str, Any]:
    """The ``metadata`` of an event.

    Args:
        event: any event.
        parked: what else goes there, under names of this module: original ids, what is left of the person.
    """
    ours = {**_of_its_kind(event), **_of_all(event), **parked}
    ours = {key: value for key, value in ours.items() if value not in (None, {}, [])}
    properties = event.properties
    clashing = {
        key: value
        for key, value in properties.items()
        if key in ours or _is_readable(event.kind, key, value)
    }
    if clashing and "properties" in properties:
        clashing["properties"] = properties["properties"]
    free = {key: value for key, value in properties.items() if key not in clashing}
    return {**ours, **free, **({"properties": clashing} if clashing else {})}


def _is_readable(kind: str, key: str, value: Any) -> bool:
    reader = _readers(kind).get(key)
    if reader is None:
        return False
    try:
        reader.validate_python(value)
    except ValidationError:
        return False
    return True


def _of_all(event: Event) -> dict[str, Any]:
    first_token = event.first_token_at
    return {
        "trace_id": event.trace_id,
        "first_token_at": first_token and first_token.isoformat().replace("+00:00", "Z"),
        "agent": event.agent and event.agent.to_json(),
        "error": event.error
        and {key: value for key, value in event.error.to_json().items() if key != "message"},
        "tags": list(event.tags),
        "source_ids": dict(event.source_ids),
        "flags": list(event.flags),
        "extra": {key: value for key, value in event.extra.items() if key != "honeyhive"},
    }


def _of_its_kind(event: Event) -> dict[str, Any]:
    match event:
        case ModelCall():
            return {**_spent(event), **_of_the_answer(event)}
        case ToolRun():
            return {"tool_call_id": event.call_id, "description": event.description}
        case Step():
            plain = event.step_type in ("chain", "session")
            return {"step_type": None if plain else event.step_type}


def _spent(call: ModelCall) -> dict[str, Any]:
    spent = _cost(call.cost) if call.cost is not None else {}
    if call.usage is not None:
        counts = vars(call.usage)
        spent |= {key: counts[name] for key, name in TOKEN_KEYS.items() if counts[name] is not None}
        spent["usage"] = call.usage.raw
    return spent


def _cost(cost: Cost) -> dict[str, Any]:
    """The amount as a number, as HoneyHive wants it; the exact amount beside it where a float cannot hold it."""
    number = plain_number(float(cost.amount))
    details = cost.to_json()
    if number is not None and Decimal(repr(number)) == cost.amount:
        del details["amount"]
    return {"cost": number, "cost_details": details}


def _of_the_answer(call: ModelCall) -> dict[str, Any]:
    template = call.template
    history = template.variables.get("chat_history") if template is not None else None
    fields: dict[str, Any] = {
        "response_model": call.response_model,
        "template_id": template and template.id,
        "template_variables": {"chat_history": history} if history is not None else None,
    }
    if call.choices:
        first = call.choices[0]
        fields["finish_reason"] = first.finish_reason
        fields["finish_reason_raw"] = first.finish_reason_raw
        fields["choice"] = first.extra
    return fields


def plain_number(value: float) -> int | float | None:
    """A float as JSON writers elsewhere write it: whole numbers without a fraction. ``None`` where it is not finite."""
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _anything(value: Any) -> bool:
    return True


class Parked:
    """The ``metadata`` of one event while it is taken apart; what nobody takes are the event's properties.

    Args:
        kind: the event's kind: it decides which names are ours.
        metadata: as received; not changed.
    """

    def __init__(self, kind: str, metadata: Mapping[str, Any]) -> None:
        self._kind = kind
        self._rest = dict(metadata)

    def take(self, key: str, accept: Callable[[Any], bool] = _anything) -> Any:
        """The value that `write` put under ``key``; ``None`` where there is none, or where it cannot be ours."""
        if key not in self._rest or not _is_readable(self._kind, key, self._rest[key]):
            return None
        value = _readers(self._kind)[key].validate_python(self._rest[key])
        if not accept(value):
            return None
        del self._rest[key]
        return value

    def take_usage(self) -> Usage | None:
        """The token counts."""
        counts = {name: self.take(key) for key, name in TOKEN_KEYS.items()}
        raw = self.take("usage")
        usage = Usage(**counts, raw=raw)
        return None if usage == Usage() else usage

    def take_cost(self) -> Cost | None:
        """The cost."""
        details = self.take("cost_details", _is_cost) or {}
        number = self.take("cost", _is_finite)
        amount = details.get("amount", None if number is None else repr(number))
        return None if amount is None else Cost.model_validate({**details, "amount": amount})

    def properties(self) -> dict[str, Any]:
        """What is left."""
        clashing = self.take("properties") or {}
        return {**self._rest, **clashing}


def _is_finite(number: float) -> bool:
    return isinstance(number, int) or math.isfinite(number)


def _is_cost(details: Mapping[str, Any]) -> bool:
    try:
        Cost.model_validate({"amount": 0, **details})
    except ValidationError:
        return False
    return True
