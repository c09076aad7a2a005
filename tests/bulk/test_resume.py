"""A conversion that ended before its input did: what is kept, and that going on gives the same bytes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from llmtee import bulk
from llmtee.bulk import _chunks, _run, _trail, convert, unfinished
from llmtee.errors import ConversionStopped, InputError, UsageError
from llmtee.privacy import Where

DEADLINE = 60.0


class Forker:
    """Starts conversions in processes that can be killed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("forker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def start(self, **order: Any) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order, default=str).encode() + b"\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def ended(self) -> int:
        """The exit code, negative for a signal."""
        return self._line()

    def close(self) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()


@pytest.fixture(scope="module")
def forker() -> Iterator[Forker]:
    made = Forker()
    yield made
    made.close()


def grown(path: Path, size: int, child: int) -> bool:
    """Waits until a file has a size, or its writer has ended; whether it has."""
    ends = time.monotonic() + DEADLINE
    while time.monotonic() < ends:
        if path.exists() and path.stat().st_size >= size:
            return True
        if _is_dead(child):
            return False
        time.sleep(0.0005)
    raise AssertionError(f"{path} has not grown to {size} bytes")


def _is_dead(child: int) -> bool:
    try:
        state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def killed_again_and_again(
    forker: Forker, source: Path, folder: Path, kills: int, seed: int, **options: Any
) -> int:
    """Converts, killed after some bytes each time, until it is done; how often it was killed."""
    rng = random.Random(seed)
    options = {"source": "openai-chat", **options}
    whole, out = folder / "whole.jsonl", folder / "out.jsonl"
    forker.start(src=source, dst=whole, errors=f"{whole}.errors", **{**options, "workers": 1})
    assert forker.ended() == 0
    gathers = options["target"] == "inkeep"
    partial = folder / ("out.jsonl.llmtee-events" if gathers else "out.jsonl.partial")
    done, resume = 0, False
    for _ in range(kills):
        begun = partial.stat().st_size if resume and partial.exists() else 0
        child = forker.start(src=source, dst=out, errors=f"{out}.errors", resume=resume, **options)
        if grown(partial, begun + rng.randrange(1, 30_000), child):
            with suppress(ProcessLookupError):  # it was done just before
                os.kill(child, signal.SIGKILL)
        if forker.ended() == 0:
            break
        done, resume = done + 1, True
    if not out.exists():
        forker.start(src=source, dst=out, errors=f"{out}.errors", resume=resume, **options)
        assert forker.ended() == 0
    assert out.read_bytes() == whole.read_bytes()
    assert Path(f"{out}.errors").read_bytes() == Path(f"{whole}.errors").read_bytes()
    assert not [*folder.glob("out.jsonl.llmtee*"), *folder.glob("*.partial")]
    return done


@pytest.mark.parametrize("target", ["honeyhive", "inkeep"])
def test_killed_and_resumed_gives_the_same_bytes(
    forker: Forker, scattered: Path, tmp_path: Path, target: str
) -> None:
    killed_again_and_again(forker, scattered, tmp_path, 2, 1, target=target)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("target", ["honeyhive", "inkeep", "llmtee"])
@pytest.mark.parametrize("seed", range(5))
def test_killed_at_any_moment(
    forker: Forker, scattered: Path, tmp_path: Path, target: str, workers: int, seed: int
) -> None:
    killed_again_and_again(forker, scattered, tmp_path, 6, seed, target=target, workers=workers)


class Stop(Exception):
    pass


def stopping(after: int) -> Callable[[bulk.Progress], None]:
    """Ends a conversion after some chunks."""
    seen = 0

    def tell(_: bulk.Progress) -> None:
        nonlocal seen
        seen += 1
        if seen == after:
            raise Stop

    return tell


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_chunks, "COUNT", 10)
    monkeypatch.setattr(_run, "EVERY", 0.0)
    monkeypatch.setattr(_run, "_BYTES", 20_000)


@pytest.fixture
def begun(scattered: Path, tmp_path: Path) -> Path:
    """An output of which a part was written."""
    out = tmp_path / "out.jsonl"
    with pytest.raises(Stop):
        convert(scattered, out, target="honeyhive", on_error=print, on_progress=stopping(9))
    return out


