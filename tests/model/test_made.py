"""Values that are made without validation are those that validation makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtee import registry
from llmtee.errors import InputError
from llmtee.formats import records
from llmtee.model import Message, ModelCall, TextPart
from llmtee.model._base import Frozen, made
from llmtee.testing import strategies

FORMATS = ("openai-chat", "anthropic-messages")


def _inside(value: Any) -> Iterator[Frozen]:
    """All canonical values in a field, the value itself first."""
    if isinstance(value, Frozen):
        yield value
        for inner in vars(value).values():
            yield from _inside(inner)
    elif isinstance(value, tuple):
        for inner in value:
            yield from _inside(inner)


def _given(value: Frozen) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.model_fields_set}


def _same(one: Frozen, other: Frozen) -> None:
    assert one == other
    assert one.model_fields_set == other.model_fields_set
    assert list(vars(one).items()) == list(vars(other).items())  # in this order, too
    assert [type(held) for held in vars(one).values()] == [
        type(held) for held in vars(other).values()
    ]
    assert one.to_json_text() == other.to_json_text()
    assert one.to_json() == other.to_json()


@given(st.one_of(strategies.events(), strategies.conversations(), strategies.supplements()))
def test_a_value_that_is_made_equals_the_validated_one(item: Frozen) -> None:
    for value in _inside(item):
        if "id" in type(value).model_fields:  # never left to be made up
            value = value.model_copy(update={"id": value.id})  # type: ignore[attr-defined]  # noqa: PLW2901
        _same(made(type(value), **_given(value)), value)


def test_what_is_made_is_a_model_like_any_other() -> None:
    part = made(TextPart, text="a")
    message = made(Message, role="user", parts=(part,))
    assert message.model_copy(update={"role": "system"}) == Message(role="system", parts=(part,))
    assert Message.model_validate(message.to_json()) == message
    assert repr(message) == repr(Message(role="user", parts=(TextPart(text="a"),)))
    with pytest.raises(ValueError, match="frozen"):
        message.role = "tool"  # type: ignore[misc]


def test_each_value_has_empty_objects_of_its_own() -> None:
    one, other = made(Message, role="user"), made(Message, role="user")
    assert one.extra == {}
    assert one.extra is not other.extra
    assert made(ModelCall, id="a").properties is not one.properties


def _validated(value: Any) -> Any:
    if isinstance(value, Frozen):
        return type(value)(**{name: _validated(held) for name, held in _given(value).items()})
    return tuple(map(_validated, value)) if isinstance(value, tuple) else value


@pytest.mark.parametrize("name", FORMATS)
def test_what_a_format_reads_is_as_validation_would_have_it(name: str) -> None:
    form = registry.format(name)
    assert form.encode is not None
    encode = form.encode

    @given(data=st.data(), call=strategies.model_calls(parameters=strategies.parameters()))
    def holds(data: st.DataObject, call: ModelCall) -> None:
        record = {**records.envelope(call), **encode(call)}
        for raw in (record, data.draw(strategies.broken(record))):
            try:
                items = form.decode(raw)
            except InputError:
                continue
            for item in items:
                _same(item, _validated(item))

    holds()
