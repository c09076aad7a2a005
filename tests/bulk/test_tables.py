"""Tables to events: CSV, Parquet and Arrow IPC, with a mapping and without."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import llmtee
from llmtee import convert, read
from llmtee._data_files import data_dir
from llmtee.bulk import Detection
from llmtee.bulk.tables import FIELDS, OPEN, _csv
from llmtee.errors import InputError, UsageError
from llmtee.frames import to_frame
from llmtee.model import Conversation, ModelCall, Step, ToolRun
from llmtee.testing import strategies

TABLES = data_dir("fixtures") / "tables"
BASIC = {"session": "conv", "input": "q", "output": "a"}
HOUR = dt.timedelta(hours=1)


def table(text: str, name: str = "t.csv") -> io.BytesIO:
    stream = io.BytesIO(text.encode())
    stream.name = name
    return stream


def events(source: Any, mapping: Any = None, **options: Any) -> list[Any]:
    return list(read(source, mapping=mapping, **options))


def broken(source: Any, mapping: Any, **options: Any) -> tuple[list[Any], list[InputError]]:
    errors: list[InputError] = []
    return events(source, mapping, on_error=errors.append, **options), errors


def texts(items: Sequence[ModelCall]) -> list[tuple[str, str]]:
    return [(item.input[-1].text, item.output.text if item.output else "") for item in items]


def one(mapping: Mapping[str, Any], **cells: Any) -> Any:
    [event] = events(io.StringIO(json.dumps(cells)), mapping)
    return event


class TestCsv:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    @pytest.mark.parametrize("bom", ["", "\ufeff"])
    def test_as_programs_write_it(self, delimiter: str, end: str, bom: str) -> None:
        rows = [["conv", "q", "a"], ["c1", f'a "b"{delimiter}', "two\nlines"], ["c2", "x", "y"]]
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=delimiter, lineterminator=end).writerows(rows)
        content = bom + out.getvalue()
        for source in (table(content), table(content, "stream"), io.StringIO(content, newline="")):
            found = events(source, BASIC)
            assert texts(found) == [(f'a "b"{delimiter}', "two\nlines"), ("x", "y")]
            assert [event.session for event in found] == ["c1", "c2"]

    def test_packed(self, tmp_path: Path) -> None:
        path = tmp_path / "t.csv.gz"
        path.write_bytes(gzip.compress(b"conv,q,a\n1,x,y\n"))
        assert texts(events(path, BASIC)) == [("x", "y")]

    def test_the_delimiter_is_told_by_the_rows_where_the_header_holds_several(self) -> None:
        text = "conv;q, in full;a\n1;x, y, z;b\n2;x;b, c\n"
        assert texts(events(table(text), {**BASIC, "input": "q, in full"}))[0] == ("x, y, z", "b")

    def test_between_two_delimiters_nothing_is_guessed(self) -> None:
        text = "conv,x;q,y\n1,2;3,4\n"
        with pytest.raises(UsageError, match=r"separated by .* say in the mapping: delimiter = "):
            events(table("conv,a;q\n1,2;3\n"), {"input": "q"})
        found = events(table(text), {"input": "x;q", "delimiter": ","})
        assert found[0].input[0].text == "2;3"

    def test_what_a_spreadsheet_is_told_of_its_delimiter(self) -> None:
        assert texts(events(table("sep=|\nconv|q|a\n1|x,y|z\n"), BASIC)) == [("x,y", "z")]

    def test_a_broken_row_is_named_by_its_first_line_and_costs_only_itself(self) -> None:
        text = 'conv,q,a\n1,"x\n\nx",y\n2,x\n3,"x"x,y\n4,x,y,z\n\n5,x,y\n'
        good, errors = broken(table(text), BASIC)
        assert [event.session for event in good] == ["1", "5"]
        assert [str(error)[:40] for error in errors] == [
            "t.csv:5: has 2 cells, but the header has",
            "t.csv:6: is not CSV: ',' expected after ",
            "t.csv:7: has 4 cells, but the header has",
        ]

    def test_a_quote_that_is_never_closed_does_not_swallow_the_rest(self) -> None:
        text = 'conv,q,a\n1,x,y\n2,"x,y\n3,x,y\n4,x,y\n'
        good, [error] = broken(table(text), BASIC)
        assert [event.session for event in good] == ["1", "3", "4"]
        assert error.line == 3

    def test_nor_the_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        limit = csv.field_size_limit(1000)
        monkeypatch.setattr(_csv, "_MOST_CELL", 1000)
        try:
            rows = "".join(f"{n},x,{'y' * 99}\n" for n in range(2, 40))
            good, [error] = broken(table(f'conv,q,a\n1,"x,y\n{rows}'), BASIC)
        finally:
            csv.field_size_limit(limit)
        assert (len(good), error.line) == (38, 2)

    def test_another_encoding(self) -> None:
        text = "conv,q,a\n1,grün,y\n2,x,y\n".encode("cp1252")
        good, [error] = broken(io.BytesIO(text), BASIC)
        assert len(good) == 1
        assert (error.line, 'encoding = "cp1252"' in error.reason) == (2, True)
        found = events(io.BytesIO(text), {**BASIC, "encoding": "cp1252"})
        assert found[0].input[0].text == "grün"
        wide = "conv\tq\ta\n1\tgrün\ty\n".encode("utf-16")
        assert texts(events(io.BytesIO(wide), {**BASIC, "encoding": "utf-16"})) == [("grün", "y")]
        _, [error] = broken(io.BytesIO(wide), BASIC)
        assert 'encoding = "utf-16"' in error.reason

    @pytest.mark.parametrize("text", ["", "\n\n", "conv,q,a\n", "\ufeffconv,q,a"])
    def test_nothing(self, text: str) -> None:
        assert events(table(text), BASIC) == []

    def test_reading_is_lazy(self) -> None:
        class Endless(io.RawIOBase):
            pulled = 0

            def readable(self) -> bool:
                return True

            def readinto(self, buffer: Any) -> int:
                if not buffer:
                    return 0
                text = b"conv,q,a\n" if self.pulled == 0 else b"1,x,y\n"
                buffer[: len(text)] = text
                self.pulled += len(text)
                return len(text)

        stream = Endless()
        items = read(stream, mapping=BASIC)
        assert texts([next(items) for _ in range(5)]) == [("x", "y")] * 5
        assert stream.pulled < 50_000

    def test_two_columns_of_one_name(self) -> None:
        with pytest.raises(UsageError, match="two columns are named 'q'"):
            events(table("q,a,q\n1,2,3\n"), {"input": "q"})


def written(
    rows: Sequence[Mapping[str, Any]], kind: str, *, plain: bool = False, **options: Any
) -> io.BytesIO:
    found = pa.Table.from_pylist([*rows], **options)
    out = io.BytesIO()
    if kind == "parquet":
        compression = "none" if plain else "zstd"
        pq.write_table(
            found, out, row_group_size=2, compression=compression, use_dictionary=not plain
        )
    else:
        new = pa.ipc.new_file if kind == "arrow" else pa.ipc.new_stream
        with new(out, found.schema) as writer:
            writer.write_table(found, max_chunksize=2)
    return io.BytesIO(out.getvalue())


KINDS = ["parquet", "arrow", "arrows"]


@pytest.mark.parametrize("kind", KINDS)
class TestArrow:
    ROWS = [{"conv": n, "q": f"q{n}", "a": f"a{n}", "note": None} for n in range(5)]

    def test_files_and_streams(self, kind: str, tmp_path: Path) -> None:
        path = tmp_path / f"t.{kind}"
        path.write_bytes(written(self.ROWS, kind).getvalue())
        for source in (
            path,
            written(self.ROWS, kind),
            io.BytesIO(gzip.compress(path.read_bytes())),
        ):
            found = events(source, BASIC)
            assert texts(found) == [(f"q{n}", f"a{n}") for n in range(5)]
            assert [event.session for event in found] == list("01234")
        assert events(tmp_path, BASIC) == events(path, BASIC)

    def test_an_open_stream_stays_open(self, kind: str) -> None:
        stream = written(self.ROWS, kind)
        assert len(events(stream, BASIC)) == 5
        assert not stream.closed

    def test_types(self, kind: str) -> None:
        at = dt.datetime(2026, 11, 3, 10, tzinfo=dt.UTC)
        row = {
            "id": 7.0,
            "when": at,
            "took": dt.timedelta(seconds=2),
            "price": Decimal("0.00031"),
            "n": 5,
            "labels": ["a", "b"],
            "meta": {"plan": "pro", "level": 3},
            "score": float("nan"),
            "q": b"bytes",
        }
        mapping = {
            "id": "id",
            "started_at": "when",
            "duration_s": "took",
            "cost": "price",
            "usage.input_tokens": "n",
            "tags": "labels",
            "properties": "meta",
            "input": "q",
        }
        [event] = events(written([row], kind), mapping)
        assert event.source_ids == {"record": "7"}
        assert (event.started_at, event.ended_at) == (at, at + dt.timedelta(seconds=2))
        assert (event.cost.amount, event.usage.input_tokens) == (Decimal("0.00031"), 5)
        assert (event.tags, event.properties) == (("a", "b"), {"plan": "pro", "level": 3})
        assert event.input[0].text == "bytes"

    def test_nanoseconds_and_times_without_a_zone(self, kind: str) -> None:
        schema = pa.schema([("q", pa.string()), ("when", pa.timestamp("ns"))])
        source = written([{"q": "x", "when": 1_800_000_000_123_456_789}], kind, schema=schema)
        mapping = {"input": "q", "started_at": "when"}
        _, [error] = broken(source, mapping)
        assert str(error).startswith(
            "stream:1: when: started_at: 2027-01-15 08:00:00.123456 has no"
        )
        source.seek(0)
        [event] = events(source, {**mapping, "timezone": "+02:00"})
        assert event.started_at == dt.datetime(2027, 1, 15, 6, 0, 0, 123456, tzinfo=dt.UTC)

    def test_rows_that_are_records_need_no_mapping(self, kind: str) -> None:
        request = {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]}
        response = {"choices": [{"message": {"role": "assistant", "content": "yes"}}]}
        whole = [{"request": request, "response": response, "session": "s"}]
        text = [{"request": json.dumps(request), "response": json.dumps(response), "session": "s"}]
        for rows in (whole, text):
            [event] = events(written(rows, kind))
            assert (event.session, texts([event])) == ("s", [("hi", "yes")])
        assert events(written(text, kind), "auto")[0].session == "s"
        naive = [{**text[0], "started_at": dt.datetime(2026, 1, 1)}]  # noqa: DTZ001
        with pytest.raises(UsageError, match="'started_at' have no zone"):
            events(written(naive, kind))
        [event] = events(written(naive, kind), {"auto": True, "timezone": "UTC"})
        assert event.started_at == dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    def test_a_table_of_our_own_schema_needs_no_mapping(self, kind: str) -> None:
        items = [
            ToolRun(id="t", name="look", arguments={"a": [1]}),
            *events(TABLES / "support-export.csv", TABLES / "support-export.toml"),
        ]
        frame = to_frame(items)
        out = io.BytesIO()
        if kind == "parquet":
            pq.write_table(frame, out)
        else:
            new = pa.ipc.new_file if kind == "arrow" else pa.ipc.new_stream
            with new(out, frame.schema) as writer:
                writer.write_table(frame)
        found: list[Detection] = []
        assert events(io.BytesIO(out.getvalue()), on_detect=found.append) == items
        assert [one.format for one in found] == ["llmtee"]

    def test_a_cell_that_is_wrong_is_named(self, kind: str) -> None:
        rows = [{"q": "x", "n": n} for n in ("1", "many", "3")]
        good, [error] = broken(written(rows, kind), {"input": "q", "usage.input_tokens": "n"})
        assert len(good) == 2
        assert str(error) == "stream:2: n: usage.input_tokens: 'many' is no number"

    def test_a_damaged_file_gives_what_can_be_read(self, kind: str, tmp_path: Path) -> None:
        rows = [{"q": "x" * 5000 + str(n), "conv": "c", "a": "y"} for n in range(6)]
        content = bytearray(written(rows, kind, plain=True).getvalue())
        middle = len(content) // 2
        content[middle : middle + 3000] = b"\xff" * 3000
        path = tmp_path / "t"
        path.write_bytes(content)
        good, errors = broken(path, BASIC)
        assert len(good) + len(errors) == 6
        assert 0 < len(errors) < 3
        assert all(error.line in (3, 4) for error in errors)
        path.write_bytes(content[: len(content) // 3])
        good, errors = broken(path, BASIC)
        assert errors
        assert all(error.source == str(path) for error in errors)


class TestFields:
    def test_every_field_of_a_call(self) -> None:
        event = one(
            {
                **{
                    name: name for name in ("id", "session", "parent", "trace_id", "name", "source")
                },
                **{
                    name: name
                    for name in ("provider", "model", "response_model", "system", "input")
                },
                **{name: name for name in ("output", "finish_reason", "error", "error_type")},
                "agent": "bot",
                "agent_version": {"value": "v2"},
                "person": {"id": "user", "properties": {"plan": "plan"}},
                "parameters": {"temperature": {"column": "temp", "type": "number"}},
                "metrics.score": {"column": "score", "type": "number"},
                "feedback.rating": "thumb",
                "source_ids.crm": "crm",
                "tags": {"column": "labels", "separator": ";"},
                "usage.output_tokens": "out",
                "rest": "drop",
            },
            **{name: name for name in ("id", "session", "parent", "trace_id", "name", "source")},
            **{name: name for name in ("provider", "model", "response_model", "system", "input")},
            output="o",
            finish_reason="stop",
            error="down",
            error_type="Timeout",
            bot="b",
            user=17,
            plan="pro",
            temp="0.5",
            score="0.25",
            thumb="👍",
            crm=3,
            labels="a; b;;",
            out="12",
            more="dropped",
        )
        assert event.source_ids == {"crm": "3", "record": "id"}
        assert (event.agent.name, event.agent.version) == ("b", "v2")
        assert (event.person.id, event.person.properties) == ("17", {"plan": "pro"})
        assert (event.parameters, event.metrics) == ({"temperature": 0.5}, {"score": 0.25})
        assert (event.feedback, event.tags) == ({"rating": "positive"}, ("a", "b"))
        assert [message.role for message in event.input] == ["system", "user"]
        assert event.choices[0].finish_reason == "stop"
        assert (event.error.message, event.error.type) == ("down", "Timeout")
        assert event.properties == {}

    def test_messages(self) -> None:
        said = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]
        assert texts([one({"messages": "m"}, m=json.dumps(said))]) == [("hi", "yes")]
        assert texts([one({"messages": "m"}, m=said)]) == [("hi", "yes")]
        event = one({"messages": "m", "output": "a"}, m=said[:1], a="ok")
        assert texts([event]) == [("hi", "ok")]
        _, [error] = broken(io.StringIO('{"m": [{"role": 3}]}'), {"messages": "m"})
        assert str(error) == "stream:1: m: messages[0].role: must be text, not a number"

    def test_tools_and_steps(self) -> None:
        mapping = {
            "tool": "t",
            "tool_arguments": "x",
            "tool_result": "y",
            "input": "q",
            "kind": "k",
        }
        run = one(mapping, t="look", x='{"a": 1}', y="plain [text")
        assert isinstance(run, ToolRun)
        assert (run.name, run.arguments, run.result) == ("look", {"a": 1}, "plain [text")
        assert isinstance(one(mapping, q="hi"), ModelCall)
        step = one(mapping, k="chain", q="hi")
        assert isinstance(step, Step)
        assert step.inputs == {"input": "hi"}
        _, [error] = broken(io.StringIO('{"k": "retriever"}'), mapping)
        assert str(error).startswith("stream:1: k: kind: is 'retriever', but must be one of")

    def test_requests_and_responses_are_read_by_their_format(self) -> None:
        request = {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]}
        response = {"choices": [{"message": {"role": "assistant", "content": "yes"}}]}
        mapping = {"request": "req", "response": "res", "session": "c", "id": "n", "cost": "eur"}
        mapping |= {"currency": {"value": "EUR"}, "started_at": "at"}
        cells = {"req": json.dumps(request), "res": response, "c": "s", "n": "1", "eur": "0.5"}
        event = one(mapping, **cells, at="2026-11-03T10:00:00Z", note="x")
        assert (event.native.request, event.session, event.source_ids) == (
            request,
            "s",
            {"record": "1"},
        )
        assert (event.cost.currency, event.properties) == ("EUR", {"note": "x"})
        _, [error] = broken(
            io.StringIO(json.dumps({**cells, "req": {"messages": [{"role": 3}]}})), mapping
        )
        assert str(error) == "stream:1: req: request.messages[0].role: must be text, not a number"
        _, [error] = broken(io.StringIO(json.dumps({**cells, "req": "hello"})), mapping)
        assert str(error).startswith("stream:1: req: request: is not JSON")

    def test_paths_into_json(self) -> None:
        event = one({"input": "q", "person": "meta.user"}, q="x", meta={"user": "u", "n": 1})
        assert event.person.id == "u"
        assert event.properties == {"meta": {"n": 1}}

    def test_what_the_columns_say_is_kept_apart_from_what_is_empty(self) -> None:
        mapping = {**BASIC, "model": "m", "empty": ["-", "NULL"]}
        [event] = events(table("conv,q,a,m,x,y\nc,hi,,NULL,-,z\n"), mapping)
        assert (event.model, event.choices, event.properties) == (None, (), {"y": "z"})

    def test_equal_rows_stay_apart_and_rows_with_ids_are_one(self) -> None:
        text = "conv,q,a\nc,x,y\nc,x,y\n"
        first = [event.id for event in events(table(text), BASIC)]
        assert len(set(first)) == 2
        assert [event.id for event in events(table(text), BASIC)] == first
        ids = [event.id for event in events(table(text), {**BASIC, "id": "conv"})]
        assert len(set(ids)) == 1

    @pytest.mark.parametrize(
        ("text", "decimal", "number"),
        [
            ("1234", None, 1234),
            ("1.5", None, 1.5),
            ("1.234,5", ",", 1234.5),
            ("1\u202f234,5", ",", 1234.5),
            ("1,234.5", ".", 1234.5),
            ("-0,5", ",", -0.5),
            ("1,234", None, "could be two numbers"),
            ("1,5", None, "has a comma"),
            ("12 %", None, "is no number"),
            ("1.23.4", ",", "is no number"),
        ],
    )
    def test_numbers(self, text: str, decimal: str | None, number: float | str) -> None:
        mapping = {"input": "q", "metrics.n": {"column": "n", "type": "number"}}
        mapping |= {} if decimal is None else {"decimal": decimal}
        good, errors = broken(io.StringIO(json.dumps({"q": "x", "n": text})), mapping)
        if isinstance(number, str):
            assert number in errors[0].reason
        else:
            assert good[0].metrics == {"n": number}

    @pytest.mark.parametrize(
        ("name", "cell", "seconds"),
        [
            ("duration_s", "1.5", 1.5),
            ("duration_ms", 250, 0.25),
            ("duration_s", "00:01:12.5", 72.5),
        ],
    )
    def test_durations(self, name: str, cell: Any, seconds: float) -> None:
        event = one({"started_at": "t", name: "d"}, t="2026-11-03T10:00:00Z", d=cell)
        assert (event.ended_at - event.started_at).total_seconds() == seconds
        assert event.duration_ms == seconds * 1000


class TestTimes:
    def at(self, cell: Any, **options: Any) -> dt.datetime:
        found: dt.datetime = one(
            {"input": "q", "started_at": "t", **options}, q="x", t=cell
        ).started_at
        return found

    def refused(self, cell: Any, **options: Any) -> str:
        mapping = {"input": "q", "started_at": "t", **options}
        _, [error] = broken(io.StringIO(json.dumps({"q": "x", "t": cell})), mapping)
        assert (error.line, error.path) == (1, "t")
        return error.reason

    NOON = dt.datetime(2026, 11, 3, 12, tzinfo=dt.UTC)

    @pytest.mark.parametrize(
        ("cell", "options"),
        [
            ("2026-11-03T12:00:00Z", {}),
            ("2026-11-03 13:00:00+01:00", {}),
            (1793707200, {}),
            ("1793707200000", {}),
            (1793707200000000, {}),
            ("1793707200000000000", {}),
            ("1793707200", {"times": "epoch_s"}),
            (1793707200.0, {"times": ["epoch"]}),
            ("2026-11-03 13:00", {"timezone": "Europe/Berlin"}),
            ("03.11.2026 13:00", {"timezone": "Europe/Berlin", "times": ["iso", "%d.%m.%Y %H:%M"]}),
            ("46329.5", {"timezone": "UTC", "times": ["serial"]}),
            ("46329,5", {"timezone": "UTC", "times": ["serial"], "decimal": ","}),
        ],
    )
    def test_formats(self, cell: Any, options: dict[str, Any]) -> None:
        assert self.at(cell, **options) == self.NOON

    def test_a_column_may_have_its_own(self) -> None:
        mapping = {"started_at": {"column": "t", "format": "%d/%m/%y", "timezone": "UTC"}}
        assert one(mapping, t="03/11/26").started_at == self.NOON - 12 * HOUR

    def test_nothing_is_guessed(self) -> None:
        assert 'say in the mapping which: timezone = "UTC"' in self.refused("2026-11-03 12:00")
        assert "add 'serial'" in self.refused("46329.5")
        assert "is no time in the formats iso, epoch" in self.refused("20261103")
        assert "is no time in the formats iso, epoch" in self.refused("03.11.2026")
        assert "is no time in the format %d.%m.%Y" in self.refused("31.13.2026", times="%d.%m.%Y")

    def test_an_hour_that_clocks_showed_twice_is_flagged(self) -> None:
        mapping = {"input": "q", "started_at": "t", "timezone": "Europe/Berlin"}
        event = one(mapping, q="x", t="2026-10-25 02:30")
        assert event.started_at == dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC)
        assert [flag.partition(":")[0] for flag in event.flags] == ["time_ambiguous"]
        assert one(mapping, q="x", t="2026-10-25 03:30").flags == ()


class TestMessages:
    MAPPING = {"session": "c", "role": "who", "content": "said", "started_at": "t", "model": "m"}

    def test_rows_become_conversations(self) -> None:
        text = (
            "c,who,said,t,m\nA,human,hi,2026-11-03T10:00:00Z,\nB,user,ho,2026-11-03T10:00:01Z,\n"
            "A,bot,yes,2026-11-03T10:00:05Z,gpt-5\nB,assistant,no,2026-11-03T10:00:03Z,gpt-5\n"
        )
        found = events(table(text), self.MAPPING)
        assert all(isinstance(item, Conversation) for item in found)
        said = {item.session: [(one.role, one.text) for one in item.messages] for item in found}
        assert said == {
            "A": [("user", "hi"), ("assistant", "yes")],
            "B": [("user", "ho"), ("assistant", "no")],
        }
        answer = found[0].messages[1]
        assert answer.generation is not None
        assert answer.generation.model == "gpt-5"
        assert len({item.id for item in found}) == 2
        assert events(table(text), self.MAPPING) == found

    def test_in_the_order_of_time_where_all_rows_have_one(self) -> None:
        rows = ["A,bot,yes,1793707201,", "A,user,hi,1793707200,"]
        [found] = events(table("\n".join(["c,who,said,t,m", *rows])), self.MAPPING)
        assert [one.text for one in found.messages] == ["hi", "yes"]
        [found] = events(table("\n".join(["c,who,said,t,m", *rows, "A,user,ok,,"])), self.MAPPING)
        assert [one.text for one in found.messages] == ["yes", "hi", "ok"]

    def test_tools(self) -> None:
        mapping = {**self.MAPPING, "tool_calls": "calls", "tool_call_id": "call", "name": "name"}
        call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        rows = [
            {"c": "A", "who": "assistant", "calls": [call]},
            {"c": "A", "who": "tool", "said": '{"found": 3}', "call": "1", "name": "look"},
        ]
        [found] = events(io.StringIO(json.dumps(rows)), mapping)
        assert found.messages[0].tool_calls[0].name == "look"
        assert found.messages[1].parts[0].result == '{"found": 3}'

    def test_what_looks_like_json_is_still_what_was_said(self) -> None:
        for said in ("[1, 2]", '{"a": 1}', "[]x", "{"):
            [found] = events(
                io.StringIO(json.dumps({"c": 1, "who": "user", "said": said})), self.MAPPING
            )
            assert found.messages[0].text == said

    def test_a_row_without_a_session(self) -> None:
        _, errors = broken(table("c,who,said,t,m\n,user,hi,,\nA,,hi,,\n"), self.MAPPING)
        assert [str(error) for error in errors] == [
            "t.csv:2: c: session: is missing",
            "t.csv:3: who: role: is missing",
        ]

    def test_late_rows_are_a_segment_of_their_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        traces = __import__("llmtee.bulk._traces", fromlist=["LIMIT"])
        monkeypatch.setattr(traces.OpenTraces.__init__, "__defaults__", (3,))
        rows = [f"{c},user,{c}{n},," for n in range(2) for c in "ABCDE"]
        found = events(table("\n".join(["c,who,said,t,m", *rows])), self.MAPPING)
        said = [one.text for item in found for one in item.messages]
        assert sorted(said) == sorted(f"{c}{n}" for n in range(2) for c in "ABCDE")
        assert len({item.id for item in found}) == len(found)
        again = [item for item in found if item.segment]
        assert again
        assert all(item.flags == ("trace_split",) for item in again)


class TestProposals:
    TEXT = (
        "conversation_id,createdAt,Prompt,Completion,Prompt Tokens,extra\n"
        'c1,"03.11.2026 09:30",hi,yes,12,x\nc1,28.11.2026 10:00,more,no,9,y\n'
    )

    def test_a_table_without_a_mapping_is_answered_with_one(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError) as caught:
            events(table(self.TEXT))
        said = str(caught.value)
        toml = said.split("\n\n")[1]
        assert 'session = "conversation_id"\n' in toml
        assert 'times = ["%d.%m.%Y %H:%M", "iso", "epoch"]' in toml
        assert '# timezone = "UTC"' in toml
        assert "--map session=conversation_id" in said
        path = tmp_path / "mapping.toml"
        path.write_text(toml.replace("# timezone", "timezone"), "utf-8")
        first, _ = events(table(self.TEXT), path)
        assert (first.session, texts([first])) == ("c1", [("hi", "yes")])
        assert first.usage.input_tokens == 12
        assert first.properties == {"extra": "x"}
        assert first.started_at == dt.datetime(2026, 11, 3, 9, 30, tzinfo=dt.UTC)

    def test_auto_takes_it_and_says_so(self) -> None:
        found: list[Detection] = []
        mapping = {"auto": True, "timezone": "UTC", "properties.more": "extra"}
        first, _ = events(table(self.TEXT), mapping, on_detect=found.append)
        assert first.properties == {"more": "x"}
        [told] = found
        assert str(told).startswith("t.csv: read as table, because 'extra' is properties.more, ")
        assert "'Prompt' is input" in told.reason
        report = convert(table(self.TEXT), io.StringIO(), mapping=mapping, target="llmtee")
        assert (report.written, [one.format for one in report.detected]) == (2, ["table"])

    def test_days_and_months_that_could_be_exchanged_are_not_guessed(self) -> None:
        text = "prompt,completion,time\nx,y,03/04/2026\n"
        with pytest.raises(UsageError, match=r"# '03/04/2026' fits %d/%m/%Y and %m/%d/%Y"):
            events(table(text))
        with pytest.raises(UsageError, match=r'times = \["%m/%d/%Y"'):
            events(table(text + "x,y,03/31/2026\n"))

    def test_messages_are_told_by_role(self) -> None:
        with pytest.raises(UsageError) as caught:
            events(table("thread_id,role,content,created_at\n1,user,hi,1793707200\n"))
        assert 'role = "role"\ncontent = "content"' in str(caught.value)

    def test_names_that_say_nothing(self) -> None:
        with pytest.raises(UsageError, match=r"do not tell.*'x', 'y'.*--map session="):
            events(table("x,y\n1,2\n"))
        with pytest.raises(UsageError, match="do not tell"):
            events(table("x,y\n1,2\n"), "auto")

    def test_records_in_json_lines_are_left_alone_by_auto(self) -> None:
        assert events(io.StringIO('{"kind": "tool_run", "name": "t"}'), "auto")[0].name == "t"


class TestMappings:
    @pytest.mark.parametrize(
        ("mapping", "said"),
        [
            ({"sesion": "x"}, "did you mean 'session'"),
            ({"usage.tokens": "x"}, "no field is named 'usage.tokens'"),
            ({"input": 3}, "must be the name of a column"),
            ({"input": {"col": "x"}}, "nothing is named 'col'"),
            ({"input": {"column": "x", "value": "y"}}, "either a column or a value"),
            ({"input": {"column": "x", "format": "iso"}}, "is no time"),
            ({"started_at": {"column": "x", "format": "DD.MM.YYYY"}}, "is no format of times"),
            ({"timezone": "Mars/Olympus"}, "timezone: 'Mars/Olympus' is not known"),
            ({"decimal": ";"}, "decimal must be"),
            ({"rest": "keep"}, "rest must be properties or drop"),
            ({"delimiter": ";;"}, "must be one character"),
            ({"encoding": "utf-9"}, "no encoding is named"),
            ({"request": "r", "input": "x"}, "request and response say input themselves"),
            ({"role": "r", "content": "c"}, "session is missing"),
            ({"role": "r", "content": "c", "session": "s", "output": "o"}, "leave output out"),
            ({"duration_s": "a", "duration_ms": "b"}, "leave one out"),
            ("no-such.toml", "no such file"),
        ],
    )
    def test_wrong_ones_are_refused_at_once(self, mapping: Any, said: str) -> None:
        with pytest.raises(UsageError) as caught:
            read("never-opened.csv", mapping=mapping)
        assert said in str(caught.value)

    def test_a_column_that_is_not_there(self) -> None:
        with pytest.raises(
            UsageError, match=r"no column is named 'Q'; did you mean .* 'conv', 'q'"
        ):
            events(table("conv,q\n1,2\n"), {"input": "Q"})

    def test_a_format_beside_a_mapping_needs_requests(self) -> None:
        with pytest.raises(UsageError, match="leave the format out"):
            events(table("q,a\n1,2\n"), {"input": "q"}, format="openai-chat")

    def test_with_a_format_alone_rows_are_its_records(self) -> None:
        record = {"kind": "tool_run", "name": "look", "arguments": '{"a": 1}', "session": ""}
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, record)
        writer.writeheader()
        writer.writerow(record)
        [run] = events(table(text.getvalue()), format="llmtee")
        assert (run.arguments, run.session) == ({"a": 1}, None)


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
ROWS = st.lists(st.fixed_dictionaries(dict.fromkeys(("conv", "q", "a", "more"), WORDS)), max_size=6)


def as_csv(rows: list[dict[str, str]], delimiter: str, quoting: int) -> io.BytesIO:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, ["conv", "q", "a", "more"], delimiter=delimiter, quoting=quoting)  # type: ignore[arg-type]
    writer.writeheader()
    writer.writerows(rows)
    return table(out.getvalue())


@given(ROWS, st.sampled_from(",;\t|"), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_the_same_rows_are_the_same_events_whatever_holds_them(
    rows: list[dict[str, str]], delimiter: str, quoting: int
) -> None:
    expected = events(as_csv(rows, delimiter, quoting), BASIC)
    assert [event.input[0].text if event.input else "" for event in expected] == [
        row["q"] for row in rows
    ]
    schema = pa.schema([(name, pa.string()) for name in ("conv", "q", "a", "more")])
    for kind in KINDS:
        assert events(written(rows, kind, schema=schema), BASIC) == expected
    text = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    assert events(table(text, "t.jsonl"), BASIC) == expected


ODD = (
    strategies.json_values()
    | st.sampled_from(
        ["1e999999999", "1" * 5000, "1e300", 1e308, -1, "9999-12-31T23:59:59", "0001-01-01"]
    )
    | st.text("0123456789.,:-eTZ ", max_size=20)
)
WIDE = {
    **{name: name for name in FIELDS if FIELDS[name].kind != "content"},
    **{f"{name}.x": f"{name} x" for name in OPEN if name != "usage"},
    "properties.t": {"column": "t", "type": "time"},
    "metrics.n": {"column": "n", "type": "number"},
    "usage.input_tokens": "tokens",
}
for _name in ("request", "response", "role", "tool_calls", "duration_ms"):
    del WIDE[_name]
MESSAGE = {name: name for name in ("session", "role", "content", "tool_calls", "tool_call_id")}
EXCHANGE = {
    name: name for name in ("id", "request", "response", "started_at", "tags", "error", "cost")
}


@given(
    st.sampled_from([WIDE, MESSAGE, EXCHANGE]),
    st.sampled_from(
        [{}, {"timezone": "Europe/Berlin", "decimal": ","}, {"times": ["serial", "%y"]}]
    ),
    st.data(),
)
def test_whatever_stands_in_a_row_it_is_read_or_named(
    mapping: dict[str, Any], options: dict[str, Any], data: st.DataObject
) -> None:
    columns = [one if isinstance(one, str) else one["column"] for one in mapping.values()]
    names = data.draw(st.lists(st.sampled_from([*columns, "other"]), max_size=4, unique=True))
    row = {name: data.draw(ODD) for name in names}
    found, errors = broken(io.StringIO(json.dumps(row)), {**mapping, **options})
    assert len(found) + len(errors) == 1
    assert not errors or errors[0].line == 1


def test_what_a_spreadsheet_exported_comes_in_with_one_mapping() -> None:
    found = events(TABLES / "support-export.csv", TABLES / "support-export.toml")
    assert [event.source_ids["record"] for event in found] == [f"A-20{n}" for n in range(1, 6)]
    first = found[0]
    assert first.input[0].text == "Wo ist mein Paket?\nBestellnummer: 4711"
    assert (first.usage.input_tokens, first.cost.amount) == (1204, Decimal("0.00031"))
    assert (first.feedback, first.tags) == (
        {"rating": "positive", "comment": "Schnell; danke!"},
        ("versand", "status"),
    )
    day = dt.datetime(2026, 11, 3, tzinfo=dt.UTC)
    assert [event.started_at - day for event in found] == [
        dt.timedelta(hours=8, minutes=14, seconds=2),
        dt.timedelta(hours=8, minutes=15),
        dt.timedelta(hours=10, minutes=30),
        dt.timedelta(hours=11),
        dt.timedelta(hours=12),
    ]
    assert llmtee.assemble(found)[0].messages[3].text == "Zwischen 10 und 12 Uhr."
