"""Who did what and when in a conversation: bars on a line of time, in as many rows as went on side by side."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from llmtee.views._axis import Axis, axis
from llmtee.views._blocks import elapsed, fold, head, moment, plural, span, table
from llmtee.views._html import Html, element
from llmtee.views._messages import agent, tokens
from llmtee.views._style import page

if TYPE_CHECKING:
    from llmtee.model import Conversation, Message

Look: TypeAlias = Literal["person", "model", "agent", "tool"]

_LEFT: Final = 170
_WIDTH: Final = 1000
_ROW: Final = 22
_BAR: Final = 16
_ROWS_AT_MOST: Final = 200
_GAP: Final = 26
"""Width of a pause that is not drawn to scale."""


@dataclass(frozen=True, slots=True)
class Bar:
    """Something that went on."""

    lane: str
    """Who did it: a person, an agent, a tool."""
    look: Look
    label: str
    start: dt.datetime | None
    end: dt.datetime | None
    """The start, where only one time is known."""
    failed: bool = False
    note: str = ""

    @property
    def duration(self) -> float | None:
        """Milliseconds."""
        return elapsed(self.start, self.end)


@dataclass(frozen=True)
class Timeline:
    """What went on in a conversation; made by ``conversation.timeline()``, and shows itself in a notebook."""

    title: str
    bars: tuple[Bar, ...]
    """In order of their start; those without a time in the order of the transcript, at the end."""

    @property
    def svg(self) -> str:
        """The picture alone. Its colours are those of the page, so it needs the card's style."""
        return _drawing(self.bars)

    def _repr_html_(self) -> str:
        timed = [bar for bar in self.bars if bar.start is not None]
        facts = [
            ("", plural(len(self.bars), "step")),
            ("from", moment(timed[0].start) if timed else None),
            (
                "without a time",
                str(len(self.bars) - len(timed)) if len(timed) < len(self.bars) else None,
            ),
        ]
        rows = (
            (bar.lane, bar.label, moment(bar.start) or "", span(bar.duration) or "", bar.note)
            for bar in self.bars[:1000]
        )
        steps = table(("who", "what", "when", "took", ""), rows, numbers=(3,))
        more = (
            [element("p", f"and {len(self.bars) - 1000:,} more")] if len(self.bars) > 1000 else []
        )
        picture = [_drawing(self.bars)] if timed else [element("p", "no time of any step is known")]
        shown = fold("the same as a table", steps, *more, opened=not timed)
        return page(head("timeline", self.title, facts), *picture, shown)

    def __repr__(self) -> str:
        return f"<Timeline of {self.title!r}, {plural(len(self.bars), 'step')}>"


def timeline(one: Conversation) -> Timeline:
    """What went on in a conversation."""
    bars = [*_said(one.messages, None)]
    for branch in one.branches:
        beside = branch.reason == "side_call"
        by = None if branch.agent is None else agent(branch.agent)
        bars += _said(branch.messages, by or ("beside" if beside else None), beside=beside)
    for run in one.tool_runs:
        name = run.name or "tool"
        end = run.ended_at
        if end is None and run.started_at is not None and run.duration_ms is not None:
            end = run.started_at + dt.timedelta(milliseconds=run.duration_ms)
        start, end = _whole(run.started_at, end)
        bars.append(Bar(f"tool {name}", "tool", name, start, end, run.error is not None))
    timed = sorted((bar for bar in bars if bar.start is not None), key=lambda bar: bar.start)  # type: ignore[arg-type,return-value]
    return Timeline(
        one.title or one.session or one.id,
        (*timed, *(bar for bar in bars if bar.start is None)),
    )


def _said(found: Iterable[Message], who: str | None, *, beside: bool = False) -> Iterator[Bar]:
    for one in found:
        own = None if one.agent is None else agent(one.agent)
        made = one.generation
        if one.role == "user" and not beside:
            start, end = _whole(one.started_at, one.ended_at)
            lane = (one.person.id if one.person is not None else None) or "user"
            yield Bar(lane, "person", _short(one.text), start, end)
        elif made is not None or one.role == "assistant":
            times = (one.started_at, one.ended_at)
            if made is not None and made.started_at is not None:
                times = (made.started_at, made.ended_at)
            start, end = _whole(*times)
            model = made and (made.response_model or made.model)
            asked = ", ".join(call.name for call in one.tool_calls)
            notes = [
                None if made is None or made.usage is None else tokens(made.usage),
                f"calls {asked}" if asked else None,
                _short(one.text) or None,
            ]
            yield Bar(
                who or own or "assistant",
                "agent" if beside else "model",
                model or "answer",
                start,
                end,
                made is not None and made.error is not None,
                " · ".join(filter(None, notes)),
            )


