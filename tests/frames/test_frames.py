from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import llmtee
from llmtee import Conversation, InputError, ModelCall, Step, ToolRun, UsageError, frames
from llmtee.model import Annotation
from llmtee.testing import strategies

AT = dt.datetime(2026, 1, 1, 10, tzinfo=dt.UTC)


def call(**fields: Any) -> ModelCall:
    given = {
        "id": "call-1",
        "session": "s",
        "model": "gpt-4o",
        "input": [
            {"role": "system", "parts": [{"type": "text", "text": "Be brief."}]},
            {"role": "user", "parts": [{"type": "text", "text": "Where is it?"}]},
        ],
        "choices": [
            {
                "message": {
                    "role": "assistant",
                    "parts": [
                        {"type": "text", "text": "I look."},
                        {"type": "tool_call", "name": "lookup", "arguments": {"n": 1}},
                    ],
                },
                "finish_reason": "tool_call",
            }
        ],
        "usage": {"input_tokens": 12, "output_tokens": 2, "cache_read": 8},
        "cost": {"amount": "0.10", "currency": "EUR"},
        "agent": {"name": "support", "version": "v1"},
        "person": {"id": "p"},
        "started_at": AT,
        "ended_at": AT + dt.timedelta(seconds=2),
        "first_token_at": AT + dt.timedelta(milliseconds=250),
        "tags": ["a", "b"],
        "metrics": {"score": 1},
    }
    return ModelCall.model_validate(given | fields)


RUN = ToolRun(id="run-1", session="s", name="lookup", arguments={"n": 1}, result="there")
STEP = Step(
    id="step-1", session="s", step_type="retriever", inputs={"q": "x"}, error={"message": "no"}
)

anything = strategies.events() | strategies.conversations() | strategies.supplements()


@settings(suppress_health_check=list(HealthCheck), max_examples=14)
@given(items=st.lists(anything, max_size=3))
def test_from_a_table_comes_what_went_into_it(items: list[Any]) -> None:
    table = llmtee.to_frame(items)
    assert table.num_rows == len(items)
    assert llmtee.from_frame(table) == items


@settings(suppress_health_check=list(HealthCheck), max_examples=8)
@given(items=st.lists(anything, min_size=1, max_size=3), kind=st.sampled_from(("pandas", "polars")))
def test_and_from_a_frame_of_pandas_or_polars(items: list[Any], kind: Any) -> None:
    assert llmtee.from_frame(llmtee.to_frame(items, kind)) == items


