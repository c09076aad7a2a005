"""Converting files: what is written, what is counted, and that a file appears whole or not at all."""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from llmtee import HoneyHive, Voker, registry
from llmtee._data_files import data_dir
from llmtee.assembly import fit
from llmtee.bulk import Report, convert, read
from llmtee.bulk import _tally as implementation
from llmtee.errors import InputError, LlmteeError, RenderError, UnknownName, UsageError
from llmtee.model import Conversation, Item, Message, ModelCall, TextPart, ToolRun
from llmtee.spec import WireItem

CONVERSATIONS = [*sorted((data_dir("fixtures") / "conversations").glob("*.jsonl"))]


def written(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def converted(src: Any, **options: Any) -> tuple[Report, list[Any]]:
    out = io.StringIO()
    report = convert(src, out, **options)
    return report, written(out.getvalue())


class TestTargets:
    @pytest.mark.parametrize("vendor", ["honeyhive", "inkeep", "roark", "voker"])
    def test_each_record_is_a_body_that_the_vendor_can_read_back(self, vendor: str) -> None:
        report, bodies = converted(CONVERSATIONS, target=vendor)
        back = [item for body in bodies for item in registry.vendor(vendor).parse(body)]
        assert report.records == len(bodies)
        assert report.written > 0
        assert len(back) >= report.written
        assert report.read == len(list(read([*CONVERSATIONS])))
        assert (report.failed, report.errors) == (0, ())
        if registry.vendor(vendor).grain == "event":
            assert report.written + sum(report.skipped.values()) == report.read
        else:
            assert report.written == len(CONVERSATIONS)

    def test_items_without_a_place_are_counted_by_reason(self) -> None:
        report, _ = converted(CONVERSATIONS, target="voker")
        reasons = " ".join(report.skipped)
        assert "tool runs" in reasons
        assert (
            report.skipped["Voker has no place for tool runs: its only event is a model call"] == 6
        )

    def test_settings_change_what_is_written(self) -> None:
        _, [body, *_] = converted(
            CONVERSATIONS[0], target=HoneyHive(project="Simple RAG", api="legacy")
        )
        assert "Simple RAG" in json.dumps(body)
        report, _ = converted(CONVERSATIONS, target=Voker(failed_calls=True))
        assert report.written == 22

    def test_a_setting_may_come_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HH_PROJECT", "From outside")
        _, [body, *_] = converted(CONVERSATIONS[0], target="honeyhive")
        assert "From outside" in json.dumps(body)

    def test_our_own_format_keeps_everything(self) -> None:
        items = list(read([*CONVERSATIONS]))
        report, objects = converted(CONVERSATIONS, target="llmtee")
        assert objects == [item.to_json() for item in items]
        assert list(read(io.StringIO(json.dumps(objects)))) == items
        assert report.written == report.records == report.read == len(items)

    def test_a_providers_format_keeps_what_stands_around_the_call(self) -> None:
        calls = [item for item in read([*CONVERSATIONS]) if isinstance(item, ModelCall)]
        report, records = converted(CONVERSATIONS, target="openai-chat")
        back = list(read(io.StringIO(json.dumps(records)), "openai-chat"))
        assert [item.model_dump(exclude={"native"}) for item in back] == [
            call.model_dump(exclude={"native"}) for call in calls
        ]
        assert report.skipped == {"openai-chat has no place for a tool_run": 6}

    def test_from_one_vendor_to_another(self) -> None:
        seed = data_dir("fixtures") / "vendors" / "roark" / "seed.json"
        [conversation] = read(seed, "roark")
        report, bodies = converted(seed, source="roark", target="inkeep")
        assert report.written == len(bodies) == 1
        _, objects = converted(seed, source="roark", target="llmtee")
        assert objects == [conversation.to_json()]
        report, _ = converted(seed, source="roark", target="honeyhive")
        assert report.written == report.read * len(fit([conversation], "event"))

    def test_an_item_without_a_valid_shape_costs_only_itself(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        inkeep = registry.vendor("inkeep")

        def render(item: Item, settings: Any) -> WireItem:
            if item.id == "bad":
                raise RenderError("messages: must not be empty")
            return inkeep.render(item, settings)

        picky = dataclasses.replace(inkeep, render=render)
        monkeypatch.setattr(registry, "vendor", lambda name: picky)
        said = Message(role="user", parts=(TextPart(text="hi"),))
        talks = [Conversation(id=name, messages=(said,)).to_json() for name in ("bad", "good")]
        report, bodies = converted(io.StringIO(json.dumps(talks)), target="inkeep")
        assert (report.read, report.written, report.failed, len(bodies)) == (2, 1, 1, 1)
        assert [str(error) for error in report.errors] == ["messages: must not be empty"]

    @pytest.mark.parametrize("target", ["honeyhiv", "auto"])
    def test_an_unknown_target_is_refused(self, target: str) -> None:
        with pytest.raises(UnknownName, match="vendor or format"):
            convert(CONVERSATIONS[0], io.StringIO(), target=target)


class TestBadInput:
    def source(self, broken: int, good: int = 2) -> io.StringIO:
        event = json.dumps(ToolRun(id="t", name="look").to_json())
        return io.StringIO("\n".join([event, *['{"kind": '] * broken, *[event] * (good - 1)]))

    def test_good_lines_go_on(self) -> None:
        seen: list[LlmteeError] = []
        report, objects = converted(self.source(1), target="llmtee", on_error=seen.append)
        assert (report.read, report.written, report.failed, len(objects)) == (2, 2, 1, 2)
        assert [str(error) for error in report.errors] == [str(error) for error in seen]
        assert str(seen[0]).startswith("stream:2: is not JSON")

    def test_all_errors_are_counted_and_the_first_ones_kept(self) -> None:
        report, _ = converted(self.source(implementation.MAX_ERRORS + 7), target="llmtee")
        assert report.failed == implementation.MAX_ERRORS + 7
        assert len(report.errors) == implementation.MAX_ERRORS

    def test_a_file_that_cannot_be_read_at_all_is_raised(self, tmp_path: Path) -> None:
        target = tmp_path / "out.jsonl"
        with pytest.raises(InputError, match="no such file"):
            convert(tmp_path / "missing.jsonl", target, target="llmtee")
        assert list(tmp_path.iterdir()) == []

    def test_unless_somebody_listens(self, tmp_path: Path) -> None:
        seen: list[LlmteeError] = []
        sources = [tmp_path / "missing.jsonl", self.source(0)]
        report, _ = converted(sources, target="llmtee", on_error=seen.append)
        assert (report.written, report.failed, len(seen)) == (2, 1, 1)


class TestDestination:
    def test_a_file_appears_when_it_is_complete(self, tmp_path: Path) -> None:
        target = tmp_path / "out.jsonl"
        target.write_text("before")

        def look(error: LlmteeError) -> None:
            assert target.read_text() == "before"
            seen.append(error)

        seen: list[LlmteeError] = []
        source = TestBadInput().source(1)
        convert(source, target, target="llmtee", on_error=look)
        assert seen
        assert len(written(target.read_text())) == 2
        assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]

    def test_a_conversion_that_fails_leaves_what_was_there(self, tmp_path: Path) -> None:
        target = tmp_path / "out.jsonl"
        target.write_text("before")

        def stop(error: LlmteeError) -> None:
            raise RuntimeError("stop")

        with pytest.raises(RuntimeError, match="stop"):
            convert(TestBadInput().source(1), target, target="llmtee", on_error=stop)
        assert target.read_text() == "before"
        assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]

    def test_a_file_may_be_converted_into_itself(self, tmp_path: Path) -> None:
        path = tmp_path / "log.jsonl"
        path.write_bytes(CONVERSATIONS[0].read_bytes())
        items = list(read(path))
        convert(path, path, target="llmtee")
        assert list(read(path)) == items

    def test_a_link_stays_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        link = tmp_path / "out.jsonl"
        link.symlink_to(tmp_path / "real" / "out.jsonl")
        convert(CONVERSATIONS[0], link, target="llmtee")
        assert link.is_symlink()
        assert list(read(tmp_path / "real" / "out.jsonl")) == list(read(CONVERSATIONS[0]))

    def test_what_is_no_file_is_written_as_it_is(self) -> None:
        convert(CONVERSATIONS[0], os.devnull, target="llmtee")
        assert not Path(os.devnull).is_file()

    def test_gz_is_packed_and_the_same_bytes_each_time(self, tmp_path: Path) -> None:
        first, second = tmp_path / "a.jsonl.gz", tmp_path / "b.jsonl.gz"
        for target in (first, second):
            convert(CONVERSATIONS[0], target, target="llmtee")
        assert first.read_bytes() == second.read_bytes()
        assert written(gzip.decompress(first.read_bytes()).decode())
        assert list(read(first)) == list(read(CONVERSATIONS[0]))

    def test_indented_output_is_one_list(self) -> None:
        out = io.BytesIO()
        convert(CONVERSATIONS[0], out, target="llmtee", indent=2)
        text = out.getvalue().decode()
        objects = [item.to_json() for item in read(CONVERSATIONS[0])]
        assert json.loads(text) == objects
        assert text == json.dumps(objects, indent=2, ensure_ascii=False) + "\n"
        empty = io.StringIO()
        convert(io.StringIO(""), empty, target="llmtee", indent=2)
        assert empty.getvalue() == "[]\n"

    def test_stdout(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stdout = io.TextIOWrapper(io.BytesIO())
        monkeypatch.setattr(sys, "stdout", stdout)
        convert(CONVERSATIONS[0], "-", target="llmtee")
        assert len(written(stdout.buffer.getvalue().decode())) == 3

    @pytest.mark.parametrize("where", ["missing/out.jsonl", "."])
    def test_a_place_that_cannot_be_written_is_named(self, tmp_path: Path, where: str) -> None:
        with pytest.raises(UsageError, match="cannot be written"):
            convert(CONVERSATIONS[0], tmp_path / where, target="llmtee")
