"""What views are built from: texts, JSON, facts, tables, and parts to fold out."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias, TypeVar

from llmtee import jsontext
from llmtee.views._html import Content, Html, element

T = TypeVar("T")

AT_ONCE: Final = 1_500
"""Characters of a text that stand there before it is folded out."""
AT_MOST: Final = 100_000
"""Characters of a text that are on the page at all."""
LISTED: Final = 60
"""Items of a list that stand there before it is folded out."""
LISTED_AT_MOST: Final = 1_000
"""Items of a list that are on the page at all."""

Facts: TypeAlias = Iterable[tuple[str, str | None]]


def prose(text: str) -> Html:
    """A text as it was written; a long one to fold out."""
    return _cut("div", text, class_="lt-text", dir="auto")


def json_block(value: Any) -> Html:
    """A JSON value, indented; a text as such."""
    return _cut("pre", _pretty(value), class_="lt-json", dir="ltr")


def _pretty(value: Any) -> str:
    try:
        return jsontext.dumps_pretty(value)
    except (
        ValueError
    ):  # nested deeper than the interpreter goes, or not a number: it is shown as Python writes it
        return repr(value)
    except RecursionError:
        return "… nested too deep to be shown"


def _cut(name: str, text: str, **attributes: str) -> Html:
    if len(text) <= AT_ONCE + AT_ONCE // 3:  # to fold out a few words is no help
        return element(name, text, **attributes)
    end = text.rfind("\n", AT_ONCE // 2, AT_ONCE)  # between two lines, where there are some
    end = AT_ONCE if end < 0 else end
    rest = [element(name, text[end:AT_MOST], **attributes)]
    if len(text) > AT_MOST:
        rest.append(
            dim(f"… and {len(text) - AT_MOST:,} characters more, which are not on this page")
        )
    return Html(
        element(name, text[:end], "…", **attributes)
        + fold(f"show all {len(text):,} characters", *rest)
    )


def listed(items: Sequence[T], show: Callable[[T], Html], what: str) -> Html:
    """Items one below another; of many the rest to fold out, and of very many the count."""
    if len(items) <= LISTED + LISTED // 3:
        return Html("".join(map(show, items)))
    rest = [show(item) for item in items[LISTED:LISTED_AT_MOST]]
    if len(items) > LISTED_AT_MOST:
        rest.append(dim(f"… and {len(items) - LISTED_AT_MOST:,} more, which are not on this page"))
    return Html("".join(map(show, items[:LISTED])) + fold(f"show all {len(items):,} {what}", *rest))


def fold(
    title: Content, *content: Content, note: str = "", opened: bool = False, look: str | None = None
) -> Html:
    """A part to fold out."""
    said = [title] if isinstance(title, str) else list(title)
    if note:
        said += [" ", dim(note)]
    return element("details", element("summary", *said, class_=look), *content, open=opened)


def fold_json(title: str, value: Any, note: str = "") -> Html:
    """A JSON value to fold out; nothing for an empty one."""
    return Html("") if value in (None, {}, [], ()) else fold(title, json_block(value), note=note)


def dim(text: str) -> Html:
    """Something said in a low voice."""
    return element("span", brief(text), class_="lt-dim")


def brief(text: str) -> str:
    """A name or a fact as it is; one that is no such thing, but a flood, with its length in place of its end."""
    return text if len(text) <= AT_ONCE else f"{text[:AT_ONCE]}… ({len(text):,} characters)"


def head(kind: str, title: str | None, facts: Facts = ()) -> Html:
    """The first lines of a card: what it is, its name, and what is known of it."""
    top = element("span", kind, class_="lt-kind"), element("b", brief(title or ""), dir="auto")
    return Html(element("div", *top, class_="lt-head") + fact_line(facts))


def fact_line(facts: Facts) -> Html:
    """Facts with their names, in a row; those that are not known are left out."""
    known = [
        element("span", dim(f"{name} ") if name else "", brief(value), dir="auto")
        for name, value in facts
        if value
    ]
    return element("div", *known, class_="lt-facts") if known else Html("")


def table(
    titles: Sequence[str], rows: Iterable[Sequence[Content]], numbers: Sequence[int] = ()
) -> Html:
    """A table.

    Args:
        titles: of the columns.
        rows: the cells.
        numbers: which columns are aligned to the right.
    """

    def cells(name: str, row: Sequence[Content]) -> Iterable[Html]:
        for place, cell in enumerate(row):
            look = "lt-number" if place in numbers else None
            yield element(name, cell, class_=look, dir=None if look else "auto")

    top = element("thead", element("tr", cells("th", titles)))
    body = element("tbody", (element("tr", cells("td", row)) for row in rows))
    return element("table", top, body)


def path(text: str) -> Html:
    """A path of fields, broken after its dots where it is too long for a line."""
    steps = text.split(".")
    inner = [step for one in steps[:-1] for step in (f"{one}.", element("wbr"))]
    return element("code", *inner, steps[-1])


# ── values in words ─────────────────────────────────────────────────────────────────────────────────────────────


def number(value: float | None) -> str | None:
    """``12,345``."""
    if value is None:
        return None
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}".removesuffix(".00")


def money(amount: Decimal | float | None, currency: str) -> str | None:
    """``12.40 USD``; four digits that count below one: ``0.002134 USD``."""
    if amount is None:
        return None
    value = float(amount)
    small = 0 < abs(value) < 1
    said = (
        f"{value:,.{3 - math.floor(math.log10(abs(value)))}f}".rstrip("0")
        if small
        else f"{value:,.2f}"
    )
    return f"{said} {currency}"


def moment(value: dt.datetime | None) -> str | None:
    """``2026-01-01 10:00:05 UTC``."""
    return None if value is None else value.strftime("%Y-%m-%d %H:%M:%S UTC")


def span(milliseconds: float | None) -> str | None:
    """``340 ms``, ``1.2 s``, ``3 min 20 s``, ``2 h 5 min``, ``3 d 4 h``."""
    if milliseconds is None:
        return None
    if not math.isfinite(milliseconds):
        return f"{milliseconds} ms"
    if abs(milliseconds) < 1000:
        return f"{milliseconds:.0f} ms"
    if abs(milliseconds) < 60_000:
        return f"{milliseconds / 1000:.3g} s"
    seconds = round(milliseconds / 1000)
    size, large, part, small = (
        (60, "min", 1, "s")
        if abs(seconds) < 3600
        else (3600, "h", 60, "min")
        if abs(seconds) < 86_400
        else (86_400, "d", 3600, "h")
    )
    whole, rest = divmod(abs(seconds), size)
    sign = "-" if seconds < 0 else ""
    return f"{sign}{whole:,} {large}" + (f" {rest // part} {small}" if rest // part else "")


def elapsed(
    start: dt.datetime | None, end: dt.datetime | None, own: float | None = None
) -> float | None:
    """Milliseconds: as a clock of its own measured them, else between two times."""
    if own is not None or start is None or end is None:
        return own
    return (end - start) / dt.timedelta(milliseconds=1)


def plural(count: int, word: str) -> str:
    """``1 message``, ``2 messages``; for words that add an s."""
    return f"{count:,} {word}" + ("" if count == 1 else "s")


def pairs(values: Mapping[str, str]) -> str | None:
    """``roark: 3c90, voker: 7``."""
    return ", ".join(f"{key}: {value}" for key, value in values.items()) or None
