from __future__ import annotations

import gc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtee import jsontext
from llmtee.formats.openai_chat.messages import decode_message, decode_messages, encode_messages
from llmtee.model import Message, TextPart
from llmtee.model.memo import Derived, Growing, Memo
from llmtee.testing import strategies


class Reader:
    """Reads texts, and counts."""

    def __init__(self) -> None:
        self.reads = 0

    def __call__(self, raw: Any, path: str) -> tuple[Any, ...]:
        self.reads += 1
        if raw is None:
            raise ValueError(path)
        return (raw,)


@given(values=st.lists(strategies.json_values().filter(lambda value: value is not None)))
def test_a_memo_says_what_reading_says_whatever_its_bound(values: list[Any]) -> None:
    for bound in (0, 50_000, 10_000_000):
        memo = Memo(Reader(), bound)
        for value in [*values, *values]:
            (found,) = memo(value, "")
            assert jsontext.dumps(found) == jsontext.dumps(value)  # 1 is not 1.0, nor True


def test_what_was_read_is_not_read_again() -> None:
    memo = Memo(reader := Reader())
    history = [{"role": "user", "content": str(number)} for number in range(100)]
    for turn in range(1, 101):
        for message in history[:turn]:
            memo(message, "")
    assert reader.reads == 100


def test_a_memo_forgets_what_nobody_asks_for() -> None:
    memo = Memo(reader := Reader(), 100_000)
    for number in range(1000):
        memo("often", "")
        memo(f"{number}", "")
    assert reader.reads == 1001
    memo("0", "")
    assert reader.reads == 1002
    assert len(memo._held) <= 100_000 // 2500


def test_a_text_that_would_push_out_many_is_not_kept() -> None:
    memo = Memo(reader := Reader(), 100_000)
    for _ in range(2):
        memo("small", "")
        memo("x" * 10_000, "")
    assert reader.reads == 3


def test_an_error_names_the_place_of_each_that_is_wrong() -> None:
    memo = Memo(Reader())
    for path in ("messages[0]", "messages[1]"):
        with pytest.raises(ValueError, match=path.replace("[", r"\[")):
            memo(None, path)


@given(
    lists=st.lists(st.lists(st.sampled_from([1, 1.0, True, 12, "a", "a,", [], [1]]), max_size=12)),
    data=st.data(),
)
def test_a_list_says_what_reading_says_however_it_grows(lists: list[list[Any]], data: Any) -> None:
    memos = [Growing(Reader(), bound) for bound in (0, 100_000, 10_000_000)]
    for start in lists:
        end = data.draw(st.sampled_from(lists))
        cut = data.draw(st.integers(0, len(start)))
        for raw in (start, [*start, *end], start[:cut], start, [*start[:cut], *end]):
            for memo in memos:
                assert jsontext.dumps([one for (one,) in memo(raw, "")]) == jsontext.dumps(raw)


def test_of_a_list_that_grows_the_new_entries_are_read() -> None:
    memo = Growing(reader := Reader())
    history = [str(number) for number in range(100)]
    for turn in range(1, 101):
        memo(history[:turn], "")
        memo(history[:turn], "")
    assert reader.reads == 1 + 100  # one alone is found again by itself
    memo(history[:50], "")  # a record that came late
    memo(history, "")
    assert reader.reads == 101
    # What is cut at its beginning is known after the first time.
    for cut in range(1, 50):
        memo(["system", *history[cut:]], "")
    assert reader.reads <= 101 + 101


def test_a_list_that_nobody_asks_for_is_forgotten() -> None:
    memo = Growing(reader := Reader(), 400_000)
    for number in range(1000):
        memo(["often", "asked"], "")
        memo([str(number), "a", "b"], "")
    assert reader.reads == 2 + 3000
    assert len(memo._held) <= 300_000 // 7500


def test_an_error_in_a_list_names_its_entry_and_is_not_kept() -> None:
    memo = Growing(reader := Reader())
    assert memo(["a", "b"], "messages") == (("a",), ("b",))
    for _ in range(2):
        with pytest.raises(ValueError, match=r"messages\[2\]"):
            memo(["a", "b", None], "messages")
    assert memo(["a", "b", "c"], "messages") == (("a",), ("b",), ("c",))
    assert reader.reads == 5


def test_messages_that_say_the_same_are_one() -> None:
    raw = {"role": "user", "content": [{"type": "text", "text": "a"}], "other": [1, 1.0, True]}
    [one], [other] = decode_messages([raw]), decode_messages([{**raw}])
    assert one is other
    assert one == decode_message(raw)
    [first], [second] = encode_messages([one]), encode_messages([other])
    assert first is second
    assert first == raw


def test_what_is_derived_lives_as_long_as_what_it_is_made_of() -> None:
    made: list[str] = []

    def text(message: Message) -> str:
        made.append(message.text)
        return message.text

    derived = Derived(text)
    one, equal = (Message(role="user", parts=(TextPart(text="a"),)) for _ in range(2))
    assert [derived(one), derived(one), derived(equal)] == ["a", "a", "a"]
    assert made == ["a", "a"]  # by identity
    del one
    gc.collect()
    assert len(derived._made) == 1
