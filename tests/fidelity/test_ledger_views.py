"""A ledger as people see it: plain text, a terminal, a notebook."""

from __future__ import annotations

from html.parser import HTMLParser
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from llmtee import functions
from llmtee.fidelity import Change, Entry, Ledger
from llmtee.model import Conversation
from llmtee.testing import strategies

NASTY = '<script>alert(1)</script>" onmouseover="alert(2)\' \x1b[31m & <b>'
VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "wbr"})

LEDGER = Ledger.of(
    [
        Entry("model", "kept", 1, None, '"gpt-4o"'),
        Entry("tags[]", "parked", 2, "it stands in metadata.tags", '"a"'),
        Entry("messages[].role", "changed", 1, "it comes back changed", '"developer"'),
        Entry("messages[].parts[].text", "trimmed", 1, "too large", '"Once upon…"'),
        Entry("native", "lost", 1, "the vendor has no field for it", '{"dialect"…'),
    ],
    [Change("carry", "trimmed", "carry cut: it is too large")],
)


class Page(HTMLParser):
    """Elements, attributes and text of a page that closes all that it opens."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.said: list[str] = []
        self.folded: list[tuple[str, bool]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)
        if tag == "details":
            self.folded.append(("", "open" in dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "summary":
            name = data.partition(" · ")[0]
            self.folded[-1] = (name, self.folded[-1][1])
        if self.open[-1:] != ["style"]:
            self.said.append(data)


def test_a_notebook_folds_by_status_and_opens_what_is_not_as_it_was() -> None:
    page = Page(LEDGER._repr_html_())
    assert page.folded == [
        ("lost", True),
        ("changed", True),
        ("trimmed", True),
        ("parked", False),
        ("kept", False),
        ("done on purpose", False),
    ]
    assert page.said[0] == "6 values: 1 kept, 2 parked, 3 lost (of these 1 changed, 1 trimmed)"
    for text in ('"gpt-4o"', "it stands in metadata.tags", "messages[].parts[].text"):
        assert text in "".join(page.said)


def test_the_styles_follow_the_notebook_and_else_the_system_and_fetch_nothing() -> None:
    style = LEDGER._repr_html_().partition("</style>")[0]
    assert "var(--jp-layout-color0," in style
    assert "prefers-color-scheme:dark" in style
    assert not any(word in style for word in ("@import", "url(", "expression", "http"))


def assert_harmless(html: str) -> None:
    page = Page(html)
    allowed = ("div", "style", "p", "details", "summary", "span", "table", "thead", "tbody")
    assert set(page.tags) <= {*allowed, "tr", "th", "td", "code", "wbr"}
    assert {name for name, _ in page.attributes} <= {"class", "open", "dir"}


@given(text=st.text(max_size=30) | st.just(NASTY), other=strategies.texts())
def test_nothing_in_a_ledger_becomes_markup(text: str, other: str) -> None:
    entries = [Entry(text, "lost", 1, other, text), Entry(other, "kept", 3, None, NASTY)]
    ledger = Ledger.of(entries, [Change(text, other or "changed", NASTY)])
    assert_harmless(ledger._repr_html_())
    for view in (str(ledger), shown(ledger)):
        assert not any(char in view for char in "\x1b\x07\x00\x08\r\u202e")


@pytest.mark.parametrize("vendor", ["honeyhive", "inkeep", "roark", "voker"])
@pytest.mark.parametrize("carry", [False, True])
def test_nothing_in_an_item_becomes_markup(vendor: str, carry: bool) -> None:
    message: dict[str, Any] = {
        "role": NASTY,
        "name": NASTY,
        "parts": [{"type": "text", "text": NASTY, "extra": {NASTY: NASTY}}],
        "properties": {NASTY: {NASTY: [NASTY]}},
        "tags": [NASTY],
        "started_at": "2026-01-01T10:00:00Z",
    }
    item = Conversation.model_validate(
        {
            "id": NASTY,
            "session": NASTY,
            "messages": [message, {**message, "role": "assistant"}, {**message, "role": "user"}],
            "agents": [{"name": NASTY, "version": NASTY}],
            "people": [{"id": NASTY, "properties": {NASTY: NASTY}}],
            "tool_runs": [{"name": NASTY, "error": {"message": NASTY}, "arguments": {NASTY: 1}}],
            "metrics": {NASTY: NASTY},
            "title": NASTY,
            "visibility": NASTY,
        }
    )
    ledger = functions.explain(item, vendor, carry=carry)
    assert "script" in ledger._repr_html_()
    assert_harmless(ledger._repr_html_())


def shown(ledger: Ledger) -> str:
    console = Console(file=StringIO(), width=200, color_system=None)
    console.print(ledger)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_terminal_shows_a_table() -> None:
    lines = [line.split() for line in shown(LEDGER).splitlines()]
    statuses = ["lost", "changed", "trimmed", "parked", "kept", "trimmed"]
    assert [line[0] for line in lines if line][-6:] == statuses
    assert "tags[]" in shown(LEDGER)  # and no markup of rich's


def test_text_has_one_line_for_each_field() -> None:
    assert str(LEDGER).splitlines() == [
        "6 values: 1 kept, 2 parked, 3 lost (of these 1 changed, 1 trimmed)",
        'lost     native                   {"dialect"…   the vendor has no field for it',
        'changed  messages[].role          "developer"   it comes back changed',
        'trimmed  messages[].parts[].text  "Once upon…"  too large',
        'parked   tags[] ×2                "a"           it stands in metadata.tags',
        'kept     model                    "gpt-4o"',
        "trimmed  carry                                  carry cut: it is too large",
    ]
    assert str(Ledger()) == "0 values: 0 kept, 0 parked, 0 lost"