@pytest.mark.parametrize(("after", "suffix"), [(1, "jsonl"), (9, "jsonl.gz"), (16, "jsonl")])
def test_interrupted_after_any_chunk(
    scattered: Path, tmp_path: Path, after: int, suffix: str
) -> None:
    whole, out = tmp_path / f"whole.{suffix}", tmp_path / f"out.{suffix}"
    said = convert(scattered, whole, target="inkeep", on_error=str)
    with pytest.raises(Stop):
        convert(scattered, out, target="inkeep", on_error=str, on_progress=stopping(after))
    told = convert(scattered, out, target="inkeep", on_error=str, resume=True)
    assert out.read_bytes() == whole.read_bytes()
    assert (told.read, told.written, told.failed) == (said.read, said.written, said.failed)
    assert (told.reasons, told.detected) == (said.reasons, said.detected)


def test_what_is_left_can_be_seen(begun: Path) -> None:
    left = unfinished(begun)
    assert left is not None
    assert left.partial.name == "out.jsonl.partial"
    assert 0 < left.read < 120
    assert left.resumable
    assert not begun.exists()
    assert unfinished(begun.with_name("other.jsonl")) is None
    assert unfinished("-") is None


def test_without_resume_it_starts_over(begun: Path, scattered: Path) -> None:
    convert(scattered, begun, target="honeyhive", on_error=str)
    again = begun.with_name("again.jsonl")
    convert(scattered, again, target="honeyhive", on_error=str, resume=True)  # nothing to resume
    assert begun.read_bytes() == again.read_bytes()
    assert unfinished(begun) is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"target": "voker"}, "other options"),
        ({"target": "honeyhive", "where": Where(agents=("x",))}, "other options"),
        ({"target": "honeyhive", "source": "openai-chat"}, "other options"),
        ({"target": "honeyhive", "sample": 0.5}, "other options"),
        ({"target": "honeyhive", "assemble": True}, "other options"),
    ],
)
def test_other_options_are_refused(
    begun: Path, scattered: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=rf"{said}.*start over"):
        convert(scattered, begun, resume=True, **options)
    assert unfinished(begun) is not None


def test_another_input_is_refused(
    begun: Path, scattered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = scattered.with_name("other.jsonl")
    other.write_bytes(scattered.read_bytes())
    with pytest.raises(UsageError, match="another input"):
        convert(other, begun, target="honeyhive", resume=True)
    with monkeypatch.context() as patch:
        patch.setattr(_trail, "__version__", "0.0.1")
        with pytest.raises(UsageError, match="another version"):
            convert(scattered, begun, target="honeyhive", resume=True)
    with scattered.open("a") as file:
        file.write("\n")
    with pytest.raises(UsageError, match="a file was changed"):
        convert(scattered, begun, target="honeyhive", resume=True)


def test_a_partial_file_that_was_cut_is_refused(begun: Path, scattered: Path) -> None:
    begun.with_name("out.jsonl.partial").write_bytes(b"{")
    with pytest.raises(UsageError, match="is gone or was cut"):
        convert(scattered, begun, target="honeyhive", resume=True)


def test_streams_cannot_be_resumed(begun: Path, scattered: Path) -> None:
    with scattered.open("rb") as stream, pytest.raises(UsageError, match="into a file"):
        convert(stream, begun, target="honeyhive", resume=True)
    with pytest.raises(UsageError, match="into a file"):
        convert(scattered, "-", target="honeyhive", resume=True)


def test_two_at_one_output(scattered: Path, tmp_path: Path) -> None:
    out, seen = tmp_path / "out.jsonl", []

    def another(_: bulk.Progress) -> None:
        with pytest.raises(UsageError, match="another conversion"):
            convert(scattered, out, target="llmtee")
        seen.append(unfinished(out))

    convert(scattered, out, target="llmtee", on_error=str, on_progress=another)
    assert seen
    assert all(left is not None and not left.resumable for left in seen)


class TestTooManyErrors:
    def test_it_stops_and_goes_on(self, scattered: Path, tmp_path: Path) -> None:
        out, whole = tmp_path / "out.jsonl", tmp_path / "whole.jsonl"
        convert(scattered, whole, target="llmtee", on_error=str, errors=tmp_path / "all.jsonl")
        every = (tmp_path / "all.jsonl").read_bytes().splitlines()
        side = tmp_path / "side.jsonl"
        options: dict[str, Any] = {"target": "llmtee", "errors": side, "on_error": str}
        with pytest.raises(ConversionStopped, match="stopped at 6 errors") as caught:
            convert(scattered, out, max_errors=6, **options)
        assert caught.value.report.failed == 6
        assert side.read_bytes().splitlines() == every[:6]
        assert not out.exists()
        convert(scattered, out, max_errors=1000, resume=True, **options)
        assert out.read_bytes() == whole.read_bytes()
        assert side.read_bytes().splitlines() == every

    def test_at_once_nothing_is_kept(self, scattered: Path, tmp_path: Path) -> None:
        with pytest.raises(ConversionStopped):
            convert(scattered, tmp_path / "o", target="llmtee", on_error=str, max_errors=1)
        assert unfinished(tmp_path / "o") is None
        assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]

    @pytest.mark.parametrize("wrong", [{"max_errors": 0}, {"workers": 0}])
    def test_what_makes_no_sense(self, tmp_path: Path, wrong: dict[str, int]) -> None:
        with pytest.raises(UsageError, match="count from 1"):
            convert([], tmp_path / "o", target="llmtee", **wrong)


