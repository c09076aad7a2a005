"""Views of conversations and events: harmless whatever is in them, and complete."""

from __future__ import annotations

import datetime as dt
import json
import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hostile import CALL, CONVERSATION, PIXEL, items
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import Page, assert_harmless

from llmtee import views
from llmtee.model import (
    Branch,
    Conversation,
    Item,
    MediaPart,
    Message,
    ModelCall,
    Step,
    TextPart,
    ToolRun,
)
from llmtee.testing import strategies
from llmtee.views._axis import axis

# ── every text, every item ──────────────────────────────────────────────────────────────────────────────────────


@given(st.text(st.characters(exclude_categories=[])) | strategies.texts())
def test_any_text_is_there_and_is_no_markup(text: str) -> None:
    page = assert_harmless(views.page(views.element("span", text, title=text)))
    shown = page.text
    assert shown == views.visible(text)
    [title] = [value for name, value in page.attributes if name == "title"]
    assert title == shown


@given(st.text(st.characters(exclude_categories=[])) | strategies.texts())
def test_nothing_that_is_obeyed_or_unseen_is_left(text: str) -> None:
    shown = views.visible(text)
    shown.encode()  # no lone surrogates
    for one in set(shown) - {"\n", "\t", "\u200c", "\u200d"}:
        kind = unicodedata.category(one)
        assert kind not in ("Cc", "Cs", "Zl", "Zp")
        # What is left of these is drawn: signs that stand before numbers in some scripts.
        assert kind != "Cf" or unicodedata.bidirectional(one) in ("AN", "AL", "L")
    if text.isprintable():
        assert shown == text


def test_what_is_hidden_is_named() -> None:
    assert views.visible("a\x1b[0m\u202eb\U000e0041c\x7f") == "a\\x1b[0mU+202EbU+E0041c\\x7f"
    assert views.visible("one\r\ntwo\ttab 👩‍👩‍👧 می‌خواهم") == "one\ntwo\ttab 👩‍👩‍👧 می‌خواهم"


_WORDS = {"kind", "type", "media", "started_at", "ended_at", "updated_at", "first_token_at"}
"""Fields whose word is said in another way: an element's looks, a title, a time for people."""


def _texts(value: Any, field: str = "") -> Iterator[str]:
    if isinstance(value, str):
        if field not in _WORDS:
            yield value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one, field)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _texts(one, key)


def _is_shown(text: str, page: str) -> bool:
    quoted = json.dumps(text, ensure_ascii=False)
    return any(views.visible(one) in page for one in (text, quoted))


@settings(max_examples=20)  # an item costs more to draw than to show
@given(strategies.conversations() | strategies.events())
def test_any_item_is_shown_whole_and_is_no_markup(item: Item) -> None:
    page = assert_harmless(item._repr_html_())
    missing = [text for text in _texts(item.to_json()) if not _is_shown(text, page.text)]
    assert missing == []
    if isinstance(item, Conversation):
        assert_harmless(item.timeline()._repr_html_())


@pytest.mark.parametrize("place", range(4))
def test_attacks_in_every_field_stay_texts(place: int) -> None:
    item = items("http://127.0.0.1:9")[place]
    page = assert_harmless(item._repr_html_())
    missing = [text for text in _texts(item.to_json()) if not _is_shown(text, page.text)]
    assert [one for one in missing if one != PIXEL] == []


# ── the means ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["script", "a", "iframe", "style", "form", "IMG", "img src=x"])
def test_other_elements_cannot_be_made(name: str) -> None:
    with pytest.raises(ValueError, match="no view has an element"):
        views.element(name, "text")


@pytest.mark.parametrize("name", ["onclick", "href", "style", "srcdoc", "id"])
def test_other_attributes_cannot_be_made(name: str) -> None:
    with pytest.raises(ValueError, match="no view has an attribute"):
        views.element("span", "text", **{name: "x"})


