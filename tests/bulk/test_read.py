"""Reading files and streams, good and bad."""

from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmtee import registry
from llmtee._data_files import data_dir
from llmtee.bulk import read
from llmtee.errors import InputError, UnknownName
from llmtee.model import ModelCall, Step, ToolRun
from llmtee.model.ids import is_uuid

KNOWN = (
    ".json, .jsonl, .ndjson, .csv, .tsv, plain or .gz, .zst, .zstd; "
    ".parquet, .arrow, .arrows, .feather, .ipc"
)


def chat(n: int = 1, **fields: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": f"answer {n}"}
    return {
        "request": {"model": "gpt-5", "messages": [{"role": "user", "content": f"question {n}"}]},
        "response": {"choices": [{"message": message}]},
        **fields,
    }


def lines(*values: Any) -> str:
    return "".join(
        f"{value if isinstance(value, str) else json.dumps(value)}\n" for value in values
    )


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(content: str | bytes, name: str = "in.jsonl") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def questions(items: Any) -> list[str]:
    return [item.input[0].text for item in items]


class TestShapesOfFiles:
    def test_json_lines(self, write: Callable[..., Path]) -> None:
        path = write(lines(chat(1), chat(2)))
        assert questions(read(path)) == questions(read(str(path))) == ["question 1", "question 2"]

    @pytest.mark.parametrize(
        "content",
        [
            json.dumps([chat(1), chat(2)]),
            json.dumps([chat(1), chat(2)], indent=2),
            "\n\n[\n" + ",\n".join(json.dumps(chat(n)) for n in (1, 2)) + "\n]\n",
            "\ufeff" + lines(chat(1), chat(2)),
            "\n  \n" + lines(chat(1), "", "   ", chat(2)) + "\n",
            lines(chat(1), chat(2)).replace("\n", "\r\n"),
            lines(chat(1), chat(2)).rstrip("\n"),
        ],
        ids=[
            "list",
            "indented list",
            "list of lines",
            "bom",
            "blank lines",
            "crlf",
            "no end of line",
        ],
    )
    def test_other_shapes(self, write: Callable[..., Path], content: str) -> None:
        assert questions(read(write(content))) == ["question 1", "question 2"]
        assert questions(read(io.StringIO(content))) == ["question 1", "question 2"]
        assert questions(read(io.BytesIO(content.encode()))) == ["question 1", "question 2"]
        packed = write(gzip.compress(content.encode()), "in.jsonl.gz")
        assert questions(read(packed)) == ["question 1", "question 2"]
        assert questions(read(io.BytesIO(packed.read_bytes()))) == ["question 1", "question 2"]

    def test_one_indented_object(self, write: Callable[..., Path]) -> None:
        assert questions(read(write(json.dumps(chat(1), indent=4), "one.json"))) == ["question 1"]

    @pytest.mark.parametrize("content", ["", "\n\n", "[]", "\ufeff"])
    def test_nothing(self, write: Callable[..., Path], content: str) -> None:
        assert list(read(write(content))) == []

    def test_several_sources(self, write: Callable[..., Path]) -> None:
        first, second = write(lines(chat(1)), "a.jsonl"), io.StringIO(lines(chat(2)))
        assert questions(read([first, second])) == ["question 1", "question 2"]

    def test_stdin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(lines(chat(1)).encode())))
        monkeypatch.setattr(sys, "stdin", stdin)
        assert questions(read("-")) == ["question 1"]

    def test_an_open_stream_stays_open(self) -> None:
        stream = io.BytesIO(lines(chat(1)).encode())
        assert questions(read(stream)) == ["question 1"]
        assert not stream.closed

    def test_reading_is_lazy(self, write: Callable[..., Path]) -> None:
        items = read(write(lines(chat(1), "{broken")))
        assert questions([next(items)]) == ["question 1"]
        with pytest.raises(InputError):
            next(items)


