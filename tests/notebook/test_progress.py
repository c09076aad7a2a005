"""Progress in a terminal, in a pipe and in a notebook."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from pages import assert_harmless

from llmtee.notebook import Progress, progress


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def work(bar: Progress, clock: Clock) -> None:
    for _ in range(100):
        clock.now += 0.0625
        bar.advance(10)


def test_a_terminal_has_one_line_that_is_written_anew() -> None:
    clock, out = Clock(), Terminal()
    with Progress(2000, "reading", "events", stream=out, clock=clock) as bar:
        work(bar, clock)
    lines = out.getvalue().split("\r\x1b[K")
    assert 20 < len(lines) < 30  # five times a second at most, whatever is done
    assert "reading: 520 of 2,000 events, 26%, 160/s, 9.25 s left" in lines
    assert lines[-1] == "reading: 1,000 events, 160/s, 6.25 s\n"


def test_a_pipe_has_one_line_at_the_end() -> None:
    clock, out = Clock(), io.StringIO()
    with Progress(None, "reading\x1b[31m", stream=out, clock=clock) as bar:
        work(bar, clock)
        assert out.getvalue() == ""
    assert out.getvalue() == "reading\\x1b[31m: 1,000 items, 160/s, 6.25 s\n"


def test_what_stops_is_said() -> None:
    out = io.StringIO()

    def fail(bar: Progress) -> None:
        with bar:
            bar.update(3, 12)
            raise ValueError("broken")

    bar = Progress(10, stream=out, clock=Clock())
    with pytest.raises(ValueError, match="broken"):
        fail(bar)
    assert out.getvalue() == "3 items, 0/s, 0 ms, stopped\n"
    assert bar.total == 12


def test_the_items_come_through_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress("abc", label="letters")) == ["a", "b", "c"]
    assert capsys.readouterr().err.startswith("letters: 3 items, ")
    assert list(progress(iter([]))) == []


class Shown:
    """What a notebook would show of one output."""

    def __init__(self) -> None:
        self.states: list[Any] = []

    def update(self, state: Any) -> None:
        self.states.append(state)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    import IPython  # noqa: PLC0415
    import IPython.display  # noqa: PLC0415

    one = Shown()

    def display(state: Any, *, display_id: bool) -> Shown:
        assert display_id
        one.update(state)
        return one

    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setattr(IPython.display, "display", display)
    yield one
    assert sys.modules["IPython"] is IPython


def test_a_notebook_has_one_output_that_is_updated(shown: Shown) -> None:
    clock, out = Clock(), io.StringIO()
    with Progress(2000, "<b>", "events", stream=out, clock=clock) as bar:
        work(bar, clock)
    assert out.getvalue() == ""
    assert 20 < len(shown.states) < 30
    half = assert_harmless(shown.states[13]._repr_html_())
    assert repr(shown.states[13]) == "<b>: 520 of 2,000 events, 26%, 160/s, 9.25 s left"
    assert half.text == repr(shown.states[13])
    assert {("value", "520"), ("max", "2000")} <= {*half.attributes}
    assert repr(shown.states[-1]) == "<b>: 1,000 events, 160/s, 6.25 s"


def test_without_a_total_a_notebook_says_that_something_goes_on(shown: Shown) -> None:
    with Progress(clock=Clock()):
        pass
    first, last = (assert_harmless(state._repr_html_()) for state in shown.states)
    assert "value" not in dict(first.attributes)
    assert dict(last.attributes)["value"] == "1"
