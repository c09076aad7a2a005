"""``user_properties``: the person an agent talks to.

HoneyHive names no key for the id: its documents show ``user_id``, the seed page shows ``user``. llmtee writes
``user_id``, reads either, and writes back the key that it read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from llmtee.model import Person

ID_KEYS = ("user_id", "user", "id")
"""Where a person's id is looked for, in this order."""


def write(person: Person | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """``user_properties``, and what they cannot hold, for ``metadata.person``."""
    if person is None:
        return {}, {}
    properties = dict(person.properties)
    remembered = person.extra.get("honeyhive")
    entry = _id_entry(person.id, remembered if isinstance(remembered, dict) else {})
    left = {
        "properties": {key: properties.pop(key) for key in entry if key in properties},
        "ids": dict(person.ids),
        "extra": {key: value for key, value in person.extra.items() if key != "honeyhive"},
    }
    return {**entry, **properties}, {key: value for key, value in left.items() if value}


def _id_entry(person_id: str | None, remembered: Mapping[str, Any]) -> dict[str, Any]:
    if person_id is None:
        return {}
    key = remembered.get("id_key")
    if key not in ID_KEYS:
        key = ID_KEYS[0]
    received = remembered.get("id")
    return {key: received if _is_id(received) and str(received) == person_id else person_id}


def read(properties: Mapping[str, Any], left: Mapping[str, Any]) -> Person | None:
    """The person of ``user_properties`` and ``metadata.person``; ``None`` where both are empty."""
    if not properties and not left:
        return None
    rest = dict(properties)
    found: dict[str, Any] = {}
    key = next((key for key in ID_KEYS if _is_id(rest.get(key))), None)
    if key is not None:
        received = rest.pop(key)
        found["id"] = str(received)
        memory = {"id_key": key, **({} if isinstance(received, str) else {"id": received})}
        found["extra"] = {} if memory == {"id_key": ID_KEYS[0]} else {"honeyhive": memory}
    return Person(
        id=found.get("id"),
        properties={**rest, **left.get("properties", {})},
        ids=left.get("ids", {}),
        extra={**found.get("extra", {}), **left.get("extra", {})},
    )


def is_left(value: Mapping[str, Any]) -> bool:
    """Whether ``metadata.person`` is what `write` left, and no property of that name."""
    if not value or not set(value) <= {"properties", "ids", "extra"}:
        return False
    try:
        Person.model_validate(value)
    except ValidationError:
        return False
    return True


def _is_id(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)