ODD = {
    "surrogates": call(name="\ud800 half", properties={"\udfff": "\ud83d"}),
    "numbers beyond 64 bits": call(usage={"input_tokens": 2**70}, properties={"n": -(2**90)}),
    "no number": call(metrics={"x": float("nan"), "y": float("-inf")}),
    "the first day": call(started_at="0001-01-01T00:00:00Z", ended_at=AT),
    "the last day": call(started_at=AT, ended_at="9999-12-31T23:59:59.999999Z"),
    "endless": call(duration_ms=float("inf"), properties={"n": 2**80}),
    "endless in a conversation": Conversation(
        id="c", tool_runs=[RUN.model_copy(update={"duration_ms": float("inf")})]
    ),
    "too much money": call(cost={"amount": "1e400"}),
    "nothing": Step(id="x"),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("kind", ["pyarrow", "pandas", "polars"])
def test_no_value_is_too_odd(name: str, kind: Any) -> None:
    assert llmtee.from_frame(llmtee.to_frame([ODD[name]], kind)) == [ODD[name]]


def test_a_duration_that_is_no_number_comes_back() -> None:
    [back] = llmtee.from_frame(llmtee.to_frame([call(duration_ms=float("nan"))]))
    assert repr(back.duration_ms) == "nan"


def test_what_an_analyst_asks_for_has_a_column_of_its_type() -> None:
    row, run, step = llmtee.to_frame([call(), RUN, STEP]).to_pylist()
    assert row == row | {
        "kind": "model_call",
        "agent": "support",
        "agent_version": "v1",
        "person": "p",
        "started_at": AT,
        "duration_ms": 2000.0,
        "ttft_ms": 250.0,
        "input_tokens": 12,
        "cache_read_tokens": 8,
        "total_tokens": None,
        "cost": 0.1,
        "currency": "EUR",
        "finish_reason": "tool_call",
        "tool_calls": ["lookup"],
        "tool_name": None,
        "input_text": "Where is it?",
        "output_text": "I look.",
        "tags": ["a", "b"],
        "metrics": '{"score":1}',
        "feedback": None,
    }
    assert (run["tool_name"], run["input_text"], run["output_text"]) == (
        "lookup",
        '{"n":1}',
        "there",
    )
    assert (step["step_type"], step["error_message"], step["output_text"]) == (
        "retriever",
        "no",
        None,
    )


def test_a_conversation_has_sums_over_its_answers() -> None:
    [conversation] = llmtee.assemble(
        [
            call(),
            call(id="call-2", started_at=AT + dt.timedelta(minutes=1), error={"message": "no"}),
            RUN,
        ]
    )
    table = llmtee.to_frame([conversation])
    [row] = table.to_pylist()
    assert table.schema.metadata == {b"llmtee.schema": b"conversation/1"}
    assert row["messages"] == len(conversation.messages)
    assert row["models"] == ["gpt-4o"]
    assert row["agents"] == ["support"]
    assert row["people"] == ["p"]
    assert row["input_text"] == "Where is it?"
    answers = [m.generation for m in conversation.messages if m.generation]
    assert row["input_tokens"] == 12 * len(answers)
    assert row["cost"] == pytest.approx(0.1 * len(answers))
    assert row["errors"] == sum(one.error is not None for one in answers)


@pytest.mark.parametrize("name", ["event", "conversation", "item"])
def test_the_schema_is_what_its_description_says(name: Any) -> None:
    schema = frames.schema(name)
    assert [(field.name, str(field.type)) for field in schema] == [
        (column.name, column.type) for column in frames.COLUMNS[name]
    ]
    assert getattr(frames, f"{name.upper()}_SCHEMA") is schema
    assert frames.schema_name(schema) == name


def test_of_both_there_are_the_columns_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [call(), Conversation(id="c", session="s", title="t"), RUN]
    table = llmtee.to_frame(items)
    assert table.schema == frames.ITEM_SCHEMA
    assert table.schema.metadata == {b"llmtee.schema": b"item/1"}
    assert llmtee.from_frame(table) == items
    monkeypatch.setattr("llmtee.frames._write.ROWS", 3)
    many = [*[call(id=str(i)) for i in range(7)], Conversation(id="c")]
    assert llmtee.from_frame(llmtee.to_frame(iter(many))) == many
    assert llmtee.to_frame([]).schema == frames.EVENT_SCHEMA
    assert llmtee.from_frame(llmtee.to_frame([])) == []


def test_frames_have_the_types_of_arrow() -> None:
    pandas = llmtee.to_frame([call()], "pandas")
    assert all(isinstance(kind, pd.ArrowDtype) for kind in pandas.dtypes)
    assert pandas.attrs == {"llmtee.schema": "event/1"}
    polars = llmtee.to_frame([call()], "polars")
    assert polars.schema["started_at"] == pl.Datetime("us", "UTC")
    assert polars.schema["tags"] == pl.List(pl.String)


def test_any_frame_can_be_read(tmp_path: Path) -> None:
    items = [call(id=str(i)) for i in range(5)]
    table = llmtee.to_frame(items)
    batches = list(frames.write_batches(items, rows=2))
    pq.write_table(table, tmp_path / "x.parquet")
    with pa.ipc.new_file(tmp_path / "x.arrow", table.schema) as writer:
        writer.write_table(table)
    lazy = pl.scan_parquet(tmp_path / "x.parquet")
    given = [
        batches,
        iter(batches),
        pa.RecordBatchReader.from_batches(table.schema, batches),
        pq.read_table(tmp_path / "x.parquet"),
        pa.ipc.open_file(tmp_path / "x.arrow").read_all(),
        lazy,
        lazy.filter(pl.col("input_tokens") > 3),
        table.to_pandas(),
        pl.from_arrow(table),
    ]
    for frame in given:
        assert llmtee.from_frame(frame) == items
    assert [item for batch in batches for item in frames.items_of(batch)] == items


def test_the_json_is_the_truth() -> None:
    frame = llmtee.to_frame([call()], "polars").with_columns(model=pl.lit("another"))
    assert llmtee.from_frame(frame) == [call()]
    [made] = llmtee.from_frame(frame.drop("json"))
    assert made.model == "another"
    assert made.flags == ("columns_only",)


@pytest.mark.parametrize("kind", ["pyarrow", "pandas", "polars"])
def test_without_json_an_item_is_what_the_columns_tell(kind: Any) -> None:
    conversation = Conversation(id="c", session="s", title="t", segment=2, agents=[{"name": "a"}])
    frame = llmtee.to_frame([call(metrics={"n": 2**80}), RUN, STEP, conversation], kind)
    bare = (
        frame.drop_columns(["json"])
        if kind == "pyarrow"
        else frame.drop(columns="json")
        if kind == "pandas"
        else frame.drop("json")
    )
    made, run, step, whole = llmtee.from_frame(bare)
    assert [message.text for message in made.input] == ["Where is it?"]
    assert (made.output.text, made.output.tool_calls[0].name) == ("I look.", "lookup")
    assert made.usage == call().usage
    assert (made.cost.amount, made.cost.currency) == (call().cost.amount, "EUR")
    assert (made.started_at, made.agent, made.person) == (AT, call().agent, call().person)
    assert made.metrics == {"n": 2**80}
    assert run == RUN.model_copy(update={"flags": ("columns_only",)})
    assert step == STEP.model_copy(update={"flags": ("columns_only",)})
    assert whole == conversation.model_copy(update={"flags": ("columns_only",)})


@settings(suppress_health_check=list(HealthCheck), max_examples=10)
@given(item=strategies.events() | strategies.conversations())
def test_without_json_nothing_that_has_a_column_is_too_odd(item: Any) -> None:
    [made] = llmtee.from_frame(llmtee.to_frame([item]).drop_columns(["json"]))
    assert (made.id, made.kind, made.session) == (item.id, item.kind, item.session)
    assert (made.started_at, made.tags, made.properties) == (
        item.started_at,
        item.tags,
        item.properties,
    )
    assert "columns_only" in made.flags


def test_what_is_wrong_is_named() -> None:
    with pytest.raises(InputError, match=r"^row 2: json: is not JSON"):
        llmtee.from_frame(pa.table({"json": [call().to_json_text().decode(), "{"]}))
    with pytest.raises(InputError, match=r"row 1: kind: .* 'annotation' cannot be"):
        llmtee.from_frame(llmtee.to_frame([Annotation(target="x")]).drop_columns(["json"]))
    with pytest.raises(InputError, match="row 1: metrics: is not JSON"):
        llmtee.from_frame(pa.table({"kind": ["step"], "metrics": ["{"]}))
    with pytest.raises(UsageError, match=r"neither the column 'json' nor 'kind'.*it has a, b"):
        llmtee.from_frame(pa.table({"a": [1], "b": [2]}))
    with pytest.raises(UsageError, match="is no frame"):
        llmtee.from_frame({"json": ["{}"]})
    with pytest.raises(UsageError, match="frame must be pyarrow, pandas or polars"):
        llmtee.to_frame([], "excel")  # type: ignore[arg-type]
    newer = llmtee.to_frame([call()]).replace_schema_metadata({"llmtee.schema": "event/2"})
    with pytest.raises(UsageError, match="event/2, and this llmtee knows event/1"):
        llmtee.from_frame(newer)


def test_batches_are_made_as_items_come() -> None:
    taken = 0

    def items() -> Iterator[ModelCall]:
        nonlocal taken
        while True:
            taken += 1
            yield call(id=str(taken))

    batches = frames.write_batches(items(), rows=10)
    first = next(batches)
    assert (first.num_rows, taken) == (10, 10)
    assert first.schema == frames.EVENT_SCHEMA
    large = next(frames.write_batches(items(), bytes=2 * len(call().to_json_text())))
    assert large.num_rows in (2, 3)


def test_a_stream_has_one_schema() -> None:
    mixed = [call(), Conversation(id="c")]
    with pytest.raises(UsageError, match=r"the conversation c has no place .* schema='item'"):
        list(frames.write_batches(mixed))
    with pytest.raises(UsageError, match="the model_call call-1 has no place"):
        list(frames.write_batches(mixed, "conversation"))
    with pytest.raises(UsageError, match="schema must be one of"):
        list(frames.write_batches(mixed, "rows"))  # type: ignore[arg-type]
    [batch] = frames.write_batches(mixed, "item")
    assert batch.schema == frames.ITEM_SCHEMA
    assert list(frames.items_of(batch)) == mixed


@pytest.mark.parametrize(
    ("gone", "kind", "told"),
    [
        ("pyarrow", "pyarrow", r"frames need pyarrow: pip install 'llmtee\[frames\]'"),
        ("pandas", "pandas", r"frames need pandas: pip install 'llmtee\[frames\] pandas'"),
    ],
)
def test_what_is_not_installed_is_named(
    gone: str, kind: Any, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, gone, None)
    with pytest.raises(UsageError, match=told):
        llmtee.to_frame([call()], kind)


def test_importing_frames_loads_no_arrow() -> None:
    code = "import sys, llmtee.frames; print({'pyarrow', 'narwhals', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