def test_ctrl_c_says_how_to_go_on(forker: Forker, scattered: Path, tmp_path: Path) -> None:
    out, stderr = tmp_path / "out.jsonl", tmp_path / "stderr"
    words = ["convert", str(scattered), "--to", "honeyhive", "-o", str(out)]
    child = forker.start(command=words, stderr=stderr, pause=5, paused=tmp_path / "paused")
    assert grown(tmp_path / "paused", 0, child)
    os.kill(child, signal.SIGINT)
    assert forker.ended() == 130
    said = stderr.read_text()
    assert f"{out} was not written; {out}.partial holds" in said
    assert "--resume" in said
    assert "Traceback" not in said
    forker.start(command=words, stderr=stderr)
    assert forker.ended() == 1  # broken lines
    assert "this one starts over" in stderr.read_text()


def test_a_source_that_is_missing_stays_missing(scattered: Path, tmp_path: Path) -> None:
    sources, errors = [tmp_path / "none.jsonl", scattered], []
    out = tmp_path / "out.jsonl"
    with pytest.raises(Stop):
        convert(sources, out, target="llmtee", on_error=errors.append, on_progress=stopping(5))
    convert(sources, out, target="llmtee", on_error=str, resume=True)
    assert isinstance(errors[0], InputError)
    scattered.with_name("alone.jsonl").unlink(missing_ok=True)
    convert(scattered, tmp_path / "alone.jsonl", target="llmtee", on_error=str)
    assert len(out.read_bytes()) == len((tmp_path / "alone.jsonl").read_bytes())


@pytest.mark.parametrize("appeared", [False, True], ids=["before", "after"])
def test_killed_around_the_moment_in_which_the_output_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, appeared: bool
) -> None:
    source, out, bad = tmp_path / "in.jsonl", tmp_path / "out.jsonl", tmp_path / "bad.jsonl"
    record = b'{"request":{"model":"m","messages":[{"role":"user","content":"%d"}]}}\n'
    source.write_bytes(b"".join(record % number for number in range(3000)) + b"{\n")
    options = {"source": "openai-chat", "target": "llmtee", "errors": bad}
    with monkeypatch.context() as patch:
        patch.setattr("llmtee.bulk._run.EVERY", 0.0)
        broken = ("_trail.Trail.remove", "_sink.Output.appear")[not appeared]
        patch.setattr(f"llmtee.bulk.{broken}", _killed)
        with pytest.raises(KeyboardInterrupt):
            convert(source, out, **options)
    assert out.exists() == appeared

    report = convert(source, out, resume=True, **options)

    assert (report.read, report.failed) == (3000, 1)
    assert len(out.read_bytes().splitlines()) == 3000
    assert len(bad.read_bytes().splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"in.jsonl", "out.jsonl", "bad.jsonl"}


def _killed(one: Any) -> None:
    if isinstance(one, _trail.Trail):
        one.store.close()  # which the end of a process does, too
    raise KeyboardInterrupt
