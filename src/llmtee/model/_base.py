"""What every canonical value shares: frozen, strict about names, tolerant about what a free field holds."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from functools import cache, lru_cache
from typing import Annotated, Any, ClassVar, TypeAlias, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
)
from pydantic_core import CoreSchema, core_schema

from llmtee import jsontext
from llmtee.model import times
from llmtee.model.snapshot import clean_text, to_json_object, to_json_value

M = TypeVar("M", bound="Frozen")


def _text(value: Any) -> Any:
    return clean_text(value) if isinstance(value, str) else value


Json: TypeAlias = Annotated[Any, BeforeValidator(to_json_value), WithJsonSchema({})]
"""Any JSON value. Whatever is handed in is copied and made JSON (see ``snapshot``)."""

JsonObject: TypeAlias = Annotated[
    dict[str, Any], BeforeValidator(to_json_object), WithJsonSchema({"type": "object"})
]
"""A JSON object, copied and made JSON like `Json`."""


class _Text:
    """How text is validated: by pydantic alone, and only where that refuses it by a function of ours."""

    @staticmethod
    def __get_pydantic_core_schema__(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        # A pattern, even an empty one, is what makes pydantic look whether UTF-8 can hold the text.
        plain = core_schema.str_schema(pattern="")
        mended = core_schema.no_info_before_validator_function(_text, core_schema.str_schema())
        # The first that takes it; where none does, the error is that of plain text.
        return core_schema.union_schema(
            [plain, mended], mode="left_to_right", custom_error_type="string_type"
        )


Text: TypeAlias = Annotated[str, _Text, WithJsonSchema({"type": "string"})]
"""Text that UTF-8 can hold: lone surrogates become U+FFFD."""

Time: TypeAlias = Annotated[
    dt.datetime,
    BeforeValidator(times.parse_time),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A timezone-aware time in UTC, to the microsecond; see ``times.parse_time`` for what is read."""


def empty() -> Any:
    """The default of a field that holds an object: an empty one.

    Not ``{}``, which pydantic copies for each instance by ``copy.deepcopy``: an event has dozens of such fields, and
    that was half of what it cost to make one.
    """
    return Field(default_factory=dict, json_schema_extra={"default": {}})


class Frozen(BaseModel):
    """Base of all canonical values. Frozen: make a changed copy with ``model_copy(update=…)``.

    Values inside free-form fields are plain dicts and lists; treat them as read-only.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, ser_json_inf_nan="constants"
    )

    def to_json(self) -> dict[str, Any]:
        """The value as a JSON object without fields at their default; read it with ``model_validate``."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def to_json_text(self) -> bytes:
        """`to_json` as text, at a third of the cost of writing the two one after the other."""
        try:
            return jsontext.dumps_with(self, _said)
        except TypeError:  # an integer that only the standard library writes
            return jsontext.dumps(self.to_json())


def made(cls: type[M], /, **fields: Any) -> M:
    """The same as ``cls(**fields)``, at a half of the cost and less, for values that are right by construction.

    Nothing is looked at or copied. It is for the readers of formats, whose values are JSON of llmtee's own (see
    ``snapshot``) and of the right type already: tuples for lists, texts that UTF-8 can hold, times in UTC, and every
    field that has no default or one that is made up.
    """
    blank, objects = _blank(cls)
    held = {**blank, **fields}
    for name in objects:
        if held[name] is None:
            held[name] = {}
    value = cls.__new__(cls)
    _set_fields(value, held)
    _set_given(value, _given(tuple(fields)))
    _set_more(value, None)
    _set_private(value, None)
    return value


# What a frozen pydantic model consists of. Its own ``model_construct`` costs more than validation.
_set_fields, _set_given, _set_more, _set_private = (
    vars(BaseModel)[slot].__set__
    for slot in (
        "__dict__",
        "__pydantic_fields_set__",
        "__pydantic_extra__",
        "__pydantic_private__",
    )
)


@lru_cache(maxsize=4096)
def _given(names: tuple[str, ...]) -> set[str]:
    """The set of the names, which values share: of a frozen value it never changes, and a copy gets its own."""
    return set(names)


@cache
def _blank(kind: type[Frozen]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """All fields in their order, each at its default; and those that are an object of their own in each value."""
    fields = kind.model_fields
    objects = tuple(name for name, it in fields.items() if it.default_factory is dict)
    return {name: None if name in objects else it.default for name, it in fields.items()}, objects


def _said(value: Any) -> Any:
    """What `to_json` says of one object: its fields without those at their default, but with its tag."""
    if isinstance(value, Frozen):
        given, (defaults, always) = value.model_fields_set, _defaults(type(value))
        return {
            name: held
            for name, held in vars(value).items()
            if (name in given and held != defaults[name]) or name in always
        }
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(type(value).__name__)


@cache
def _defaults(kind: type[Frozen]) -> tuple[dict[str, Any], frozenset[str]]:
    """The default of each field, and the fields that are said even when nobody gave them: the tag, and a made-up id."""
    fields = kind.model_fields
    made_up = {name for name, it in fields.items() if it.default_factory not in (None, dict)}
    tag = {kind.tag_field} if issubclass(kind, Tagged) else set()
    defaults = {
        name: {} if it.default_factory is dict else it.default for name, it in fields.items()
    }
    return defaults, frozenset(made_up | tag)


class Tagged(Frozen):
    """Base of union members: the tag is written first, even though it is a default."""

    tag_field: ClassVar[str]

    @model_serializer(mode="wrap")
    def _with_tag(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {self.tag_field: getattr(self, self.tag_field), **handler(self)}
