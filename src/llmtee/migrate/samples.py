"""A session as it was beside what the target gets of it, short enough to be looked at. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from llmtee import jsontext
from llmtee.delivery import Exporter
from llmtee.functions import render
from llmtee.migrate.fitting import Times, fitted, time_of
from llmtee.migrate.shapes import Shape
from llmtee.model import (
    Conversation,
    Item,
    MediaPart,
    Message,
    ModelCall,
    ReasoningPart,
    Step,
    ToolCallPart,
    ToolResultPart,
    ToolRun,
)

_LINES = 60
"""Of what was read."""
_WIDE = 300
"""Characters of a line, and of a text in the target's body."""
_LONG = 30
"""Entries of a list in the target's body."""


@dataclass(frozen=True)
class Sample:
    """One session, before and after."""

    session: str
    shape: tuple[str, ...]
    """What there is in it, sorted."""
    source: str
    """What was read, as text."""
    bodies: tuple[Any, ...]
    """What the target gets, with long texts and lists cut."""
    skipped: tuple[str, ...]
    """Why it gets nothing of some items."""

    def to_json(self) -> dict[str, Any]:
        """The sample as a JSON object."""
        return {
            "session": self.session,
            "shape": list(self.shape),
            "source": self.source,
            "target": list(self.bodies),
            "skipped": list(self.skipped),
        }


def sample_of(items: Sequence[Item], shape: Shape, exporter: Exporter, times: Times) -> Sample:
    """A session's items beside what the target gets of them."""
    rendered = render(fitted(items, exporter.vendor.grain, times), exporter.settings)
    lines = [line for item in items for line in _told(item)]
    more = [f"… and {len(lines) - _LINES:,} lines more"] if len(lines) > _LINES else []
    return Sample(
        session=items[0].session or items[0].id,
        shape=tuple(sorted(shape)),
        source="\n".join([*(_cut(line) for line in lines[:_LINES]), *more]),
        bodies=tuple(shortened(one.wire.body) for one in rendered[:_LONG] if one.skip is None),
        skipped=tuple(dict.fromkeys(one.skip for one in rendered if one.skip is not None)),
    )


def shortened(value: Any) -> Any:
    """JSON with its long texts and lists cut."""
    match value:
        case str():
            return _cut(value)
        case dict():
            return {key: shortened(inner) for key, inner in value.items()}
        case list():
            more = [f"… and {len(value) - _LONG:,} more"] if len(value) > _LONG else []
            return [*(shortened(inner) for inner in value[:_LONG]), *more]
        case _:
            return value


def _cut(text: str) -> str:
    return text if len(text) <= _WIDE else f"{text[:_WIDE]}… ({len(text):,} characters)"


def _told(item: Item) -> Iterator[str]:
    at = time_of(item)
    when = "no time" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"
    match item:
        case Conversation():
            yield f"conversation, {when}"
            for message in item.messages:
                yield from _said(message)
        case ModelCall():
            yield f"call of {item.model or 'a model'}, {when}"
            for message in [*item.input, *(choice.message for choice in item.choices)]:
                yield from _said(message)
        case ToolRun():
            yield f"run of {item.name or 'a tool'}, {when}: {_json(item.arguments)} → {_json(item.result)}"
        case Step():
            yield f"{item.step_type} step {item.name or ''}, {when}".replace(" ,", ",")
    for name in ("feedback", "metrics"):
        if getattr(item, name):
            yield f"  {name}: {_json(getattr(item, name))}"


def _said(message: Message) -> Iterator[str]:
    for part in message.parts:
        match part:
            case ToolCallPart():
                text = f"calls {part.name}({part.arguments_text or _json(part.arguments)})"
            case ToolResultPart():
                text = f"result: {_json(part.result)}"
            case MediaPart():
                text = f"[{part.media}: {part.url or part.filename or part.mime or 'bytes'}]"
            case ReasoningPart():
                text = f"(thinks) {part.text or ''}"
            case _:
                text = getattr(part, "text", None) or f"[{part.type}]"
        yield f"  {message.role}: " + text.replace("\n", "⏎")


def _json(value: Any) -> str:
    return jsontext.dumps(value).decode("utf-8", "replace")
