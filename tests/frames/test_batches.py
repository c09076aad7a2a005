from __future__ import annotations

import json
import multiprocessing
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import llmtee
from llmtee import InputError, UsageError, frames
from llmtee._data_files import data_dir
from llmtee.model import Annotation
from llmtee.testing import strategies

RECORD = {
    "session": "s-1",
    "request": {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]},
    "response": {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-4o-2024-08-06",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Hello"},
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
    },
}
LINES = (
    (data_dir("fixtures") / "conversations" / "plain-chat.jsonl").read_text("utf-8").splitlines()
)
BROKEN = [
    "",
    "{",
    "[]",
    "{}",
    "null",
    '"text"',
    '{"\\ud800": 1}',
    '{"kind": "step", "name": 1}',
]
MENDED = '{"kind": "step", "name": "\\ud800"}'


def texts(values: Any, kind: Any = pa.string) -> pa.RecordBatch:
    return pa.record_batch([pa.array(values, kind())], names=["value"])


def cut(batch: pa.RecordBatch, places: list[int]) -> Iterator[pa.RecordBatch]:
    """The batch in pieces, as an engine may have it: of any size, empty ones among them."""
    edges = [0, *sorted(place % (batch.num_rows + 1) for place in places), batch.num_rows]
    return (batch.slice(a, b - a) for a, b in pairwise(edges))


def mapped(
    step: Callable[[pa.RecordBatch], pa.RecordBatch], pieces: Iterator[pa.RecordBatch]
) -> list[dict[str, Any]]:
    """What Spark's ``mapInArrow`` does with an iterator of batches."""
    return [row for piece in pieces for row in step(piece).to_pylist()]


places = st.lists(st.integers(0, 50), max_size=6)


@settings(max_examples=15)
@given(
    records=st.lists(st.sampled_from([*LINES, *BROKEN, MENDED]) | st.none(), max_size=6),
    places=places,
)
def test_any_cut_gives_the_same_rows_when_decoding(records: list[Any], places: list[int]) -> None:
    batch = texts(records)
    step = partial(frames.decode_batch, keep=["value"])
    rows = step(batch).to_pylist()
    assert mapped(step, cut(batch, places)) == rows
    assert len(rows) >= len(records)
    assert all((row["json"] is None) != (row["error"] is None) for row in rows)
    assert list(dict.fromkeys(row["value"] for row in rows)) == list(dict.fromkeys(records))


@settings(suppress_health_check=list(HealthCheck), max_examples=8)
@given(
    items=st.lists(strategies.conversations() | strategies.events(), min_size=1, max_size=3),
    places=places,
    target=st.sampled_from(("honeyhive", "inkeep")),
)
def test_any_cut_gives_the_same_rows_when_rendering(
    items: list[Any], places: list[int], target: str
) -> None:
    batch = llmtee.to_frame(items).combine_chunks().to_batches()[0]
    step = partial(frames.render_batch, target=target, ledger=False)
    rows = step(batch).to_pylist()
    assert mapped(step, cut(batch, places)) == rows
    assert len(rows) >= len(items)


def test_a_record_is_text_bytes_or_a_struct() -> None:
    text = json.dumps(RECORD)
    structs = pa.RecordBatch.from_pylist(
        [{"row": RECORD, "file": "a"}, {"row": RECORD | {"tags": ["x"]}, "file": "b"}]
    )
    whole = pa.RecordBatch.from_pylist([RECORD])
    given = [
        frames.decode_batch(texts([text])),
        frames.decode_batch(texts([text.encode()], pa.binary)),
        frames.decode_batch(structs, column="row").slice(0, 1),
        frames.decode_batch(whole),
        frames.decode_batch(texts([text]), format="openai-chat"),
    ]
    [first, *others] = [frames.from_frame(batch) for batch in given]
    assert first[0].output.text == "Hello"
    assert all(other == first for other in others)
    kept = frames.decode_batch(structs, column="row", keep=["file"])
    assert kept.column("file").to_pylist() == ["a", "b"]
    assert kept.column("tags").to_pylist() == [[], ["x"]]


def test_structs_without_nulls_and_maps_are_objects() -> None:
    step = pa.struct(
        [
            ("kind", pa.string()),
            ("id", pa.string()),
            ("name", pa.string()),
            ("properties", pa.map_(pa.string(), pa.int64())),
        ]
    )
    row = {"kind": "step", "id": "1", "name": None, "properties": [("a", 1), ("b", None)]}
    batch = pa.record_batch([pa.array([row], step)], names=["value"])
    [made] = frames.from_frame(frames.decode_batch(batch))
    assert made.properties == {"a": 1, "b": None}


def test_a_bad_row_says_why_and_spoils_no_other() -> None:
    made = frames.decode_batch(texts([*BROKEN, None, LINES[0]]))
    errors = made.column("error").to_pylist()
    assert errors[-1] is None
    assert all(errors[:-1])
    assert errors[-2] == "is null"
    assert errors[2].startswith("is surely of no format")
    assert frames.decode_batch(texts(["{"]), format="openai-chat").column("error")[0].is_valid
    invalid = pa.RecordBatch.from_arrays(
        [
            pa.Array.from_buffers(
                pa.string(),
                1,
                [None, pa.py_buffer(b"\0\0\0\0\x02\0\0\0"), pa.py_buffer(b"\xff\xfe")],
            )
        ],
        names=["value"],
    )
    [error] = frames.decode_batch(invalid).column("error").to_pylist()
    assert "can't decode byte 0xff" in error