class TestFormats:
    def test_each_record_of_a_file_is_told_by_its_shape(self, write: Callable[..., Path]) -> None:
        own = [ToolRun(id="t", name="look"), Step(id="s")]
        path = write(lines(chat(1), *(item.to_json() for item in own)))
        first, *rest = read(path)
        assert isinstance(first, ModelCall)
        assert rest == own

    def test_the_recorded_conversations(self) -> None:
        files = sorted((data_dir("fixtures") / "conversations").glob("*.jsonl"))
        items = list(read([*files]))
        assert len({item.session for item in items}) == len(files)
        assert len({item.id for item in items}) == len(items)
        assert list(read([*files])) == items

    @pytest.mark.parametrize("vendor", ["honeyhive", "inkeep", "roark", "voker"])
    def test_a_vendors_own_payload(self, vendor: str) -> None:
        seed = data_dir("fixtures") / "vendors" / vendor / "seed.json"
        payload = json.loads(seed.read_text())
        assert list(read(seed, vendor)) == registry.vendor(vendor).parse(payload)

    def test_an_unknown_format_is_refused_at_once(self) -> None:
        with pytest.raises(
            UnknownName, match=r"did you mean 'openai-chat'.*known: .*auto, .*honeyhive"
        ):
            read("whatever.jsonl", "open-ai-chat")

    @pytest.mark.parametrize("value", [{"content": [], "stop_reason": "x"}, {}, 3, '"text"', None])
    def test_what_no_format_recognises_is_not_guessed(self, value: Any) -> None:
        with pytest.raises(
            InputError, match=r"looked for .*llmtee, .*openai-chat.*, saw .*format="
        ) as caught:
            list(read(io.StringIO(lines(value))))
        assert caught.value.line == 1

    def test_a_record_of_another_format_is_refused(self) -> None:
        other = {
            "request": chat()["request"],
            "response": {"content": [], "stop_reason": "end_turn"},
        }
        with pytest.raises(InputError, match="neither choices nor error") as caught:
            list(read(io.StringIO(lines(chat(), other)), "openai-chat"))
        assert (caught.value.line, caught.value.path) == (2, "response")


