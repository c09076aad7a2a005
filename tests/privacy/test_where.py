"""Which items an exporter is given."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import llmtee
from llmtee.model import (
    Agent,
    Conversation,
    ErrorInfo,
    Event,
    Generation,
    Message,
    ModelCall,
    Person,
    ToolResultPart,
    ToolRun,
)
from llmtee.privacy import Where, declined, has_error, in_sample
from llmtee.testing import strategies

CALL = ModelCall(session="s", agent=Agent(name="a"), person=Person(id="p"), tags=("x", "y"))
TALK = Conversation(
    id="c", session="s", agents=(Agent(name="a"),), people=(Person(id="p"),), tags=("x",)
)
FAILED = ErrorInfo(message="no")


@pytest.mark.parametrize("item", [CALL, TALK])
def test_every_criterion_by_any_of_its_words(item: Event | Conversation) -> None:
    assert Where()(item)
    for field, word in [("sessions", "s"), ("agents", "a"), ("people", "p"), ("tags", "x")]:
        assert Where.model_validate({field: ("other", word)})(item)
        assert not Where.model_validate({field: ("other",)})(item)
    assert Where(kinds=(item.kind,))(item)
    assert not Where(kinds=("step",), sessions=("s",))(item)
    assert not Where(errors_only=True)(item)


@pytest.mark.parametrize(
    "item",
    [
        ToolRun(error=FAILED),
        Conversation(id="c", tool_runs=(ToolRun(error=FAILED),)),
        Conversation(
            id="c",
            messages=(Message(role="assistant", generation=Generation(error=FAILED)),),
        ),
        Conversation(
            id="c",
            messages=(Message(role="tool", parts=(ToolResultPart(is_error=True),)),),
        ),
    ],
)
def test_what_failed_is_always_in_the_sample(item: Event | Conversation) -> None:
    assert has_error(item)
    assert in_sample(item, 0.0)
    assert Where(errors_only=True)(item)


@given(strategies.texts(), st.floats(0, 1), st.floats(0, 1))
def test_a_session_is_in_a_sample_as_a_whole_and_in_every_larger_one(
    session: str, small: float, large: float
) -> None:
    small, large = sorted((small, large))
    one = ModelCall(session=session or "s", name="one")
    other = Conversation(id="other", session=session or "s")
    assert in_sample(one, small) == in_sample(other, small)
    assert in_sample(one, large) or not in_sample(one, small)
    assert in_sample(one, 1.0)


def test_the_sample_is_as_large_as_said_and_the_same_in_every_process() -> None:
    code = (
        "import llmtee; from llmtee.privacy import in_sample\n"
        "print(*(i for i in range(2000) if in_sample(llmtee.Step(session=f's-{i}'), 0.25)))"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = [i for i in range(2000) if in_sample(llmtee.Step(session=f"s-{i}"), 0.25)]
    assert there.stdout.split() == [str(i) for i in here]
    assert 430 < len(here) < 570  # 500 expected, three and a half sigmas


def test_a_predicate_that_raises_lets_nothing_through_and_tells_nothing() -> None:
    def broken(item: object) -> bool:
        raise KeyError("4111 1111 1111 1111")

    assert declined(CALL, broken, 1.0) == "filtered out: where raised KeyError"
    assert declined(CALL, lambda item: True, 1.0) is None
    assert declined(CALL, None, 0.0) == "filtered out: not in the sample of 0"


def test_the_short_form() -> None:
    where = Where.model_validate("agent=support tag=eu,tag=uk errors")
    assert where == Where(agents=("support",), tags=("eu", "uk"), errors_only=True)
    with pytest.raises(ValidationError, match="is no filter; known: agent=…"):
        Where.model_validate("agnet=support")


def test_rendering_by_hand_goes_the_same_way() -> None:
    call = llmtee.ModelCall(
        session="s",
        input=[llmtee.Message(role="user", parts=[{"type": "text", "text": "I am a@b.co"}])],
    )
    [kept] = llmtee.render([call], llmtee.HoneyHive(redact="email"))
    assert "a@b.co" not in repr(kept.body)
    [gone] = llmtee.render([call], llmtee.HoneyHive(where=lambda item: False))
    assert (gone.body, gone.skip) == (None, "filtered out: where")
