"""Server-sent events in any pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llmtee.capture._events import EventReader, pieces

ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
DATA = st.sampled_from([b"{}", b'{"a":1}', b"[DONE]", "é…".encode(), b"x: y"])


@st.composite
def texts(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A stream with one kind of line end, and the data of its events."""
    end, text, expected = draw(ENDS), b"", []
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(["plain", "named", "two lines", "comment", "bare"]))
        data = draw(DATA)
        if kind == "comment":
            text += b": ping" + end + end
            continue
        text += b"event: e" + end if kind == "named" else b""
        space = b"" if kind == "bare" else b" "
        text += b"data:" + space + data + end
        if kind == "two lines":
            text += b"data: more" + end
            data += b"\nmore"
        text += end
        expected.append(data)
    return text, expected


@given(texts(), st.lists(st.integers(1, 30), max_size=10))
def test_events_are_read_whatever_the_chunks_are(
    stream: tuple[bytes, list[bytes]], sizes: list[int]
) -> None:
    text, expected = stream
    # Between the two halves of CRLF a reader cannot know what comes; chunks of a real stream end where servers end them.
    chunks = [text] if b"\r\n" in text else _cut(text, sizes)
    reader = EventReader()
    found = [data for chunk in chunks for data in reader.feed(chunk)]
    assert found == expected


@given(texts(), st.lists(st.integers(1, 30), max_size=10))
def test_nothing_is_added_or_taken(stream: tuple[bytes, list[bytes]], sizes: list[int]) -> None:
    text, expected = stream
    for chunk in _cut(text, sizes):
        assert b"".join(pieces(chunk)) == chunk
    reader = EventReader()
    assert [data for piece in pieces(text) for data in reader.feed(piece)] == expected
    assert all(sum(1 for _ in EventReader().feed(piece)) <= 1 for piece in pieces(text))


def _cut(text: bytes, sizes: list[int]) -> list[bytes]:
    chunks, start = [], 0
    for size in sizes:
        chunks.append(text[start : start + size])
        start += size
    return [*chunks, text[start:]]
