"""A model call in another provider's shape: what does not come back as it was is declared by the shape, with its reason."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings

from llmtee import registry
from llmtee._data_files import data_dir
from llmtee.fidelity import Difference, compare_calls, explain_encoding
from llmtee.formats import records
from llmtee.model import (
    AnyPart,
    Choice,
    MediaPart,
    Message,
    ModelCall,
    OtherPart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from llmtee.spec import Format
from llmtee.testing import strategies
from llmtee.testing.format_contract import undeclared

SOME_ID = "00000000-0000-5000-8000-000000000000"
PROVIDERS = [name for name in registry.format_names() if registry.format(name).encode is not None]
FIXTURES = sorted(
    path
    for path in (data_dir("fixtures") / "formats").glob("*/*.json")
    if not path.name.endswith(".expected.json")
)


@cache
def calls(path: Path) -> list[ModelCall]:
    decoded = registry.format(path.parent.name).decode(json.loads(path.read_text("utf-8")))
    return [item for item in decoded if isinstance(item, ModelCall)]


WITH_CALLS = [path for path in FIXTURES if calls(path)]


def back_from(form: Format, call: ModelCall) -> ModelCall:
    """The call, written as a record of a format and read again."""
    assert form.encode is not None
    [back] = form.decode({**records.envelope(call), **form.encode(call)})
    assert isinstance(back, ModelCall)
    return back


def differences(form: Format, call: ModelCall) -> Iterator[Difference]:
    return (one for one in compare_calls(call, back_from(form, call)) if one.outcome != "same")


@pytest.mark.parametrize("target", PROVIDERS)
@pytest.mark.parametrize("path", WITH_CALLS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_a_shape_cannot_say_is_declared(path: Path, target: str) -> None:
    form = registry.format(target)
    for call in calls(path):
        assert undeclared(form, call) == []


@pytest.mark.parametrize("path", WITH_CALLS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_its_own_shape_loses_nothing(path: Path) -> None:
    form = registry.format(path.parent.name)
    if form.encode is None:
        return
    for call in calls(path):
        # The record of a provider says which text stood for what, so its verbatim copy may be spelled otherwise.
        changed = [one.text for one in differences(form, call) if one.path[0] != "native"]
        assert changed == []


RARE: tuple[AnyPart, ...] = (
    TextPart(text="a"),
    RefusalPart(text=""),
    ReasoningPart(signature="s"),
    ReasoningPart(encrypted="e", id="r"),
    MediaPart(media="image", mime="image/png", detail="low", filename="a.png"),
    MediaPart(media="image", url="https://example.com/a.png", detail="low"),
    MediaPart(media="document", data="YQ==", mime="text/plain", filename="a.txt"),
    ToolCallPart(name="f", arguments="x"),
    ToolCallPart(name="f", arguments_text="x"),
    ToolCallPart(name="f", arguments="x", arguments_text="x", call_type="custom"),
    ToolCallPart(id="c", name="f", arguments={"a": 1}),
    ToolResultPart(name="f", result=""),
    ToolResultPart(call_id="c", result={"a": 1}, is_error=True),
    OtherPart(name="other", data={"a": 1}),
)
"""Parts that drawn calls seldom hold."""


def rare_calls() -> Iterator[ModelCall]:
    """Every message of one or two rare parts, or none, from whoever may say it; and rare parameters."""
    several = [(), *((part,) for part in RARE), *itertools.product(RARE, repeat=2)]
    for parts in several:
        for role in ("system", "developer", "user", "assistant", "tool", "function", "critic"):
            message = Message(role=role, parts=parts, name="n" if role == "user" else None)
            yield ModelCall(id=SOME_ID, input=(message,))
        answer = Choice(message=Message(role="assistant", parts=parts))
        yield ModelCall(id=SOME_ID, choices=(answer,))
    for choice in ("none", "auto", "required", {"type": "function", "function": {"name": "f"}}):
        yield ModelCall(id=SOME_ID, parameters={"tool_choice": choice})
    unanswered = Message(role="tool", parts=(ToolResultPart(call_id="c"),))
    yield ModelCall(id=SOME_ID, input=(unanswered,))


@pytest.mark.parametrize("target", PROVIDERS)
def test_what_is_rare_is_declared_too(target: str) -> None:
    form = registry.format(target)
    assert [(call, found) for call in rare_calls() if (found := undeclared(form, call))] == []


@pytest.mark.parametrize("part", RARE, ids=lambda part: part.type)
def test_a_speaker_keeps_the_name_in_chat_wherever_anything_is_said(part: AnyPart) -> None:
    said = Message(role="user", parts=(TextPart(text="a"), part), name="n")
    back = back_from(registry.format("openai-chat"), ModelCall(id=SOME_ID, input=(said,)))
    assert "n" in [message.name for message in back.input]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("target", PROVIDERS)
def test_every_declaration_is_needed(target: str) -> None:
    """A declaration that no call needs would hide the next loss."""
    form, needed = registry.format(target), set[str]()

    def look(call: ModelCall) -> None:
        for one in differences(form, call):
            if len(declared := one.declared_by(form.cannot)) == 1:
                needed.update(declared)

    for path in WITH_CALLS:
        for call in calls(path):
            look(call)
    for call in rare_calls():
        look(call)

    @settings(max_examples=800, derandomize=True, database=None, deadline=None)
    @given(call=strategies.model_calls(parameters=strategies.parameters()))
    def search(call: ModelCall) -> None:
        look(call)

    search()
    assert set(form.cannot) - needed == set()
    assert all(reason.strip() for reason in form.cannot.values())


@settings(max_examples=20)
@given(call=strategies.model_calls())
def test_the_ledger_counts_every_value_of_the_call(call: ModelCall) -> None:
    form = registry.format("anthropic-messages")
    back = back_from(form, call)
    ledger = explain_encoding(call, back, form.cannot)
    found = list(compare_calls(call, back))
    assert ledger.kept == sum(one.outcome == "same" for one in found)
    assert ledger.lost == sum(one.outcome in ("gone", "changed") for one in found)
    assert sum(note.count for note in ledger.notes) == sum(one.outcome == "added" for one in found)


def test_nothing_is_written_where_all_is_lost() -> None:
    """The comparison sees a shape that says nothing: every value of the call is gone, none is the same."""
    [call] = calls(next(path for path in WITH_CALLS if path.stem == "tool-rounds"))
    found = [one for one in compare_calls(call, ModelCall(id="other")) if one.outcome == "same"]
    assert found == []
