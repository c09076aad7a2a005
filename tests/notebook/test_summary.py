"""Summaries: the same numbers from items and from any table of them, and plots of each."""

from __future__ import annotations

import datetime as dt
import sys
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import assert_harmless

import llmtee
from llmtee import Conversation, ModelCall, ToolRun, UsageError
from llmtee.model import Agent, Annotation, Cost, ErrorInfo, Usage
from llmtee.notebook import progress
from llmtee.testing import strategies

START = dt.datetime(2026, 1, 5, 10, tzinfo=dt.UTC)  # a Monday


def call(minute: float, model: str = "gpt-4o", **fields: Any) -> ModelCall:
    at = START + dt.timedelta(minutes=minute)
    fields = {"started_at": at, "duration_ms": 1000.0, "agent": Agent(name="desk"), **fields}
    used = Usage(input_tokens=100, output_tokens=10)
    return ModelCall(id=f"{model} {minute}", session="s", model=model, usage=used, **fields)


def run(minute: float, name: str, **fields: Any) -> ToolRun:
    at = START + dt.timedelta(minutes=minute)
    return ToolRun(id=f"{name} {minute}", session="t", name=name, started_at=at, **fields)


ERROR = ErrorInfo(type="RateLimit", message="slow down")
EVENTS = [
    call(0, cost=Cost(amount=Decimal("0.25"))),
    call(1, "small", duration_ms=3000.0, cost=Cost(amount=Decimal(1), currency="EUR"), agent=None),
    call(125, error=ERROR, duration_ms=None),
    run(2, "find", duration_ms=50.0),
    run(3, "find", error=ErrorInfo(message="not there")),
    run(4, "stock"),
]


def test_the_numbers_of_a_summary() -> None:
    found = llmtee.summary(EVENTS)
    assert found.totals == {
        "events": 6,
        "sessions": 2,
        "calls": 3,
        "tool_runs": 3,
        "failed": 2,
        "input_tokens": 300,
        "output_tokens": 30,
        "cost_EUR": 1.0,
        "cost_USD": 0.25,
        "first": START,
        "last": START + dt.timedelta(minutes=125),
    }
    assert found.step == "hour"
    hours = [(row["start"].hour, row["calls"], row["failed"]) for row in found.rows("over_time")]
    assert hours == [(10, 2, 0), (11, 0, 0), (12, 1, 1)]
    assert found.rows("models") == [
        {
            "model": "gpt-4o",
            "calls": 2,
            "failed": 1,
            "input_tokens": 200,
            "output_tokens": 20,
            "cost_EUR": 0.0,
            "cost_USD": 0.25,
            "median_ms": 1000.0,
            "p95_ms": 1000.0,
        },
        {
            "model": "small",
            "calls": 1,
            "failed": 0,
            "input_tokens": 100,
            "output_tokens": 10,
            "cost_EUR": 1.0,
            "cost_USD": 0.0,
            "median_ms": 3000.0,
            "p95_ms": 3000.0,
        },
    ]
    assert [(row["agent"], row["calls"]) for row in found.rows("agents")] == [
        ("desk", 2),
        ("none", 1),
    ]
    assert found.rows("tools") == [
        {"tool": "find", "runs": 2, "failed": 1, "median_ms": 50.0, "p95_ms": 50.0},
        {"tool": "stock", "runs": 1, "failed": 0, "median_ms": None, "p95_ms": None},
    ]
    assert [(row["error"], row["where"], row["count"]) for row in found.rows("errors")] == [
        ("RateLimit", "gpt-4o", 1),
        ("error", "find", 1),
    ]
    assert repr(found).startswith("<Summary: events 6, sessions 2, calls 3,")


@pytest.mark.parametrize("frame", ["pyarrow", "pandas", "polars"])
def test_a_table_of_any_kind_gives_the_same(frame: str) -> None:
    items = [*EVENTS, Annotation(target="x", rating="positive")]
    made = llmtee.to_frame(items, frame)
    assert llmtee.summary(made) == llmtee.summary(items) == llmtee.summary(iter(items))


@settings(max_examples=12)  # drawing events is what costs
@given(st.lists(strategies.events(), max_size=4))
def test_any_events_give_the_same_as_their_table(events: list[Any]) -> None:
    table = llmtee.to_frame(events)
    assert repr(llmtee.summary(table)) == repr(llmtee.summary(events))


def test_a_filtered_frame_is_summed_as_it_is() -> None:
    frame = llmtee.to_frame(EVENTS, "pandas")
    assert llmtee.summary(frame[frame["model"] == "small"]).totals["calls"] == 1
    assert (
        llmtee.summary(frame[["model", "input_tokens", "started_at"]]).totals["input_tokens"] == 300
    )
    with pytest.raises(UsageError, match="a summary needs a column kind, model or tool_name"):
        llmtee.summary(frame[["input_tokens"]])