class TestBadInput:
    def bad(self, source: Any) -> tuple[list[Any], list[InputError]]:
        errors: list[InputError] = []
        return list(read(source, on_error=errors.append)), errors

    def test_a_broken_line_costs_only_itself(self, write: Callable[..., Path]) -> None:
        records = [json.dumps(chat(n)) for n in range(1, 11)]
        records[2] = records[2][:40]
        path = write(lines(*records))
        good, [error] = self.bad(path)
        assert questions(good) == [f"question {n}" for n in (1, 2, *range(4, 11))]
        assert (error.source, error.line) == (str(path), 3)
        assert "ends too early" in str(error)
        with pytest.raises(InputError, match=r"in\.jsonl:3: is not JSON"):
            list(read(path))

    def test_a_broken_first_line_is_not_taken_for_a_document(self) -> None:
        good, [error] = self.bad(io.StringIO(lines(json.dumps(chat(1))[:30], chat(2), chat(3))))
        assert questions(good) == ["question 2", "question 3"]
        assert error.line == 1

    def test_a_broken_document_is_named_by_its_line(self, write: Callable[..., Path]) -> None:
        text = "\n" + json.dumps([chat(1)], indent=2).replace('"choices": [', '"choices": [,')
        _, [error] = self.bad(write(text))
        line = next(i for i, row in enumerate(text.splitlines(), 1) if "[," in row)
        assert error.line == line
        assert "one JSON value a line" in error.reason

    def test_a_bad_value_is_named_by_line_and_path(self) -> None:
        bad = chat(2)
        bad["request"]["messages"][0]["role"] = 7
        good, [error] = self.bad(io.StringIO(lines(chat(1), bad, chat(3))))
        assert questions(good) == ["question 1", "question 3"]
        assert str(error) == "stream:2: request.messages[0].role: must be text, not a number"

    def test_in_a_list_the_path_says_which(self) -> None:
        bad = chat(2, session=[])
        _, [error] = self.bad(io.StringIO(json.dumps([chat(1), bad], indent=1)))
        assert (error.line, error.path) == (23, "[1].session")

    @pytest.mark.parametrize(
        "value", ["NaN", "1e999", '"\\ud800"', "9" * 5000, "[" * 500 + "]" * 500]
    )
    def test_odd_json_is_an_error_of_its_line(self, value: str) -> None:
        good, errors = self.bad(io.StringIO(lines(value, chat(2))))
        assert questions(good) == ["question 2"]
        assert {error.line for error in errors} == {1}

    def test_a_line_that_is_not_utf8_costs_only_itself(self, write: Callable[..., Path]) -> None:
        good, [error] = self.bad(
            write(lines(chat(1)).encode() + b'{"a": "\xff"}\n' + lines(chat(2)).encode())
        )
        assert len(good) == 2
        assert (error.line, error.reason) == (2, "is not UTF-8 at byte 8: invalid start byte")

    @pytest.mark.parametrize(
        "content",
        [
            b"\x89PNG\r\n\x1a\n\x00\x00",
            b"\xff\xd8\xff\xe0",
            b"SQLite format 3\x00" + b"\x01" * 9000,
        ],
    )
    def test_a_binary_file_is_one_error(self, write: Callable[..., Path], content: bytes) -> None:
        path = write(content, "photo.png")
        good, [error] = self.bad([path, io.StringIO(lines(chat(1)))])
        assert questions(good) == ["question 1"]
        assert "binary file" in error.reason
        assert error.source == str(path)

    def test_utf16_is_named(self, write: Callable[..., Path]) -> None:
        _, [error] = self.bad(write(lines(chat(1)).encode("utf-16")))
        assert "UTF-16" in error.reason

    def test_a_gzip_file_cut_short_gives_what_it_holds(self, write: Callable[..., Path]) -> None:
        packed = gzip.compress(lines(*(chat(n) for n in range(400))).encode(), compresslevel=0)
        good, errors = self.bad(write(packed[: len(packed) // 2]))
        assert 100 < len(good) < 400
        assert errors[-1].line is not None
        assert "cut short" in errors[-1].reason

    def test_a_missing_file_and_a_directory(self, tmp_path: Path) -> None:
        missing = tmp_path / "no.jsonl"
        good, errors = self.bad([missing, tmp_path, io.StringIO(lines(chat(1)))])
        assert questions(good) == ["question 1"]
        assert [str(error) for error in errors] == [
            f"{missing}: no such file",
            f"{tmp_path}: holds no file of records ({KNOWN}); name the files in it",
        ]
        with pytest.raises(InputError, match="no such file"):
            list(read(missing))

    def test_what_the_caller_raises_goes_through_once(self) -> None:
        calls: list[InputError] = []

        def stop(error: InputError) -> None:
            calls.append(error)
            raise InputError("enough")

        with pytest.raises(InputError, match="enough"):
            list(read(io.StringIO("x\ny\n"), on_error=stop))
        assert len(calls) == 1


class TestIdentity:
    def ids(self, *records: Any, name: str = "auto") -> list[str]:
        return [item.id for item in read(io.StringIO(lines(*records)), name)]

    def test_equal_records_without_ids_stay_apart_and_keep_their_ids(self) -> None:
        first = self.ids(chat(1), chat(2), chat(1), chat(1))
        assert len(set(first)) == 4
        assert all(map(is_uuid, first))
        assert self.ids(chat(1), chat(2), chat(1), chat(1)) == first
        assert self.ids(chat(1))[0] == first[0]

    def test_a_record_with_an_id_is_the_same_wherever_it_stands(self) -> None:
        named = chat(1, id="run-1")
        assert len(set(self.ids(named, chat(2), named))) == 2

    def test_a_call_logged_twice_is_one_event(self) -> None:
        answered = chat(1)
        answered["response"]["id"] = "chatcmpl-1"
        assert len(set(self.ids(answered, {**answered, "session": "s"}, answered["response"]))) == 2

    def test_a_server_that_repeats_its_ids_loses_nothing(self) -> None:
        calls = [chat(1), chat(2), chat(1)]
        for call in calls:
            call["response"]["id"] = "chatcmpl-local"
        ids = self.ids(*calls)
        assert ids[0] == ids[2] != ids[1]

    def test_our_own_events_keep_their_ids(self) -> None:
        event = ToolRun(id="t", name="look").to_json()
        assert self.ids(event, event) == ["t", "t"]
        anonymous = {"kind": "tool_run", "name": "look"}
        assert len(set(self.ids(anonymous, anonymous))) == 2

    def test_a_vendors_batch_read_twice_is_the_same_events(self) -> None:
        seed = json.loads(
            (data_dir("fixtures") / "vendors" / "honeyhive" / "seed.json").read_text()
        )
        once = self.ids(seed, name="honeyhive")
        assert self.ids(seed, seed, name="honeyhive") == once * 2
