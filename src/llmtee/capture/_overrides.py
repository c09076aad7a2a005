"""What an application says of one call beside the provider's own arguments.

As keyword arguments ``llmtee_session=``, ``llmtee_agent=``, …, as ``extra={"llmtee": {"session": …}}``, or with the words
of Voker's SDK, ``voker_session=``. Where several say the same, the first of these three counts.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from llmtee.capture._patches import Method
from llmtee.model._base import Frozen
from llmtee.model.snapshot import to_json_value

logger = logging.getLogger("llmtee")

FIELDS = ("session", "agent", "agent_version", "person", "properties", "tags", "name", "parent")
"""What can be said of a call: fields of its record, see ``llmtee.formats.records``."""

_OURS = "llmtee_"
_VOKER = {f"voker_{name}": name for name in ("session", "agent", "agent_version", "person")}
_EXTRA = "extra"
_CARRIER = "x-llmtee-call"
_MARKS = (_OURS, "voker_", _EXTRA)


def take(arguments: dict[str, Any]) -> dict[str, Any]:
    """Takes what is meant for llmtee out of a call's keyword arguments, and gives it as fields of a record.

    An SDK never sees them, known or not: it would refuse the call.
    """
    for key in arguments:
        if key.startswith(_MARKS):
            return _taken(arguments)
    return {}  # nearly always


def _taken(arguments: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for key in [key for key in arguments if key in _VOKER]:
        said[_VOKER[key]] = arguments.pop(key)
    extra = arguments.get(_EXTRA)
    if isinstance(extra, Mapping) and "llmtee" in extra:
        rest = {key: value for key, value in extra.items() if key != "llmtee"}
        del arguments[_EXTRA]
        if rest:
            arguments[_EXTRA] = rest
        if isinstance(extra["llmtee"], Mapping):
            said |= extra["llmtee"]
    for key in [key for key in arguments if key.startswith(_OURS)]:
        said[key.removeprefix(_OURS)] = arguments.pop(key)
    return _fields(said) if said else said


def _fields(said: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := sorted(str(key) for key in said if key not in FIELDS):
        logger.error(
            "of a call, nothing is known that is named %s; known: %s",
            ", ".join(unknown),
            ", ".join(FIELDS),
        )
    found = {key: _value(key, said[key]) for key in FIELDS if said.get(key) is not None}
    if not isinstance(found.get("properties", {}), dict):
        logger.error("the properties of a call must be a mapping, and are left out")
        del found["properties"]
    return found


def _value(key: str, value: Any) -> Any:
    found = to_json_value(value.to_json() if isinstance(value, Frozen) else value)
    if key == "tags":
        return [str(tag) for tag in (found if isinstance(found, list) else [found])]
    if key == "properties" or isinstance(found, str):
        return found
    # Ids are often numbers or UUIDs; agents and persons may be objects.
    return found if isinstance(found, dict) and key in ("agent", "person") else str(found)


def carrying(original: Method) -> Method:
    """A method of a client made by `_stainless`, whose ``extra_headers`` carry what is said of the call."""

    def method(*args: Any, **kwargs: Any) -> Any:
        for key in kwargs:  # as in `take`, without a call for what is nearly always so
            if key.startswith(_MARKS):
                _carry(kwargs)
                break
        return original(*args, **kwargs)

    return method


def _carry(arguments: dict[str, Any]) -> None:
    if said := take(arguments):
        # As text, for some helpers pass headers on as the bytes that they will be.
        carried = {_CARRIER: json.dumps(said)}
        arguments["extra_headers"] = {**(arguments.get("extra_headers") or {}), **carried}


def carried(options: Any) -> dict[str, Any]:
    """What was said of the call, taken out of its headers."""
    headers = options.headers
    if not isinstance(headers, Mapping):
        return {}
    carrier = next((name for name in headers if name.lower() == _CARRIER), None)
    if carrier is None:
        return {}
    options.headers = {name: value for name, value in headers.items() if name != carrier}
    found: dict[str, Any] = json.loads(headers[carrier])
    return found
