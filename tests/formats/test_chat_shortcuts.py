"""Plain messages take a shorter way, in and out: to the same end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtee.formats.openai_chat import messages
from llmtee.model import Message
from llmtee.testing import strategies

_nothing = st.sampled_from((None, [], "", {}))
_raw = st.fixed_dictionaries(
    {"role": st.sampled_from(("user", "assistant", "system", "tool", "function", "critic"))},
    optional={
        "content": st.none() | strategies.texts(8) | st.just([]),
        "refusal": st.none() | strategies.texts(3),
        "tool_calls": st.none() | st.just([]),
        "annotations": st.none() | st.just([]),
        "name": st.none() | strategies.texts(3),
        "x_unknown": _nothing,
    },
)


@given(_raw)
def test_a_plain_message_reads_as_any_other(raw: dict[str, Any]) -> None:
    found = messages.decode_message(raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(messages, "_is_plain", lambda raw: False)
        assert messages.decode_message(raw) == found


@given(strategies.messages())
def test_a_plain_message_is_written_as_any_other(message: Message) -> None:
    # One with an empty part beside its text takes the long way, and says no more.
    written = messages.encode_message(message)
    parts = [part for part in message.parts if part.type != "tool_result"]
    if parts or not message.parts:
        assert written[-1] == messages._encode_plain(message, parts, join=True)
