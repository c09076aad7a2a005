"""One item in all vendors' shapes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from pages import Page, assert_harmless

import llmtee
from llmtee import HoneyHive, UsageError
from llmtee.model import Item
from llmtee.testing import strategies

ITEMS = list(llmtee.read("fixtures/conversations/order-agent.jsonl"))


def test_a_preview_is_what_render_and_explain_say() -> None:
    [conversation] = llmtee.assemble(ITEMS)
    for item in (ITEMS[0], conversation):
        found = llmtee.preview(item)
        assert [*found.rendered] == ["voker", "honeyhive", "inkeep", "roark"]
        for vendor, ledger in found.ledgers.items():
            assert ledger == llmtee.explain(item, vendor)
            bodies = [one.body for one in llmtee.render([item], vendor)]
            assert [one.body for one in found.rendered[vendor]] == bodies


def test_every_value_is_marked_and_the_words_stand_beside_the_colours() -> None:
    page = Page(llmtee.preview(ITEMS[0])._repr_html_())
    for word in (
        "Voker",
        "HoneyHive",
        "Inkeep",
        "Roark",
        "POST /events/batch",
        "● kept",
        "◐ parked",
        "○ lost",
    ):
        assert word in page.text
    assert '● "model": "gpt-4o"' in " ".join(page.text.split())
    assert "what Roark does not keep" in page.text
    assert "messages[].generation.model" in page.text


def test_free_form_fields_are_marked_as_parked() -> None:
    call = llmtee.ModelCall(id="c", session="s", tags=("vip",), model="gpt-4o")
    lines = Page(llmtee.preview(call, ["honeyhive"])._repr_html_()).said
    [parked] = [line for line in lines if '"vip"' in line]
    [kept] = [line for line in lines if '"model": "gpt-4o"' in line]
    assert (parked[0], kept[0]) == ("◐", "●")


def test_settings_and_a_carry_change_what_is_shown() -> None:
    found = llmtee.preview(ITEMS[0], [HoneyHive(project="books")], carry=True)
    assert '"project": "books"' in Page(found._repr_html_()).text
    assert found.ledgers["honeyhive"].lost == 0


def test_what_is_not_sent_says_why() -> None:
    run = llmtee.ToolRun(id="r", name="find")
    assert "not sent: " in Page(llmtee.preview(run, ["voker"])._repr_html_()).text


def test_other_things_are_refused() -> None:
    with pytest.raises(UsageError, match="a preview is of one event or conversation, not of \\["):
        llmtee.preview(ITEMS)  # type: ignore[arg-type]


@settings(max_examples=8)  # four vendors render and explain each
@given(strategies.conversations() | strategies.events())
def test_any_preview_is_no_markup(item: Item) -> None:
    assert_harmless(llmtee.preview(item)._repr_html_())