@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/a.png",
        "javascript:alert(1)",
        "data:image/svg+xml;base64,PHN2Zz4=",
        "data:text/html;base64,PHN2Zz4=",
        'data:image/png;base64,AAAA" onerror="x',
        "data:image/png,AAAA",
    ],
)
def test_nothing_but_the_bytes_of_a_picture_is_a_source(address: str) -> None:
    with pytest.raises(ValueError, match="not the data of a raster image"):
        views.element("img", src=address)


def _shown(**fields: Any) -> Page:
    message = Message(role="user", parts=(MediaPart(media="image", **fields),))
    return assert_harmless(Conversation(id="c", messages=(message,))._repr_html_())


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"data": PIXEL, "mime": "image/png"}, True),
        ({"data": PIXEL, "mime": "text/html"}, True),  # the bytes say what they are
        ({"data": "PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+", "mime": "image/svg+xml"}, False),
        ({"data": "PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+", "mime": "image/png"}, False),
        ({"data": PIXEL + '" onload="x'}, False),
        ({"url": "https://example.com/pixel.png"}, False),
    ],
)
def test_pictures_are_shown_from_their_bytes_and_never_fetched(
    fields: dict[str, str], shown: bool
) -> None:
    page = _shown(**fields)
    assert ("img" in page.tags) == shown
    assert shown or next(iter(fields.values())) in page.text


# ── long ones ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_long_text_is_cut_with_a_way_to_see_all_of_it() -> None:
    text = " ".join(f"word-{n}" for n in range(4000))
    page = assert_harmless(Message_html(text))
    assert f"show all {len(text):,} characters" in page.text
    joined = re.sub("…show all [0-9,]+ characters", "", page.text)
    assert text in joined


def test_of_a_huge_text_the_page_says_how_much_it_leaves_out() -> None:
    html = Message_html("x" * 3_000_000)
    assert len(html) < 250_000
    assert "and 2,900,000 characters more, which are not on this page" in Page(html).text


def test_names_and_keys_that_are_floods_are_cut() -> None:
    flood = "x" * 3_000_000
    made = ModelCall(name=flood, session=flood, model=flood, properties={flood: 1}, tags=(flood,))
    html = made._repr_html_()
    assert len(html) < 500_000
    assert "… (3,000,000 characters)" in Page(html).text


def test_of_many_messages_the_page_says_how_many_it_leaves_out() -> None:
    one = Message(role="user", parts=(TextPart(text="hi"),))
    page = assert_harmless(Conversation(id="c", messages=(one,) * 5_000)._repr_html_())
    assert page.text.count("userhi") == 1_000
    assert "and 4,000 more, which are not on this page" in page.text


def Message_html(text: str) -> str:  # noqa: N802 - reads as what it makes
    return Conversation(
        id="c", messages=(Message(role="user", parts=(TextPart(text=text),)),)
    )._repr_html_()


# ── what people see ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_conversation_in_a_terminal_is_one_short_line() -> None:
    one = Conversation.model_validate(CONVERSATION)
    assert repr(one) == str(one)
    assert repr(one) == (
        "<Conversation 's', 5 messages, 1 tool runs, 2 branches, started 2026-01-01T10:00:00Z>"
    )
    assert len(repr(Conversation(id="x" * 9, messages=one.messages * 100))) < 80


def test_a_model_call_folds_its_history_and_shows_question_and_answer() -> None:
    text = Page(ModelCall.model_validate(CALL)._repr_html_()).text
    for told in (
        "1 message before",
        "7 → 2 tokens",
        "0.5 c",
        "took 9 s",
        "the provider's own record",
    ):
        assert told in text


def test_a_tools_answer_is_named_after_its_call() -> None:
    made = Conversation.model_validate(
        {
            "id": "c",
            "messages": [
                {
                    "role": "assistant",
                    "parts": [{"type": "tool_call", "id": "1", "name": "look_up"}],
                },
                {
                    "role": "tool",
                    "parts": [{"type": "tool_result", "call_id": "1", "result": "42"}],
                },
            ],
        }
    )
    assert "answered look_up" in Page(made._repr_html_()).text


# ── timeline ────────────────────────────────────────────────────────────────────────────────────────────────────


def _at(second: float) -> str:
    return f"2026-01-01T10:{int(second // 60):02}:{second % 60:06.3f}Z"