def test_a_bad_row_is_no_item() -> None:
    with pytest.raises(InputError, match="row 2: json: holds no item: EOF while parsing"):
        llmtee.from_frame(frames.decode_batch(texts([LINES[0], "{"])))


def test_rows_that_hold_no_item_and_several() -> None:
    batch = {"events": [{"event_type": "tool", "event_name": name} for name in "ab"]}
    made = frames.decode_batch(texts([json.dumps(batch), '{"events": []}']), format="honeyhive")
    assert made.column("name").to_pylist() == ["a", "b", None]
    assert made.column("error").to_pylist() == [None, None, "holds no event and no conversation"]


def test_rendering_tells_body_ledger_and_why_not() -> None:
    call = llmtee.from_frame(frames.decode_batch(texts([json.dumps(RECORD)])))[0]
    [conversation] = llmtee.assemble([call])
    batch = frames.decode_batch(
        texts([call.to_json_text().decode(), conversation.to_json_text().decode(), "{"]),
        format="llmtee",
    )
    first, *split, broken = frames.render_batch(batch, "honeyhive").to_pylist()
    [rendered] = llmtee.render([call], "honeyhive")
    assert json.loads(first["body"]) == rendered.body
    assert first["bytes"] == len(first["body"].encode())
    assert {name: first[name] for name in ("kept", "parked", "lost")} == {
        "kept": rendered.ledger.kept,
        "parked": rendered.ledger.parked,
        "lost": rendered.ledger.lost,
    }
    assert [row["session"] for row in split] == ["s-1"] * len(split)
    assert len(split) == len(llmtee.render([conversation], "honeyhive"))
    assert (broken["body"], broken["error"]) == (None, batch.column("error")[2].as_py())
    event, whole, _ = frames.render_batch(batch, "inkeep", ledger=False).to_pylist()
    assert event["error"] == "Inkeep takes conversations; make them with assemble_batch"
    assert (whole["error"], whole["kept"]) == (None, None)
    only = llmtee.HoneyHive(where=llmtee.privacy.Where(agents=("another",)))
    assert frames.render_batch(batch, only).column("skip")[0].is_valid
    note = llmtee.to_frame([Annotation(id="a", target="x")])
    assert frames.render_batch(note, "honeyhive").column("skip").to_pylist() == [
        "annotation: rendered by none; send it"
    ]


def test_assembling_takes_whole_sessions() -> None:
    events = [*map(json.loads, LINES), RECORD]
    decoded = frames.decode_batch(texts([json.dumps(one) for one in [*events, "{"]]))
    made = frames.assemble_batch(decoded)
    items = frames.from_frame(decoded.filter(pa.compute.is_valid(decoded["json"])))
    rows = made.column("json").to_pylist()
    assert rows[-1] is None
    assert made.column("error").to_pylist()[-1].startswith("is surely of no format")
    assert frames.from_frame(made.slice(0, len(rows) - 1)) == llmtee.assemble(items)
    table = pa.Table.from_batches([decoded])
    whole = frames.assemble_batch(table)
    assert isinstance(whole, pa.Table)
    assert whole.to_pylist() == made.to_pylist()
    again = frames.assemble_batch(made)
    assert again.to_pylist() == made.to_pylist()


def test_what_cannot_work_at_all_is_an_error() -> None:
    with pytest.raises(UsageError, match="no column is named 'x'; there are value"):
        frames.decode_batch(texts([]), column="x")
    with pytest.raises(UsageError, match="no format is named 'x'"):
        frames.decode_batch(texts([]), format="x")
    with pytest.raises(UsageError, match="there is no column 'json', only value"):
        frames.render_batch(texts([]), "inkeep")
    with pytest.raises(UsageError, match="no vendor is named 'x'"):
        frames.render_batch(llmtee.to_frame([]), "x")


def test_what_comes_has_the_schema_that_an_engine_is_told() -> None:
    decoded = frames.decode_batch(texts(LINES[:1]))
    assert decoded.schema == frames.DECODED_SCHEMA
    assert frames.render_batch(decoded, "voker").schema == frames.RENDERED_SCHEMA
    assert frames.assemble_batch(decoded).schema == frames.ASSEMBLED_SCHEMA


DECODE = partial(frames.decode_batch, format="auto")
RENDER = partial(frames.render_batch, target=llmtee.Inkeep(visibility="private"))


def test_a_step_can_be_pickled() -> None:
    batch = texts(LINES[:2])
    decode, render = pickle.loads(pickle.dumps((DECODE, RENDER)))
    assert decode(batch) == DECODE(batch)
    events = frames.assemble_batch(decode(batch))
    assert render(events) == RENDER(events)


@pytest.mark.slow
def test_in_another_process_it_is_the_same() -> None:
    batch = texts(LINES)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        decoded = pool.submit(DECODE, batch).result()
        assembled = pool.submit(frames.assemble_batch, decoded).result()
        rendered = pool.submit(RENDER, assembled).result()
    assert decoded == DECODE(batch)
    assert assembled == frames.assemble_batch(decoded)
    assert rendered == RENDER(assembled)
