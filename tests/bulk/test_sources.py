"""Where records come from: packed files, folders, globs, pipes, and documents that are too large to hold."""

from __future__ import annotations

import gzip
import io
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from llmtee import jsontext, read
from llmtee.bulk import _lines, _source
from llmtee.bulk._documents import Documents
from llmtee.errors import InputError, UsageError


def tools(*names: str) -> str:
    return "".join(json.dumps({"kind": "tool_run", "name": name}) + "\n" for name in names)


def names(source: Any, **options: Any) -> list[str]:
    return [item.name for item in read(source, **options)]


def broken(source: Any, **options: Any) -> tuple[list[str], list[InputError]]:
    errors: list[InputError] = []
    return names(source, on_error=errors.append, **options), errors


def zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)


class Counted(io.RawIOBase):
    """A stream that counts what was pulled from it."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._held, self.pulled = pieces, b"", 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._held = self._held or next(self._pieces, b"")
        size = min(len(self._held), len(buffer))
        buffer[:size], self._held = self._held[:size], self._held[size:]
        self.pulled += size
        return size


class TestPacked:
    @pytest.mark.parametrize("pack", [gzip.compress, zstd], ids=["gzip", "zstd"])
    def test_told_by_content_whatever_its_name(self, tmp_path: Path, pack: Any) -> None:
        content = pack(tools("a").encode()) + pack(tools("b").encode())  # as `cat` joins them
        path = tmp_path / "log.txt"
        path.write_bytes(content)
        assert names(path) == names(io.BytesIO(content)) == ["a", "b"]

    @pytest.mark.parametrize("pack", [gzip.compress, zstd], ids=["gzip", "zstd"])
    def test_cut_short_is_said_after_what_is_there(self, pack: Any) -> None:
        content = tools(*(f"{n:0200}" for n in range(600))).encode()
        noise = bytes(json.dumps({"kind": "tool_run", "name": "n"}), "ascii")
        packed = pack(content + noise)
        good, errors = broken(io.BytesIO(packed[: len(packed) - 9]))
        assert good[:3] == [f"{n:0200}" for n in range(3)]
        assert "cut short" in errors[-1].reason
        assert errors[-1].line is not None

    def test_what_is_no_zstd_after_all(self) -> None:
        _, [error] = broken(io.BytesIO(b"\x28\xb5\x2f\xfd" + b"x" * 100))
        assert error.reason.startswith("cannot be read: zstd: ")

    def test_without_the_extra_it_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "zstandard", None)
        with pytest.raises(UsageError, match=r"pip install 'llmtee\[zstd\]'"):
            names(io.BytesIO(zstd(b"{}")))

    def test_a_spreadsheet_itself_is_named(self) -> None:
        _, [error] = broken(io.BytesIO(b"PK\x03\x04" + b"\0" * 30))
        assert "save the sheet as CSV" in error.reason


class TestFolders:
    @pytest.fixture
    def logs(self, tmp_path: Path) -> Path:
        for name in ("b/2.jsonl", "b/1.ndjson", "a.jsonl", ".hidden/x.jsonl", "notes.txt"):
            path = tmp_path / "logs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(tools(name), "utf-8")
        (tmp_path / "logs" / "c.jsonl.gz").write_bytes(gzip.compress(tools("c").encode()))
        return tmp_path / "logs"

    def test_the_files_in_a_folder_in_order(
        self, logs: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO, "llmtee.bulk"):
            assert names(logs) == ["a.jsonl", "b/1.ndjson", "b/2.jsonl", "c"]
        [said] = caplog.messages
        assert "passed over" in said
        assert "notes.txt" in said
        assert ".hidden" in said

    def test_globs(self, logs: Path) -> None:
        assert names(f"{logs}/**/*.jsonl") == ["a.jsonl", "b/2.jsonl"]
        assert names([f"{logs}/*.gz", f"{logs}/b/?.ndjson"]) == ["c", "b/1.ndjson"]
        assert broken(f"{logs}/*.parquet")[1][0].reason == "no file matches"

    def test_a_name_that_looks_like_a_glob_and_is_there(self, tmp_path: Path) -> None:
        path = tmp_path / "log[1].jsonl"
        path.write_text(tools("a"), "utf-8")
        assert names(path) == ["a"]


class TestDocuments:
    @pytest.mark.parametrize("indent", [None, 1])
    def test_a_long_list_is_read_piece_by_piece(self, indent: int | None) -> None:
        def pieces() -> Iterator[bytes]:
            yield b"["
            for n in range(100_000):
                one = {"kind": "tool_run", "name": f"{n}", "result": 'a "]}, \\" b' * 20}
                yield (b"," if n else b"") + json.dumps(one, indent=indent).encode()
            yield b"]"

        stream = Counted(pieces())
        items = read(stream)
        assert [next(items).name for _ in range(50)] == [str(n) for n in range(50)]
        assert stream.pulled < 1_000_000  # of some 40 MB

    def test_lines_are_read_one_by_one(self) -> None:
        stream = Counted(tools(str(n)).encode() for n in range(100_000))
        items = read(stream)
        assert next(items).name == "0"
        assert stream.pulled < 500

    def test_a_broken_entry_costs_only_itself(self) -> None:
        entries = [tools("a").strip(), '{"kind": [}', "nul", "", tools("b").strip()]
        text = "[\n" + ",\n".join(entries) + "\n]\n"
        good, errors = broken(io.StringIO(text))
        assert good == ["a", "b"]
        assert [(error.line, error.path) for error in errors] == [
            (3, "[1]"),
            (4, "[2]"),
            (5, "[3]"),
        ]
        assert all("one JSON value a line" in error.reason for error in errors)

    def test_a_list_that_does_not_end(self) -> None:
        good, [error] = broken(io.StringIO(f"[\n{tools('a').strip()},\n\n  {{"))
        assert good == ["a"]
        assert error.line == 4
        assert "ends too early" in error.reason

    def test_indented_values_one_after_another(self) -> None:
        values = [json.dumps(json.loads(tools(name)), indent=2) for name in "ab"]
        assert names(io.StringIO("\n".join(values))) == ["a", "b"]

    def test_what_is_too_large_is_said_with_the_way_out(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for module in (_lines, sys.modules["llmtee.bulk._documents"]):
            monkeypatch.setattr(module, "MOST", 1 << 20)
        large = json.dumps({"kind": "tool_run", "name": "x" * (3 << 20)})
        good, [error] = broken(io.StringIO(f"{tools('a')}{large}\n{tools('b')}"))
        assert (good, error.line) == (["a", "b"], 2)
        assert "more than 1 MB" in error.reason
        assert "jq -c" in error.reason
        _, [error] = broken(io.BytesIO(b'{\n"a": [' + b"1,\n" * (1 << 20) + b"1]}"))
        assert "more than 1 MB" in error.reason

    @given(
        st.lists(
            st.recursive(
                st.none() | st.text() | st.integers(),
                lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
                max_leaves=8,
            ),
            max_size=5,
        ),
        st.sampled_from([None, 0, 2]),
        st.integers(1, 9),
    )
    def test_cutting_is_parsing(self, values: list[Any], indent: int | None, size: int) -> None:
        text = json.dumps(values, indent=indent, ensure_ascii=False).encode()
        stream = io.BytesIO(text)
        read1 = stream.read1
        stream.read1 = lambda wanted: read1(min(wanted, size))  # type: ignore[method-assign]
        cuts = [*Documents(b"", stream, "s")]
        assert [jsontext.loads(cut.text) for cut in cuts] == values  # type: ignore[union-attr]
        lines = text.split(b"\n")
        for cut in cuts:
            assert cut.text.split(b"\n")[0] in lines[cut.line - 1]  # type: ignore[union-attr, operator]


class TestStdin:
    @pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd])
    def test_by_content(self, monkeypatch: pytest.MonkeyPatch, pack: Any) -> None:
        stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(pack(tools("a").encode()))))
        monkeypatch.setattr(sys, "stdin", stdin)
        assert names("-") == ["a"]


def test_every_known_suffix_is_lower_case() -> None:
    assert all(one == one.lower() and one.startswith(".") for one in _source.SUFFIXES)
