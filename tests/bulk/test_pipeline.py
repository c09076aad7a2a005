"""Conversions in chunks and over processes: the same output, however it is cut and whoever works."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from llmtee import bulk, read
from llmtee._data_files import data_dir
from llmtee.bulk import _chunks, _run, convert
from llmtee.bulk._identity import Claim, Repetitions
from llmtee.bulk._store import Ordinals, Store
from llmtee.errors import ConversionStopped, UsageError
from llmtee.privacy import Where

LINE = st.one_of(
    st.integers(0, 5).map(str),
    st.sampled_from(["", "   ", '{"kind": ', "[]", "null", '{"a": 1}', "\ufeff", "{", "]"]),
)


def text_of(lines: list[str], record: Callable[..., Any]) -> str:
    """Digits become records; the same digit the same call, 0 and 1 two calls under one id."""
    made = []
    for line in lines:
        value = record(int(line), f"s{line}") if line.isdigit() else None
        if value is not None and line in "01":
            value["response"]["id"] = "same"
        made.append(line if value is None else json.dumps(value))
    return "\n".join(made)


def converted(source: str, **options: Any) -> tuple[str, str, list[str]]:
    out, errors = io.StringIO(), []
    report = convert(io.StringIO(source), out, on_error=lambda e: errors.append(str(e)), **options)
    return repr(report), out.getvalue(), errors


@contextmanager
def cutting(count: int, size: int) -> Iterator[None]:
    """Chunks are so large."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_chunks, "COUNT", count)
        patch.setattr(_chunks, "BYTES", size)
        patch.setattr(_run, "_JOINED", count)
        yield


class TestChunks:
    @pytest.mark.parametrize("target", ["llmtee", "roark"])
    @given(lines=st.lists(LINE, max_size=12), count=st.integers(1, 5), size=st.integers(1, 2000))
    def test_their_size_does_not_matter(
        self,
        record: Callable[..., Any],
        target: str,
        lines: list[str],
        count: int,
        size: int,
    ) -> None:
        text = text_of(lines, record)
        with cutting(10**6, 10**9):
            whole = converted(text, target=target)
        with cutting(count, size):
            assert converted(text, target=target) == whole

    @given(lines=st.lists(LINE, max_size=12), count=st.integers(1, 5))
    def test_what_is_converted_is_what_is_read(
        self,
        record: Callable[..., Any],
        lines: list[str],
        count: int,
    ) -> None:
        text, errors = text_of(lines, record), []
        items = list(read(io.StringIO(text), on_error=lambda e: errors.append(str(e))))
        with cutting(count, 10**9):
            _, out, told = converted(text, target="llmtee")
        assert [json.loads(line) for line in out.splitlines()] == [one.to_json() for one in items]
        assert told == errors

    def test_a_document_is_cut_too(self, record: Callable[..., Any]) -> None:
        text = json.dumps([record(n) for n in range(7)], indent=1)
        _, whole, _ = converted(text, target="llmtee")
        seen: list[int] = []
        with cutting(2, 10**9):
            _, out, _ = converted(text, target="llmtee", on_progress=lambda p: seen.append(p.read))
        assert out == whole
        assert seen == [2, 4, 6, 7]


@given(
    chunks=st.lists(
        st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3)), max_size=5), max_size=8
    ),
    lag=st.integers(0, 3),
)
def test_ordinals_are_those_of_one_reader(chunks: list[list[tuple[int, int]]], lag: int) -> None:
    # Ids made of content and ids of responses never share a key.
    claims = [[Claim(key * 10 + (content > 0), content) for key, content in one] for one in chunks]
    reader = Repetitions()
    expected = [[reader.ordinal(claim) for claim in one] for one in claims]
    store = Store(None)
    ordinals, found = Ordinals(store), []
    for number, one in enumerate(claims):
        flat = array("q")
        for position, claim in enumerate(one):
            flat.extend((position, claim.key, claim.content))
        other = ordinals.resolve(flat)
        found.append([other.get(position, 0) for position in range(len(one))])
        if number >= lag:
            ordinals.settle()
    store.close()
    assert found == expected


