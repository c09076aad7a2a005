"""``userProperties`` and the person they speak of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from llmtee.jsonfields import as_object
from llmtee.model import Person

_IDS: Final = ("id", "userId")
_TEXTS: Final = ("supportAgentName", "supportAgentEmail", "userType")
_KIND: Final = "identificationType"


def decode_person(raw: Any, path: str) -> Person | None:
    """The person of a ``userProperties`` object; ``None`` where it is empty.

    ``userId`` is the application's own id of the person, and ``id`` stands in for it. Other keys are properties.

    Raises:
        InputError: ``raw`` is not an object.
    """
    if not raw:
        return None
    raw = as_object(raw, path)
    ids = {key: raw[key] for key in _IDS if key in raw}
    person_id = _person_id(ids)
    ours: dict[str, Any] = {} if ids == _ids_of(person_id) else {"ids": ids}
    if _KIND in raw:
        ours[_KIND] = raw[_KIND]
    return Person(
        id=person_id,
        properties={key: value for key, value in raw.items() if key not in (*_IDS, _KIND)},
        extra={"inkeep": ours} if ours else {},
    )


def encode_person(person: Person) -> dict[str, Any]:
    """``userProperties`` of a person: the id under both names, the properties beside them.

    A property with the name of one of Inkeep's own fields is written where the field could hold it.
    """
    ours = person.extra.get("inkeep")
    ours = ours if isinstance(ours, Mapping) else {}
    ids = ours.get("ids", ())
    out: dict[str, Any] = dict(ids) if _are_ids(ids, person.id) else _ids_of(person.id)
    if _text_or_null(ours, _KIND):
        out[_KIND] = ours[_KIND]
    for key, value in person.properties.items():
        if key in (*_IDS, _KIND) or (key in _TEXTS and not _text_or_null(person.properties, key)):
            continue
        out[key] = value
    return out


def _person_id(ids: Mapping[str, Any]) -> str | None:
    for key in reversed(_IDS):
        value = ids.get(key)
        if _is_id(value):
            return str(value)
    return None


def _ids_of(person_id: str | None) -> dict[str, Any]:
    return {} if person_id is None else dict.fromkeys(_IDS, person_id)


def _is_id(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _are_ids(ids: Any, person_id: str | None) -> bool:
    """Whether ``ids`` are ids as Inkeep takes them, and still those of this person."""
    return (
        isinstance(ids, Mapping)
        and set(ids) <= set(_IDS)
        and all(value is None or _is_id(value) for value in ids.values())
        and _person_id(ids) == person_id
    )


def _text_or_null(holder: Mapping[str, Any], key: str) -> bool:
    return key in holder and (holder[key] is None or isinstance(holder[key], str))
