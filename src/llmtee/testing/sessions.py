"""Hypothesis strategy for the events of one session, as an application that talks to models makes them.

Histories grow, are cut to windows or left out; turns are edited, answers regenerated, chosen among several, or fetched
back; tools run; sub-agents work beside them, in parallel; texts repeat; times are missing. Needs ``llmtee[testing]``.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from llmtee.model import (
    Agent,
    Choice,
    ErrorInfo,
    Event,
    Message,
    ModelCall,
    Person,
    ReasoningPart,
    Step,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolRun,
)

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

_SAID = ("yes", "no", "go on", "yes ", "What is the capital of France?")
_ANSWERS = ("ok", "Paris.", "yes", "I do not know.")
_WAYS = (
    *("ask", "ask", "ask", "tool", "tool", "edit", "regenerate", "window", "only new"),
    *("title", "sub-agents", "choose", "fail", "repeat"),
)


@dataclass
class _App:
    """An application under way: what it has told and heard so far."""

    draw: st.DrawFn
    timed: str
    name: str | None
    events: list[Event] = field(default_factory=list)
    history: list[Message] = field(default_factory=list)
    prompt: tuple[Message, ...] = ()
    minute: int = 0

    def pick(self, *values: Any) -> Any:
        return self.draw(st.sampled_from(values))

    def shared(self, name: str | None) -> dict[str, Any]:
        self.minute += 1
        fields: dict[str, Any] = {"id": f"event-{len(self.events)}", "session": "s"}
        if self.timed == "all" or (self.timed == "some" and self.pick(True, False)):
            fields["started_at"] = START + dt.timedelta(minutes=self.minute)
            fields["ended_at"] = fields["started_at"] + dt.timedelta(seconds=30)
        if name is not None:
            fields["agent"] = Agent(name=name)
        return fields

    def call(
        self, told: list[Message], *answers: Message, name: str | None = None, **more: Any
    ) -> ModelCall:
        made = ModelCall(
            **self.shared(name),
            model="gpt-4o",
            input=tuple(told),
            choices=tuple(Choice(message=answer, finish_reason="stop") for answer in answers),
            **more,
        )
        self.events.append(made)
        return made

    def hear(self) -> None:
        self.history.append(_say("user", self.pick(*_SAID)))

    def answer(self) -> Message:
        if self.pick(True, False):
            return _say("assistant", self.pick(*_ANSWERS))
        parts = (ReasoningPart(text="hm"), TextPart(text=self.pick(*_ANSWERS)))
        return Message(role="assistant", parts=parts)

    def turn(self, told: list[Message] | None = None, count: int = 1, **more: Any) -> None:
        """Asks the model, with the history or what is told instead of it."""
        answers = [self.answer() for _ in range(count)]
        told = self.history if told is None else told
        person = Person(id="person-1") if self.pick(True, False) else None
        self.call([*self.prompt, *told], *answers, name=self.name, person=person, **more)
        self.history.append(_written_back(self.pick(*answers)))

    def go(self, way: str) -> None:
        match way:
            case "edit" | "choose" if self.history:
                del self.history[self.draw(st.integers(0, len(self.history) - 1)) :]
                self.hear()
                self.turn(count=2 if way == "choose" else 1)
            case "regenerate" if self.history:
                while self.history and self.history[-1].role == "assistant":
                    self.history.pop()
                self.turn() if self.history else self.go("ask")
            case "window":
                self.hear()
                self.turn(self.history[-self.draw(st.integers(1, 4)) :])
            case "only new":
                self.hear()
                flags = ("history_incomplete",) if self.pick(True, False) else ()
                self.turn(self.history[-1:], flags=flags)
            case "title":
                told = [_say("system", "Make a title."), *self.history[:1]]
                self.call(told, _say("assistant", "Capitals"))
            case "fail":
                self.hear()
                error = ErrorInfo(message="overloaded", status=529)
                self.call([*self.prompt, *self.history], name=self.name, error=error)
            case "repeat" if self.events:
                other = self.pick(*self.events)
                self.events.append(other.model_copy(update={"id": f"event-{len(self.events)}"}))
            case "tool" | "sub-agents":
                self.tools(1 if way == "tool" else 2, agents=way == "sub-agents")
            case _:
                self.hear()
                self.turn()

    def tools(self, count: int, *, agents: bool) -> None:
        self.hear()
        ids = [f"call-{len(self.events)}-{i}" for i in range(count)]
        asked = Message(
            role="assistant", parts=tuple(ToolCallPart(id=own, name="research") for own in ids)
        )
        self.call([*self.prompt, *self.history], asked, name=self.name)
        self.history.append(asked)
        linked = self.pick("run", "step", "nothing")
        runs = [self.above(linked, own) for own in ids]
        rounds = self.pick(1, 2) if agents else 0
        tasks = [[_say("user", f"Part {i} of the work.")] for i in range(count)]
        for _ in range(rounds):
            for task, run in zip(tasks, runs, strict=True):
                parent = run if linked != "nothing" else None
                answer = _say("assistant", self.pick(*_ANSWERS))
                told = [_say("system", "You research."), *task]
                self.call(told, answer, name=self.pick("researcher", None), parent=parent)
                task += [_written_back(answer), _say("user", self.pick(*_SAID))]
        for own in ids:
            self.history.append(
                Message(role="tool", parts=(ToolResultPart(call_id=own, result="found"),))
            )
        self.turn()

    def above(self, linked: str, call_id: str) -> str:
        """A tool run, and where wanted an agent's step beneath it; returns what the sub-agent's calls stand under."""
        run = ToolRun(**self.shared(None), name="research", call_id=call_id, result="found")
        self.events.append(run)
        if linked != "step":
            return run.id
        step = Step(**self.shared(None), step_type="agent", parent=run.id)
        self.events.append(step)
        return step.id


@st.composite
def sessions(draw: st.DrawFn, max_turns: int = 6) -> list[Event]:
    """The events of session ``s``, in the order in which they happened, each with an id of its own."""
    app = _App(draw, draw(st.sampled_from(("all", "some", "none"))), draw(_names()))
    if draw(st.booleans()):
        app.prompt = (_say("system", "Be kind."),)
    for way in draw(st.lists(st.sampled_from(_WAYS), min_size=1, max_size=max_turns)):
        app.go(way)
    if draw(st.booleans()):
        told = {"step_type": "session", "properties": {"plan": "pro"}, "tags": ("x",)}
        app.events.append(Step(**app.shared(None), name="Capitals", **told))
    return app.events


def _names() -> st.SearchStrategy[str | None]:
    return st.sampled_from(("assistant", None))


def _say(role: str, text: str) -> Message:
    return Message(role=role, parts=(TextPart(text=text),))


def _written_back(message: Message) -> Message:
    """An answer as an application repeats it: without its reasoning."""
    parts = (part for part in message.parts if not isinstance(part, ReasoningPart))
    return message.model_copy(update={"parts": tuple(parts)})
