"""Canonical values from JSON that may come from a newer llmtee, or from a person: unknown fields are kept.

The models forbid unknown fields. Here each object is taken apart by what its class knows, the rest goes into its
``extra``, and every value of a wrong type is an `InputError` with its JSON path.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from llmtee.errors import InputError
from llmtee.jsonfields import as_object, join, rest, type_name
from llmtee.model import OtherPart
from llmtee.model._base import Frozen, Tagged

M = TypeVar("M", bound=Frozen)

KEPT = "unknown field kept in extra: "


def build(cls: type[M], raw: Any, path: str) -> tuple[M, tuple[str, ...]]:
    """An instance of ``cls`` from a JSON object, and a flag for each kind of unknown field that was kept.

    Raises:
        InputError: a value has the wrong type; the error names its JSON path.
    """
    kept: dict[str, None] = {}
    value, homeless = _build(cls, raw, _Place(path), kept)
    if homeless:
        names = ", ".join(sorted(homeless))
        raise InputError(f"has fields that nobody knows: {names}", path=path or None)
    return value, tuple(KEPT + name for name in kept)


@dataclass(frozen=True)
class _Place:
    """Where an object stands: as a JSON path, and as a flag says it, from the outermost object and without indices."""

    path: str
    name: str = ""

    def at(self, key: str) -> _Place:
        return _Place(join(self.path, key), join(self.name, key))

    def item(self, index: int) -> _Place:
        return _Place(f"{self.path}[{index}]", f"{self.name}[]")


def _build(
    cls: type[M], raw: Any, place: _Place, kept: dict[str, None]
) -> tuple[M, dict[str, Any]]:
    """The instance, and the unknown fields that an object without ``extra`` hands to the one around it."""
    raw = as_object(raw, place.path)
    unknown = rest(raw, *cls.model_fields)
    values: dict[str, Any] = {}
    for name in cls.model_fields:
        if name in raw:
            values[name], homeless = _field(cls, name, raw[name], place.at(name), kept)
            unknown |= {f"{name}.{key}": value for key, value in homeless.items()}
    if unknown and "extra" in cls.model_fields:
        kept |= dict.fromkeys(join(place.name, key) for key in unknown)
        extra = as_object(values.get("extra") or {}, place.at("extra").path)
        values["extra"] = {**unknown, **extra}
        unknown = {}
    try:
        return cls(**values), unknown
    except ValidationError as error:
        raise _input_error(error.errors(include_url=False)[0], place.path) from None


def _field(
    cls: type[Frozen], name: str, raw: Any, place: _Place, kept: dict[str, None]
) -> tuple[Any, dict[str, Any]]:
    shape = _shape(cls, name)
    if raw is None or not shape.classes:
        return raw, {}
    if not shape.many:
        return _build(shape.pick(raw, place), raw, place, kept)
    if not isinstance(raw, list | tuple):
        raise InputError(f"must be a list, not {type_name(raw)}", path=place.path)
    return [_member(shape, one, place.item(i), kept) for i, one in enumerate(raw)], {}


def _member(shape: _Shape, raw: Any, place: _Place, kept: dict[str, None]) -> Frozen:
    cls = shape.pick(raw, place)
    if cls is OtherPart and raw.get("type") != "other":  # a part type of a newer version
        kept[f"{place.name}.type={raw['type']}"] = None
        return OtherPart(name=raw["type"], data=raw)
    value, homeless = _build(cls, raw, place, kept)
    if homeless:
        raise InputError(f"has fields that nobody knows: {', '.join(homeless)}", path=place.path)
    return value


@dataclass(frozen=True)
class _Shape:
    """What a field holds: canonical objects of some classes, one or many; no classes for plain values."""

    classes: tuple[type[Frozen], ...] = ()
    many: bool = False

    def pick(self, raw: Any, place: _Place) -> type[Frozen]:
        """The class of ``raw``, by its tag where there are several."""
        if len(self.classes) == 1:
            return self.classes[0]
        by_tag = {tag_of(cls): cls for cls in self.classes}
        tag = as_object(raw, place.path).get("type")
        if isinstance(tag, str) and (tag in by_tag or OtherPart in self.classes):
            return by_tag.get(tag, OtherPart)
        known = ", ".join(sorted(by_tag))
        raise InputError(f"must be one of {known}", path=place.at("type").path)


def tag_of(cls: type[Frozen]) -> str:
    """The word that tells a class from the others of its union: ``text``, ``model_call``."""
    if not issubclass(cls, Tagged):
        raise TypeError(f"{cls.__name__} has no tag")
    return str(cls.model_fields[cls.tag_field].default)


@cache
def _shape(cls: type[Frozen], name: str) -> _Shape:
    annotation = cls.model_fields[name].annotation
    many = any(get_origin(part) is tuple for part in _flat(annotation))
    members = (one for part in _flat(annotation) for one in _members(part))
    return _Shape(
        tuple(one for one in members if isinstance(one, type) and issubclass(one, Frozen)), many
    )


def _members(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is tuple:
        yield from _flat(get_args(annotation)[0])
    else:
        yield annotation


def _flat(annotation: Any) -> Iterator[Any]:
    """The members of a union, whatever it is wrapped in."""
    if get_origin(annotation) is Annotated:
        yield from _flat(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for member in get_args(annotation):
            yield from _flat(member)
    else:
        yield annotation


def _input_error(error: ErrorDetails, path: str) -> InputError:
    for key in error["loc"]:
        path = f"{path}[{key}]" if isinstance(key, int) else join(path, key)
    if error["type"] == "missing":
        return InputError("is missing", path=path)
    reason = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if error["type"].endswith("_type"):
        reason += f", not {type_name(error['input'])}"
    return InputError(reason, path=path)