def errors_of(path: Path) -> bytes:
    return Path(f"{path}.errors.jsonl").read_bytes()


class TestWorkers:
    @pytest.fixture(autouse=True)
    def _small_chunks(self) -> Iterator[None]:
        with cutting(17, 10**6):
            yield

    def same(self, source: Any, folder: Path, workers: int, name: str, **options: Any) -> bytes:
        one, more = folder / f"one-{name}", folder / f"more-{name}"
        options["on_error"] = str
        expected = convert(source, one, errors=f"{one}.errors.jsonl", **options)
        report = convert(source, more, errors=f"{more}.errors.jsonl", workers=workers, **options)
        assert more.read_bytes() == one.read_bytes()
        assert repr(report) == repr(expected)
        if report.failed:
            assert errors_of(more) == errors_of(one)
        return one.read_bytes()

    @pytest.mark.parametrize("target", ["honeyhive", "inkeep"])
    def test_two_do(self, scattered: Path, tmp_path: Path, target: str) -> None:
        self.same(scattered, tmp_path, 2, "a.jsonl", target=target)

    @pytest.mark.slow
    @pytest.mark.parametrize("workers", [2, 3])
    @pytest.mark.parametrize("name", ["a.jsonl", "b.jsonl.gz", "c.jsonl.zst"])
    @pytest.mark.parametrize("target", ["honeyhive", "inkeep", "roark", "voker", "llmtee"])
    def test_any_number_does(
        self, scattered: Path, tmp_path: Path, workers: int, target: str, name: str
    ) -> None:
        packed = self.same(scattered, tmp_path, workers, name, target=target)
        if name.endswith(".gz"):
            assert gzip.decompress(packed).count(b"\n") > 1
        if name.endswith(".zst"):
            with zstandard.open(tmp_path / f"one-{name}", "rb") as file:
                assert file.read().count(b"\n") > 1

    @pytest.mark.slow
    def test_filters_indents_and_all_kinds_of_sources(
        self, scattered: Path, tmp_path: Path
    ) -> None:
        traces = sorted((data_dir("fixtures") / "formats" / "otel-genai").glob("*.json"))
        sources = [path for path in traces if not path.name.endswith(".expected.json")]
        (tmp_path / "t.csv").write_text("session,user,answer\ns,hi,ho\n", "utf-8")
        options: dict[str, Any] = {
            "sample": 0.5,
            "where": Where(kinds=("model_call",)),
            "indent": 2,
        }
        source = [scattered, *sources, tmp_path / "missing.jsonl", scattered]
        for target in ("llmtee", "openai-chat"):
            self.same(source, tmp_path, 2, f"{target}.json", target=target, **options)
        mapping = {"session": "session", "input": "user", "output": "answer"}
        table = [tmp_path / "t.csv"]
        self.same(table, tmp_path, 2, "t.jsonl", target="llmtee", mapping=mapping)

    @pytest.mark.parametrize("where", [lambda item: True, "main"])
    def test_what_cannot_travel_is_refused(
        self, scattered: Path, tmp_path: Path, where: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if where == "main":
            where = type("Wanted", (), {"__module__": "__main__", "__call__": lambda *_: True})()
        with pytest.raises(UsageError, match="workers at 1"):
            convert(scattered, tmp_path / "o", target="llmtee", workers=2, where=where)
        assert not [*tmp_path.glob("o*")]

    @pytest.mark.slow
    def test_a_worker_that_is_lost_is_named(
        self, scattered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "deadly.py").write_text(
            "import os\ndef where(item): os.kill(os.getpid(), 9)\n", "utf-8"
        )
        monkeypatch.syspath_prepend(tmp_path)
        import deadly  # type: ignore[import-not-found] # noqa: PLC0415

        with pytest.raises(ConversionStopped, match=r"ended by signal 9 \(out of memory\?\)"):
            convert(scattered, tmp_path / "o", target="llmtee", workers=2, where=deadly.where)


SCRIPT = """
import os, sys
import llmtee
from llmtee.bulk import _chunks
_chunks.COUNT = 17
one = llmtee.convert(sys.argv[1], sys.argv[2] + ".one", target="honeyhive", on_error=str)
report = llmtee.convert(sys.argv[1], sys.argv[2], target="honeyhive", workers=2, on_error=str)
children = open(f"/proc/self/task/{os.getpid()}/children").read().split()
print(report.read, repr(report) == repr(one), len(children))
"""


def test_a_script_needs_no_guard_and_no_process_is_left(scattered: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, "utf-8")
    words = [sys.executable, script, scattered, tmp_path / "out.jsonl"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "120 True 0\n"
    one = tmp_path / "out.jsonl.one"
    assert (tmp_path / "out.jsonl").read_bytes() == one.read_bytes()


class TestErrorFile:
    def test_each_error_with_what_was_there(
        self, tmp_path: Path, record: Callable[..., Any]
    ) -> None:
        good = json.dumps(record(1)).encode()
        lines = [
            json.dumps(record(1)).encode(),  # a file that begins with NUL bytes is no text
            good[:40] + b"\r",
            b'{"text": "\xff"}',
            b'{"a": 1}',
            json.dumps([record(2), 5, {"b": 2}]).encode(),
            b"\x00\x01",
            json.dumps({**record(3), "tags": 4}).encode(),
        ]
        source, side = tmp_path / "in.jsonl", tmp_path / "bad.jsonl"
        source.write_bytes(b"\n".join(lines))
        report = convert(source, tmp_path / "o", target="llmtee", errors=side, on_error=str)
        told = [json.loads(line) for line in side.read_text().splitlines()]
        assert [one["line"] for one in told] == [2, 3, 4, 5, 5, 6, 7]
        assert [one["path"] for one in told] == [None, None, None, "[1]", "[2]", None, "tags"]
        assert [one.get("original") for one in told] == [
            good[:40].decode(),
            None,
            '{"a": 1}',
            "5",
            '{"b":2}',
            "\x00\x01",
            lines[6].decode(),
        ]
        assert told[1]["original_base64"] == "eyJ0ZXh0IjogIv8ifQ=="
        assert {one["source"] for one in told} == {str(source)}
        assert report.failed == sum(report.reasons.values()) == 7
        assert report.reasons["tags: must be a list, not a number"] == 1
        assert report.read == 2

    def test_without_errors_there_is_none(self, tmp_path: Path, record: Callable[..., Any]) -> None:
        side = tmp_path / "bad.jsonl"
        side.write_text("of an earlier run", "utf-8")
        out = io.StringIO()
        convert(io.StringIO(json.dumps(record(1))), out, target="llmtee", errors=side)
        assert not side.exists()

    def test_where_it_cannot_be_written(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="cannot be written"):
            convert(
                io.StringIO("{"),
                tmp_path / "o",
                target="llmtee",
                errors=tmp_path / "no" / "bad.jsonl",
            )
        assert not [*tmp_path.iterdir()]


def test_progress_counts_bytes_as_they_are_on_disk(scattered: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(scattered.read_bytes()))
    seen: list[bulk.Progress] = []
    convert(
        [scattered, packed], tmp_path / "o", target="inkeep", on_error=str, on_progress=seen.append
    )
    total = scattered.stat().st_size + packed.stat().st_size
    reading = [one for one in seen if one.phase == "reading"]
    assert (reading[-1].done, reading[-1].total, reading[-1].read) == (total, total, 240)
    assert all(before.done <= after.done for before, after in pairwise(reading))
    assert (seen[-1].phase, seen[-1].done, seen[-1].total) == ("assembling", 13, 13)