def test_conversations_count_as_the_calls_that_they_are_made_of() -> None:
    events = list(llmtee.read("fixtures/conversations/order-agent.jsonl"))
    conversations = llmtee.assemble(events)
    apart, joined = llmtee.summary(events).totals, llmtee.summary(conversations).totals
    counted = ("calls", "sessions", "input_tokens", "output_tokens", "tool_runs")
    assert [joined[name] for name in counted] == [apart[name] for name in counted]
    assert llmtee.summary(llmtee.to_frame(conversations)) == llmtee.summary(conversations)


@pytest.mark.parametrize(
    ("days", "step", "rows"),
    [
        (3, "hour", 73),
        (60, "day", 61),
        (365, "week", 53),
        (1500, "month", 50),
        (20_000, "year", 55),
    ],
)
def test_the_steps_grow_with_the_time_and_leave_no_hole(days: int, step: str, rows: int) -> None:
    found = llmtee.summary([call(0), call(days * 24 * 60)])
    assert (found.step, len(found.rows("over_time"))) == (step, rows)
    assert sum(row["calls"] for row in found.rows("over_time")) == 2


@pytest.mark.parametrize("source", [7, "logs.jsonl", {"a": 1}, [7], None])
def test_what_cannot_be_summed_is_said(source: Any) -> None:
    with pytest.raises(UsageError, match="a summary is made of events"):
        llmtee.summary(source)


def test_unknown_tables_and_plots_are_said() -> None:
    found = llmtee.summary(EVENTS)
    with pytest.raises(UsageError, match="there is no table 'model'; there are over_time, models"):
        found.rows("model")
    with pytest.raises(UsageError, match="there is no plot 'models '; there are tokens, cost"):
        found.figure("models ")


def test_a_notebook_shows_a_plot_and_a_table_of_each() -> None:
    odd = call(6, model="$\\frac{<b>モデル\u202e", error=ErrorInfo(type="$x_", message="m"))
    page = assert_harmless(llmtee.summary([*EVENTS, odd])._repr_html_())
    assert page.tags.count("img") == page.tags.count("table") == 7
    for title in (
        "Tokens over time, by hour",
        "Cost over time",
        "By model",
        "By agent",
        "Tools used",
        "Errors",
    ):
        assert title in page.text
    assert "モデル" in page.text


def test_what_is_not_known_is_not_plotted() -> None:
    assert assert_harmless(llmtee.summary([])._repr_html_()).tags.count("img") == 0
    bare = assert_harmless(llmtee.summary([ModelCall(id="c")])._repr_html_())
    assert bare.tags.count("img") == 2  # by model and by agent


def test_without_matplotlib_there_are_the_tables_and_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("llmtee.notebook._plots.find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "matplotlib", raising=False)
    found = llmtee.summary(EVENTS)
    page = assert_harmless(found._repr_html_())
    assert (page.tags.count("img"), page.tags.count("table")) == (0, 7)
    assert "pip install 'llmtee[notebook]'" in page.text
    with pytest.raises(UsageError, match="plots need matplotlib"):
        found.figure("tokens")


def test_plots_are_figures_to_work_with_and_the_same_each_time() -> None:
    found = llmtee.summary(EVENTS)
    figure = found.figure("tokens")
    assert [round(bar.get_height()) for bar in figure.axes[0].containers[0]] == [200, 0, 100]
    assert found._repr_html_() == found._repr_html_()


def _held() -> tuple[set[str], set[str], bool]:
    """Threads and open files of this process, and whether matplotlib's global state was made."""
    threads = {str(thread) for thread in threading.enumerate()}
    files = {str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}
    return threads, files, "matplotlib.pyplot" in sys.modules


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are looked up in /proc")
def test_nothing_is_started_or_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = list(llmtee.read("fixtures/conversations/order-agent.jsonl"))
    [conversation] = llmtee.assemble(items)
    llmtee.summary(items)._repr_html_()  # matplotlib keeps its fonts open from the first plot on
    llmtee.to_frame(items, "pandas")
    monkeypatch.chdir(tmp_path)
    before = _held()
    for one in progress([*items, conversation, conversation.timeline(), llmtee.summary(items)]):
        one._repr_html_()
    llmtee.summary(llmtee.to_frame(items, "pandas"))._repr_html_()
    llmtee.preview(conversation)._repr_html_()
    after = _held()
    assert after[0] <= before[0]
    assert after[1] <= before[1]
    assert after[2] == before[2]
    assert list(tmp_path.iterdir()) == []


def test_a_conversation_that_a_table_has_without_its_json_is_said() -> None:
    table = llmtee.to_frame([Conversation(id="c")]).drop_columns("json")
    with pytest.raises(UsageError, match="needs its column json"):
        llmtee.summary(table.append_column("model", [[None]]))
