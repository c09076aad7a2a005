"""Law 3: whatever the faults, each recorded event stands in exactly one place at each exporter, and the counts say so."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmtee.model import ModelCall, Step
from llmtee.tee import FlushReport, Tee, Tuning

Call = Callable[..., ModelCall]
Make = Callable[..., Any]

_PLACES = ("delivered", "pending", "open", "dead", "unknown", "skipped")

FAULTS = st.sampled_from(
    ["ok", "429", "503", "500", "400", "413", "401", "404", "cut", "partial", "html"]
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("fault"), FAULTS),
        st.tuples(st.just("record"), st.sampled_from(["s", "t", None])),
        st.tuples(st.just("step"), st.sampled_from(["s", None])),
        st.tuples(st.just("garbage"), st.none()),
        st.tuples(st.just("twice"), st.none()),
        st.tuples(st.just("end"), st.sampled_from(["s", "t"])),
        st.tuples(st.just("flush"), st.none()),
        st.tuples(st.just("restart"), st.none()),
        st.tuples(st.just("later"), st.none()),
    ),
    max_size=25,
)


def _script(acme: Any, answer: Any, fault: str) -> None:
    answers = {
        "ok": answer(),
        "cut": answer(cut=True),
        "html": answer(502, content=b"<html>"),
        "partial": answer(words=None),
    }
    with acme.lock:
        acme.script.append(answers.get(fault) or answer(int(fault)))


@given(steps=STEPS, idempotent=st.booleans())
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_every_event_stands_in_exactly_one_place(
    acme: Any,
    exporter: Make,
    upserts: Make,
    chats: Make,
    call: Call,
    answer: Any,
    clock: Any,
    steps: list[tuple[str, Any]],
    idempotent: bool,
) -> None:
    exporters = [exporter(idempotent=idempotent), upserts(), chats(idempotent=idempotent)]
    with tempfile.TemporaryDirectory() as directory:
        run = _Run(exporters, directory, clock)
        for step, argument in steps:
            if step == "fault":
                _script(acme, answer, argument)
            elif step == "record":
                run.ids.append(run.tee.record(call("call", argument)))
            elif step == "twice" and run.ids:
                run.tee.record(call().model_copy(update={"id": run.ids[-1]}))
            elif step != "twice":
                run.do(step, argument)
        _assert_law(run.tee, run.ids)
        # When the trouble is over and the sessions are ended, nothing stays pending.
        acme.script.clear()
        report = run.finish()
        assert report.ok, report
        assert not any(counts.open for counts in report.exporters.values())
        _assert_law(run.tee, run.ids)
        delivered = [one for one in run.ids if run.tee._log.outcome("acme", one) == "delivered"]
        assert set(delivered) <= set(acme.stored_ids())
        run.tee.close(1)


class _Run:
    def __init__(self, exporters: list[Any], directory: str, clock: Any) -> None:
        self.clock, self.ids = clock, list[str]()
        self._open = lambda: _open(exporters, directory, clock)
        self.tee = self._open()

    def do(self, step: str, argument: Any) -> None:
        match step:
            case "step":
                self.ids.append(self.tee.record(Step(session=argument)))
            case "garbage":
                self.ids.append(self.tee.record_call("no-such-format", request=1))
            case "end":
                self.tee.end_session(argument)
            case "flush":
                self.tee.flush(timeout=0.05)
            case "later":
                self.clock.now += 1000
            case "restart":
                self.tee.close(0.05)
                self.tee = self._open()

    def finish(self) -> FlushReport:
        for session in ("s", "t", *self.ids):
            self.tee.end_session(session)
        for _ in range(50):
            # What was under way may have been told to wait by a clock that stands still.
            self.clock.now += 100_000
            report = self.tee.flush(timeout=0.2)
            if report.ok:
                break
        return report


def _open(exporters: list[Any], directory: str, clock: Any) -> Tee:
    return Tee(exporters, dir=directory, tuning=Tuning(clock=clock, probe_initial=0.01))


def _assert_law(tee: Tee, ids: list[str]) -> None:
    for name in tee.stats().exporters:
        # Delivery goes on meanwhile, so look until nothing moved between the two looks.
        while True:
            before = tee._log.counts(name)
            places = Counter(tee._log.outcome(name, one) for one in ids)
            if before == tee._log.counts(name):
                break
        assert sum(places.values()) == len(ids) == before.total
        assert set(places) <= set(_PLACES)
        # A record that waits to be decoded is pending in both.
        assert {place: getattr(before, place) for place in _PLACES} == {
            place: places[place] for place in _PLACES
        }
