"""A history of sessions as a vendor's customer has one: thousands, each a little different, the same ones each time.

    emulator = HoneyHiveEmulator()
    load(emulator, history(2000))

With tools, images, several choices, failed calls, feedback, scores, titles, and events that come late. Made of a seed, so
that a test which fails fails again; no hypothesis, since a history has to be large more than it has to be odd.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Iterator
from typing import Any

from llmtee import registry
from llmtee.functions import render
from llmtee.model import (
    Agent,
    Annotation,
    Choice,
    ErrorInfo,
    Event,
    EventBase,
    MediaPart,
    Message,
    ModelCall,
    Person,
    Reason,
    Step,
    Supplement,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolRun,
    Usage,
)
from llmtee.model.ids import derive_id
from llmtee.spec import supplement_out
from llmtee.testing.emulators import Emulator

START = dt.datetime(2025, 3, 1, 9, tzinfo=dt.UTC)
"""When the first session began; one begins every ten minutes."""

_QUESTIONS = (
    "Where is my order?",
    "Cancel my subscription, please.",
    "Was kostet der Versand nach Österreich?",
    "这个可以退货吗？",
    "My invoice shows the wrong address. Can you change it?\nIt should be the new one.",
    "It says “payment failed”, but the money is gone 😕",
)
_ANSWERS = (
    "It left our warehouse this morning and arrives tomorrow.",
    "I have cancelled it. You can use it until the end of the month.",
    "Der Versand kostet 4,90 €.",
    "可以，30 天内都可以退货。",
    "I have changed the address; a new invoice is on its way to you.",
)
_TOOLS = ("find_order", "change_address", "refund")


class _Session:
    """One session in the making."""

    def __init__(self, seed: int, number: int) -> None:
        self.random = random.Random(seed * 1_000_003 + number)  # noqa: S311 - has to repeat, not to be secret
        self.seed, self.number = seed, number
        self.name = f"session-{seed}-{number}"
        self.at = START + dt.timedelta(minutes=10 * number)
        self.events: list[Event] = []
        self.late: list[Event | Supplement] = []
        self.history: list[Message] = []
        self.agent = Agent(
            name=self.random.choice(("support", "sales")), version=f"v{1 + number % 3}"
        )
        self.person = Person(id=f"user-{number % 97}")

    def may(self, share: float) -> bool:
        return self.random.random() < share

    def shared(self, seconds: float) -> dict[str, Any]:
        began = self.at
        self.at += dt.timedelta(seconds=seconds)
        return {
            "id": derive_id("history", self.name, str(len(self.events) + len(self.late))),
            "session": self.name,
            "agent": self.agent,
            "person": self.person,
            "started_at": began,
            "ended_at": self.at,
        }

    def ask(self) -> None:
        self.at += dt.timedelta(seconds=self.random.randint(5, 90))
        parts: list[Any] = [TextPart(text=self.random.choice(_QUESTIONS))]
        if self.may(0.15):
            url = f"https://example.com/photos/{self.number}.png"
            parts.append(MediaPart(media="image", mime="image/png", url=url))
        self.history.append(Message(role="user", parts=tuple(parts)))

    def call(self, *answers: Message, **more: Any) -> ModelCall:
        tokens = self.random.randint(20, 900)
        usage = Usage(input_tokens=tokens, output_tokens=30 * len(answers))
        made = ModelCall(
            **self.shared(self.random.randint(300, 4000) / 1000),
            provider="openai",
            model="gpt-4o-mini",
            input=tuple(self.history),
            choices=tuple(Choice(message=one, finish_reason="stop") for one in answers),
            usage=usage if answers else None,
            **more,
        )
        self.events.append(made)
        return made

    def turn(self) -> None:
        self.ask()
        if self.may(0.05):
            self.call(error=ErrorInfo(message="overloaded", status=529))
        if self.may(0.3):
            self.tool()
        answers = [_said(self.random.choice(_ANSWERS)) for _ in range(2 if self.may(0.05) else 1)]
        more: dict[str, Any] = {}
        if self.may(0.2):
            more["metrics"] = {"score": round(self.random.random(), 3), "grounded": self.may(0.5)}
        if self.may(0.2):
            more |= {"properties": {"plan": self.random.choice(("free", "pro"))}, "tags": ("eu",)}
        if self.may(0.1):
            more["feedback"] = {"rating": self.random.choice((1, 5)), "comment": "fine"}
        call = self.call(*answers, **more)
        self.history.append(answers[0])
        if self.may(0.15):
            self.rate(call)

    def tool(self) -> None:
        name = self.random.choice(_TOOLS)
        call_id = f"call_{self.number}_{len(self.events)}"
        arguments = {"order": f"A-{self.random.randint(1000, 9999)}"}
        asked = ToolCallPart(id=call_id, name=name, arguments=arguments)
        message = Message(role="assistant", parts=(asked,))
        call = self.call(message)
        result = {"status": self.random.choice(("shipped", "open")), "total": 19.9}
        run = ToolRun(
            **self.shared(0.2),
            name=name,
            call_id=call_id,
            parent=call.id,
            arguments=arguments,
            result=result,
        )
        (self.late if self.may(0.2) else self.events).append(run)
        self.history += [
            message,
            Message(
                role="tool", parts=(ToolResultPart(call_id=call_id, name=name, result=result),)
            ),
        ]

    def rate(self, call: ModelCall) -> None:
        liked = self.may(0.5)
        self.late.append(
            Annotation(
                id=derive_id("history", self.name, "rating", call.id),
                target=call.id,
                session=self.name,
                at=self.at + dt.timedelta(hours=1),
                rating="positive" if liked else "negative",
                comment=None if liked else "That is not what I asked.",
                reasons=() if liked else (Reason(label="off topic"),),
            )
        )

    def made(self) -> tuple[list[Event], list[Event | Supplement]]:
        if self.may(0.5):
            self.history.append(
                Message(role="system", parts=(TextPart(text="You help customers. Be kind."),))
            )
        for _ in range(self.random.choice((1, 1, 2, 3, 5))):
            self.turn()
        if self.may(0.3):
            step = Step(
                **self.shared(0),
                step_type="session",
                name="An order",
                properties={"channel": "web"},
            )
            self.events.append(step)
        return self.events, self.late


def _said(text: str) -> Message:
    return Message(role="assistant", parts=(TextPart(text=text),))


def history(sessions: int, seed: int = 0) -> Iterator[Event | Supplement]:
    """What happened in so many sessions; what came late stands ten sessions further on.

    Args:
        sessions: how many.
        seed: another one gives other sessions.
    """
    waiting: list[tuple[int, list[Event | Supplement]]] = []
    for number in range(sessions):
        events, late = _Session(seed, number).made()
        yield from events
        waiting.append((number + 10, late))
        while waiting and waiting[0][0] <= number:
            yield from waiting.pop(0)[1]
    for _, late in waiting:
        yield from late


def load(emulator: Emulator, items: Iterable[Event | Supplement]) -> None:
    """Puts a history into an emulated vendor, in the vendor's own shapes, without HTTP and without a trace in ``requests``.

    What the vendor has no place for is left out.

    Raises:
        ValueError: the emulator refuses something.
    """
    settings = emulator.exporter() if emulator.port else _settings(emulator)
    vendor = registry.vendor(emulator.vendor)
    events: list[Event] = []
    supplements: list[Annotation] = []
    for item in items:
        if isinstance(item, Annotation):
            supplements.append(item)
        elif isinstance(item, EventBase):
            events.append(item)
    rendered = [one for one in render(events, settings) if one.skip is None]
    made_by = {
        message.generation.event: message.id
        for one in rendered
        for message in getattr(one.item, "messages", ())
        if message.generation is not None
    }
    wires = [one.wire for one in rendered]
    for supplement in supplements:
        about = supplement.model_copy(update={"message": made_by.get(supplement.target)})
        wire = supplement_out(vendor, about, settings).wire
        if wire.body is not None:
            wires.append(wire)
    for request in vendor.pack(wires, settings, {}):
        answer = emulator.ask(request.method, request.path, request.body)
        if answer.status >= 300:
            raise ValueError(f"{emulator.vendor} answers {answer.status}: {answer.body!r:.500}")


def _settings(emulator: Emulator) -> Any:
    return registry.vendor(emulator.vendor).settings(api_key=emulator.key)