def _whole(
    start: dt.datetime | None, end: dt.datetime | None
) -> tuple[dt.datetime | None, dt.datetime | None]:
    """A start and an end, where at least one of them is known."""
    start = start if start is not None else end
    end = end if end is not None else start
    return (end, start) if start is not None and end is not None and end < start else (start, end)


def _short(text: str) -> str:
    line = " ".join(text[:400].split())
    return line if len(line) <= 80 else f"{line[:80]}…"


# ── drawing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _drawing(bars: Sequence[Bar]) -> Html:
    placed, names = _rows([bar for bar in bars if bar.start is not None])
    line = axis([(bar.start, bar.end) for bar, _ in placed], _LEFT, _WIDTH - 12, _GAP)  # type: ignore[misc]
    rows = min(len(names), _ROWS_AT_MOST)
    height = rows * _ROW + 30
    parts: list[Html] = []
    for left, right, pause in line.gaps:
        drawn = element(
            "rect",
            _tip(f"nothing for {span(pause)}"),
            x=left,
            y=4,
            width=right - left,
            height=rows * _ROW,
            class_="lt-gap",
        )
        parts.append(drawn)
    for row in range(rows + 1):
        y = 4 + row * _ROW
        if row == rows or names[row]:
            parts.append(element("line", x1=0, x2=_WIDTH, y1=y, y2=y, class_="lt-grid"))
        if row < rows and names[row]:
            name = names[row] if len(names[row]) <= 26 else f"{names[row][:25]}…"
            parts.append(element("text", _tip(names[row]), name, x=2, y=y + 15))
    parts += [_bar(bar, row, line) for bar, row in placed if row < rows]
    parts += _ticks(line, rows * _ROW + 20)
    if len(names) > rows:
        parts.append(
            element(
                "text", f"and {len(names) - rows} more rows", x=2, y=height - 4, class_="lt-dim"
            )
        )
    said = f"timeline of {plural(len(placed), 'step')}"
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {_WIDTH} {height}",
        width=_WIDTH,
        height=height,
        role="img",
        aria_label=said,
    )


def _rows(bars: Sequence[Bar]) -> tuple[list[tuple[Bar, int]], list[str]]:
    """The row of each bar, and the name beside each row: lanes in order of appearance, rows of one lane together."""
    lanes: dict[str, list[list[Bar]]] = {}
    for bar in bars:
        rows = lanes.setdefault(bar.lane, [])
        for row in rows:
            if row[-1].end <= bar.start:  # type: ignore[operator]
                row.append(bar)
                break
        else:
            rows.append([bar])
    names: list[str] = []
    placed: list[tuple[Bar, int]] = []
    for lane, rows in lanes.items():
        for place, row in enumerate(rows):
            placed += [(bar, len(names)) for bar in row]
            names.append("" if place else lane)
    return placed, names


def _bar(bar: Bar, row: int, line: Axis) -> Html:
    left, right = line.at(bar.start), line.at(bar.end)  # type: ignore[arg-type]
    y = 4 + row * _ROW + (_ROW - _BAR) / 2
    look = "lt-bar-bad" if bar.failed else f"lt-bar-{bar.look}"
    facts = [
        bar.label,
        moment(bar.start),
        span(bar.duration),
        bar.note,
        "failed" if bar.failed else None,
    ]
    tip = _tip("\n".join(filter(None, facts)))
    if bar.look == "person" and right - left < 8:
        return element("circle", tip, cx=(left + right) / 2, cy=y + _BAR / 2, r=5, class_=look)
    width = max(right - left, 3)
    drawn = element("rect", tip, x=left, y=y, width=width, height=_BAR, rx=3, class_=look)
    letters = int((width - 8) / 6.3)
    if letters < 4 and not (bar.failed and letters):
        return drawn
    mark = "✕ " if bar.failed else ""
    label = f"{mark}{bar.label}"
    if len(label) > letters:
        label = f"{label[: letters - 1]}…" if letters >= 4 else label[0]
    return element(
        "g", drawn, element("text", tip, label, x=left + 5, y=y + 12, class_="lt-inside")
    )


def _tip(text: str) -> Html:
    return element("title", text)


def _ticks(line: Axis, y: float) -> Iterator[Html]:
    for x, label in line.ticks:
        yield element("line", x1=x, x2=x, y1=y - 16, y2=y - 12, class_="lt-grid")
        side = "start" if x < _LEFT + 20 else "end" if x > _WIDTH - 50 else "middle"
        yield element("text", label, x=x, y=y, text_anchor=side, class_="lt-dim")
