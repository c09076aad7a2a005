"""What every canonical value shares: frozen, strict about names, tolerant about what a free field holds."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
)

from llmtee.model import times
from llmtee.model.snapshot import clean_text, to_json_object, to_json_value


def _text(value: Any) -> Any:
    return clean_text(value) if isinstance(value, str) else value


Json: TypeAlias = Annotated[Any, BeforeValidator(to_json_value), WithJsonSchema({})]
"""Any JSON value. Whatever is handed in is copied and made JSON (see ``snapshot``)."""

JsonObject: TypeAlias = Annotated[
    dict[str, Any], BeforeValidator(to_json_object), WithJsonSchema({"type": "object"})
]
"""A JSON object, copied and made JSON like `Json`."""

Text: TypeAlias = Annotated[str, BeforeValidator(_text)]
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


class Tagged(Frozen):
    """Base of union members: the tag is written first, even though it is a default."""

    tag_field: ClassVar[str]

    @model_serializer(mode="wrap")
    def _with_tag(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {self.tag_field: getattr(self, self.tag_field), **handler(self)}