def _answer(start: float, end: float, **more: Any) -> dict[str, Any]:
    made = {"model": "gpt-4o", "started_at": _at(start), "ended_at": _at(end), **more}
    return {"role": "assistant", "parts": [{"type": "text", "text": "ok"}], "generation": made}


def test_a_timeline_has_a_row_for_each_who_acts_and_rows_for_what_runs_side_by_side() -> None:
    one = Conversation.model_validate(
        {
            "id": "c",
            "messages": [
                {"role": "user", "parts": [{"type": "text", "text": "hi"}], "started_at": _at(0)},
                _answer(0, 2),
                _answer(8, 9, error={"message": "overloaded"}),
                {"role": "assistant", "parts": [{"type": "text", "text": "undated"}]},
            ],
            "branches": [
                {"reason": "side_call", "agent": {"name": "scout"}, "messages": [_answer(2, 6)]},
                {"reason": "side_call", "agent": {"name": "scout"}, "messages": [_answer(3, 7)]},
            ],
            "tool_runs": [{"name": "find", "started_at": _at(2), "duration_ms": 5000}],
        }
    )
    line = one.timeline()
    assert [(bar.lane, bar.look, bar.duration, bar.failed) for bar in line.bars] == [
        ("user", "person", 0.0, False),
        ("assistant", "model", 2000.0, False),
        ("scout", "agent", 4000.0, False),
        ("tool find", "tool", 5000.0, False),
        ("scout", "agent", 4000.0, False),
        ("assistant", "model", 1000.0, True),
        ("assistant", "model", None, False),
    ]
    page = assert_harmless(line._repr_html_())
    rows = [value for name, value in page.attributes if name == "height" and value != "16"]
    assert rows == [str(5 * 22 + 30)]  # the person, the assistant, two for the scouts, and the tool
    assert "without a time 1" in page.text
    assert repr(line) == "<Timeline of 'c', 7 steps>"


def test_a_long_pause_takes_little_room() -> None:
    day = [_answer(0, 5), _answer(6, 9), _answer(3500, 3505)]
    page = Page(Conversation.model_validate({"id": "c", "messages": day}).timeline()._repr_html_())
    assert "nothing for 58 min 11 s" in page.text
    widths = [
        float(value or 0)
        for name, value in page.attributes
        if name == "width" and value not in ("1000", "26")
    ]
    assert min(widths) > 100


def test_without_any_time_a_timeline_says_so_and_lists_the_steps() -> None:
    text = Page(
        Conversation.model_validate({"id": "c", "messages": [{"role": "user"}]})
        .timeline()
        ._repr_html_()
    ).text
    assert "no time of any step is known" in text
    assert "user" in text


@given(
    st.lists(
        st.tuples(st.floats(0, 10**9), st.floats(0, 10**6)).map(lambda t: (t[0], t[0] + t[1])),
        min_size=1,
        max_size=12,
    )
)
def test_a_line_of_time_keeps_the_order_and_stays_within_its_ends(
    spans: list[tuple[float, float]],
) -> None:
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    timed = [tuple(start + dt.timedelta(milliseconds=n) for n in one) for one in spans]
    line = axis(timed, 100, 900, 26)
    moments = sorted(moment for one in timed for moment in one)
    places = [line.at(moment) for moment in moments]
    assert all(earlier <= later + 1e-6 for earlier, later in pairwise(places))
    assert places[0] >= 100 - 1e-6
    assert places[-1] <= 900 + 1e-6
    labels = [x for x, _ in line.ticks]
    assert all(later - earlier >= 76 for earlier, later in pairwise(labels))


def test_events_of_all_kinds_name_themselves() -> None:
    for made, word in (
        (ToolRun(name="find"), "tool run"),
        (Step(name="plan"), "step"),
        (ModelCall(), "model call"),
    ):
        assert Page(made._repr_html_()).text.startswith(word)
    assert (
        Branch(reason="edited").reason
        in Page(Conversation(id="c", branches=(Branch(reason="edited"),))._repr_html_()).text
    )
