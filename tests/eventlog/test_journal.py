"""The journal by itself: what was appended is read, once and whole, whatever happens to the process or to the file."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtee.errors import EventLogError
from llmtee.eventlog import END, Record, _segment
from llmtee.eventlog._backlog import JournalReader
from llmtee.eventlog._reading import read_segment
from llmtee.eventlog._segment import HEADER_BYTES, SegmentWriter
from llmtee.eventlog.journal import JournalWriter, segment_files


def _record(name: str, payload: bytes = b'{"a":1}') -> Record:
    return Record(name, "openai-chat", payload, 12.5, live=False)


def _read_all(directory: Path, limit: int = 7) -> list[Record]:
    """Reads as the deliverer does, in many small steps, and removes what is finished."""
    reader, positions, records = JournalReader(directory), dict[str, int](), list[Record]()
    while found := reader.read(positions, limit):
        for place, record in found:
            positions[place.segment] = place.end
            records.append(record)
    assert sorted(reader.waiting(positions)) == []
    reader.remove(reader.finished(positions))
    return records


# ── the way of a record ─────────────────────────────────────────────────────────────────────────────────────────


@given(
    records=st.lists(
        st.builds(
            Record,
            st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace").decode()),
            st.sampled_from(["llmtee", "openai-chat", "ü" * 200]),
            st.binary(max_size=9000),
            st.floats(allow_nan=False),
            st.booleans(),
        ),
        max_size=20,
    ),
    segment_bytes=st.sampled_from([1, 4096, 20_000]),
)
@settings(max_examples=50, deadline=None)
def test_what_goes_in_comes_out_in_order(records: list[Record], segment_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        writer = JournalWriter(directory, segment_bytes=segment_bytes)
        for record in records:
            writer.append(record)
        assert _read_all(directory) == records
        assert writer.appended == len(records)
        writer.close()
        writer.close()
        assert _read_all(directory) == records or not segment_files(directory)
        assert segment_files(directory) == []


def test_nothing_is_touched_before_the_first_record(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    writer.close()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(EventLogError, match="closed"):
        writer.append(_record("a"))


def test_segments_are_private_and_rotate(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, segment_bytes=4096)
    for number in range(10):
        writer.append(_record(str(number), b"x" * 1000))
    paths = segment_files(tmp_path)
    assert [path.stat().st_size for path in paths[:2]] == [3184, 3184]
    assert len(paths) == 3
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    writer.append(_record("large", b"x" * 1_000_000))
    assert [record.id for record in _read_all(tmp_path)] == [*map(str, range(10)), "large"]
    # What is read to the end and complete is gone; the one that is being written stays.
    assert len(segment_files(tmp_path)) == 1
    writer.close()


def test_ends_of_sessions_are_not_counted_as_waiting(tmp_path: Path) -> None:
    writer, reader = JournalWriter(tmp_path), JournalReader(tmp_path)
    writer.append(_record("a"))
    writer.append(Record("end", END, b'"s"', 1.0))
    writer.append(_record("b"))
    reader.index({})
    assert list(reader.waiting({})) == ["a", "b"]
    ((place, _), *_) = reader.read({}, 1)
    positions = {place.segment: place.end}
    assert list(reader.waiting(positions)) == ["b"]
    writer.append(_record("c"))
    reader.index(positions)
    assert list(reader.waiting(positions)) == ["b", "c"]
    assert writer.appended == 3
    writer.close()


def test_every_writer_gets_its_turn(tmp_path: Path) -> None:
    writers = [JournalWriter(tmp_path) for _ in range(3)]
    for number, writer in enumerate(writers):
        for step in range(20):
            writer.append(_record(f"{number}:{step}"))
    reader, positions = JournalReader(tmp_path), dict[str, int]()
    seen = set()
    for _ in range(3):
        for place, record in reader.read(positions, 5):
            positions[place.segment] = place.end
            seen.add(record.id.partition(":")[0])
    assert seen == {"0", "1", "2"}
    for writer in writers:
        writer.close()


def test_fsync_puts_each_record_on_the_disk(tmp_path: Path, monkeypatch: Any) -> None:
    synced: list[int] = []
    monkeypatch.setattr(_segment.os, "fdatasync", synced.append)
    writer = JournalWriter(tmp_path, segment_bytes=4096, fsync=True)
    for number in range(5):
        writer.append(_record(str(number), b"x" * 1500))
        assert len(synced) == number + 1
    writer.close()
    assert len(_read_all(tmp_path)) == 5


# ── damage ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[tuple[int, bytes]]]:
    """A complete segment, and where each of its frames ends."""
    path = tmp_path_factory.mktemp("segment") / "one.journal"
    writer = SegmentWriter(path, 4096, writer=bytes(16), number=1)
    for number in range(12):
        assert writer.append(b"head%d" % number, b"x" * (number * 17))
    writer.seal()
    reading = read_segment(path, 0, 100)
    assert reading is not None
    assert reading.finished
    assert reading.torn == 0
    return path.read_bytes(), [(frame.end, frame.body) for frame in reading.frames]


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_segment_gives_whole_frames_and_counts_the_rest(
    segment: tuple[bytes, list[tuple[int, bytes]]], data: st.DataObject
) -> None:
    content, frames = segment
    damaged = bytearray(content)
    kind = data.draw(st.sampled_from(["cut", "flip", "zero", "noise"]))
    place = data.draw(st.integers(0, len(content) - 1))
    end = min(len(content), place + data.draw(st.integers(1, 200)))
    if kind == "cut":
        del damaged[place:]
    elif kind == "flip":
        damaged[place] ^= 1 << data.draw(st.integers(0, 7))
        end = place + 1
    elif kind == "zero":
        damaged[place:end] = bytes(end - place)
    else:
        damaged[place:end] = data.draw(st.binary(min_size=end - place, max_size=end - place))
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "one.journal"
        path.write_bytes(damaged)
        reading = read_segment(path, 0, 100)
    assert reading is not None
    assert reading.finished
    bodies = [body for _, body in frames]
    found = [frame.body for frame in reading.frames]
    # What stands before the damage is there, and what stands after it.
    end = len(content) if kind == "cut" else end
    starts = [HEADER_BYTES, *(frame_end for frame_end, _ in frames)]
    for start, (frame_end, body) in zip(starts, frames, strict=False):
        assert body in found or (start < end and frame_end > place)
    # All that is found was written, in that order.
    rest = iter(bodies)
    assert all(body in rest for body in found)
    torn = reading.torn + sum(frame.torn for frame in reading.frames)
    missing = len(bodies) - len(found)
    assert torn <= max(missing, 1)
    cut_between = kind == "cut" and place in (0, HEADER_BYTES, *(at for at, _ in frames))
    # A run of zeros up to the end, or a cut between two frames, looks like the end itself.
    if missing and not cut_between and damaged[place:].strip(b"\0"):
        assert torn >= 1


@st.composite
def _damages(draw: Any) -> list[tuple[float, bytes]]:
    """Where in a file, as a share of it, something else stands by now."""
    noise = st.one_of(
        st.binary(min_size=1, max_size=40),
        st.integers(1, 600).map(bytes),
        st.sampled_from([b"\x01\0\0\0", b"\x10\0\0\0", b"\xff\xff\0\0", b"\xff" * 64]),
    )
    return draw(st.lists(st.tuples(st.floats(0, 1), noise), min_size=1, max_size=3))


@given(
    lengths=st.lists(st.integers(0, 300), min_size=1, max_size=15),
    later=st.lists(st.integers(0, 300), min_size=1, max_size=5),
    damages=_damages(),
    read_before=st.integers(0, 15),
)
@settings(max_examples=60, deadline=None)
def test_damage_of_a_segment_in_use_costs_what_it_hit_and_nothing_waits_for_the_end(
    lengths: list[int], later: list[int], damages: list[tuple[float, bytes]], read_before: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "a.journal"
        writer = SegmentWriter(path, 16384, writer=bytes(16), number=1)
        frames: list[tuple[int, int, bytes]] = []

        def append(number: int, length: int) -> None:
            body = b"%d:" % number + bytes([number]) * length
            # Damage just behind the last frame may look like a frame that fills the segment: then the next one is used.
            if writer.append(b"", body):
                frames.append((writer._tail - _segment.frame_bytes(len(body)), writer._tail, body))

        for number, length in enumerate(lengths):
            append(number, length)
        before = read_segment(path, 0, read_before) if read_before else None
        position = before.frames[-1].end if before else 0
        content = path.read_bytes()
        with path.open("r+b") as file:
            for share, noise in damages:
                file.seek(int(share * writer._tail))
                file.write(noise)
        hit = [
            place
            for place, (old, new) in enumerate(zip(content, path.read_bytes(), strict=True))
            if old != new
        ]
        for number, length in enumerate(later, len(lengths)):
            append(number, length)
        expected = [
            body
            for start, end, body in frames
            if start >= position and not any(start <= place < end for place in hit)
        ]
        for sealed in (False, True):
            if sealed:
                writer.seal()
            found, torn, at, finished = list[bytes](), 0, position, False
            while (reading := read_segment(path, at, 3)) is not None and reading.frames:
                found += [frame.body for frame in reading.frames]
                torn += sum(frame.torn for frame in reading.frames)
                at, finished = reading.frames[-1].end, reading.finished
            written = [body for _, _, body in frames]
            # What was hit in its padding is whole too.
            # A mark that was hit too is mended by the next record, or else all is read when the writer is gone.
            if sealed or len(frames) > len(lengths):
                assert [body for body in found if body in expected] == expected
            rest = iter(written)
            assert all(body in rest for body in found)
            assert sealed or not finished


def test_a_damaged_length_is_passed_at_once(tmp_path: Path) -> None:
    """The writer lives, and writes nothing more: what follows the damage does not wait for it."""
    for damage in (b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\x08\0\0\0", b"\x00\x08\0\0"):
        directory = tmp_path / damage.hex()
        directory.mkdir()
        writer = JournalWriter(directory)
        for number in range(5):
            writer.append(_record(str(number)))
        (path,) = segment_files(directory)
        ends = [place.end for place, _ in JournalReader(directory).read({}, 9)]
        with path.open("r+b") as file:
            file.seek(ends[0])
            file.write(damage)
            file.seek(0)
            file.write(b"no header")
        found = JournalReader(directory).read({}, 9)
        assert [record.id for _, record in found] == ["0", "2", "3", "4"]
        assert [place.torn for place, _ in found] == [0, 1, 0, 0]
        writer.close()
        assert JournalReader(directory).read({path.name: found[-1][0].end}, 9) == []


def test_a_whole_page_of_zeros_is_passed(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    for number in range(50):
        writer.append(_record(str(number), b"x" * 1000))
    (path,) = segment_files(tmp_path)
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(bytes(8192))
    ids = [int(record.id) for _, record in JournalReader(tmp_path).read({}, 99)]
    assert ids[:6] == list(range(6))
    assert ids[-30:] == list(range(20, 50))
    assert 39 <= len(ids) <= 42
    writer.close()


def test_a_damaged_body_costs_one_frame(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    for number in range(5):
        writer.append(_record(str(number)))
    (path,) = segment_files(tmp_path)
    ends = [place.end for place, _ in JournalReader(tmp_path).read({}, 9)]
    with path.open("r+b") as file:
        file.seek(ends[1] + 20)
        file.write(b"\xff\xff")
    # The writer is alive, but a whole frame follows: so this one is not being written any more.
    found = JournalReader(tmp_path).read({}, 9)
    assert [(record.id, place.torn) for place, record in found] == [
        ("0", 0),
        ("1", 0),
        ("3", 1),
        ("4", 0),
    ]
    writer.close()


def test_an_unfinished_frame_is_waited_for_while_its_writer_lives(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path / "a.journal", 4096, writer=bytes(16), number=1)
    writer.append(b"one", b"")
    tail = writer._tail
    writer._map[tail + 4 : tail + 20] = b"half of the frame"[:16]
    for length in (0, 100, 5000):
        writer._words[tail >> 2] = length
        reading = read_segment(writer.path, 0, 9)
        assert reading is not None
        assert (len(reading.frames), reading.finished) == (1, False)
    writer._words[tail >> 2] = 0
    # What was broken off is overwritten, and leaves nothing that looks like a frame.
    assert writer.append(b"", b"2")
    assert writer.append(b"", b"3")
    writer.seal()
    reading = read_segment(writer.path, 0, 9)
    assert reading is not None
    assert [frame.body for frame in reading.frames] == [b"one", b"2", b"3"]
    assert (reading.finished, reading.torn) == (True, 0)


def test_a_frame_broken_off_after_it_became_valid_is_kept(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path / "a.journal", 4096, writer=bytes(16), number=1)
    start = writer._tail
    writer.append(b"one", b"")
    writer._tail = start  # an exception came before the last step
    writer.append(b"two", b"")
    reading = read_segment(writer.path, 0, 9)
    assert reading is not None
    assert [frame.body for frame in reading.frames] == [b"one", b"two"]
    writer.seal()


def test_a_segment_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    writer.append(_record("a"))
    writer.close()
    (path,) = segment_files(tmp_path)
    content = bytearray(path.read_bytes())
    content[8] = 99
    content[48:52] = crc32(content[:48]).to_bytes(4, sys.byteorder)
    path.write_bytes(content)
    reader = JournalReader(tmp_path)
    assert reader.read({}, 9) == []
    assert reader.finished({}) == []
    assert reader.unreadable == {path.name: "version 99"}


# ── a disk that does not take it ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("edge", "number"),
    [
        ("llmtee.eventlog._segment.allocate", errno.ENOSPC),  # full
        ("llmtee.eventlog._segment.os.open", errno.EROFS),  # read-only
        ("llmtee.eventlog._segment.mmap.mmap", errno.ENODEV),  # a file system that cannot map files
        ("llmtee.eventlog._segment.fcntl.flock", errno.ENOLCK),
    ],
)
def test_a_disk_that_fails_is_an_error_and_works_again(
    tmp_path: Path, monkeypatch: Any, edge: str, number: int
) -> None:
    def fails(*args: object) -> None:
        raise OSError(number, os.strerror(number))

    writer = JournalWriter(tmp_path)
    monkeypatch.setattr(edge, fails)
    for _ in range(3):
        with pytest.raises(EventLogError, match=os.strerror(number)):
            writer.append(_record("a"))
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    with pytest.raises(EventLogError):  # not looked at again so soon
        writer.append(_record("a"))
    writer.try_again()
    writer.append(_record("b"))
    assert [record.id for record in _read_all(tmp_path)] == ["b"]
    writer.close()


def _fill(writer: JournalWriter, ids: list[str]) -> None:
    while True:
        writer.append(_record(str(len(ids)), b"x" * 1000))
        ids.append(str(len(ids)))


@contextmanager
def _small_disk(directory: Path) -> Iterator[None]:
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "llmtee-test", str(directory)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a small disk here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def test_a_disk_that_fills_up_costs_nothing_that_was_appended(tmp_path: Path) -> None:
    with _small_disk(tmp_path):
        writer = JournalWriter(tmp_path, segment_bytes=200_000)
        ids: list[str] = []
        with pytest.raises(EventLogError, match="No space left"):
            _fill(writer, ids)
        assert len(ids) > 500
        assert [record.id for record in _read_all(tmp_path)] == ids
        writer.try_again()
        writer.append(_record("again"))
        writer.close()


def test_too_much_is_refused_until_it_is_absorbed(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, segment_bytes=4096, max_bytes=10_000)
    with pytest.raises(EventLogError, match=r"is there a process that delivers\?"):
        _fill(writer, [])
    assert len(_read_all(tmp_path)) == 6
    writer.try_again()
    writer.append(_record("again"))
    writer.close()


# ── threads, signals, forks, kills ──────────────────────────────────────────────────────────────────────────────


def test_threads_append_at_once(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, segment_bytes=10_000)

    def work(number: int) -> None:
        for step in range(200):
            writer.append(_record(f"{number}:{step}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [record.id for record in _read_all(tmp_path)]
    for number in range(4):
        assert [one for one in ids if one.startswith(f"{number}:")] == [
            f"{number}:{step}" for step in range(200)
        ]
    assert writer.appended == len(ids) == 800
    writer.close()


def test_a_handler_that_records_inside_append_neither_waits_nor_harms(tmp_path: Path) -> None:
    """Calls back before every line that `append` runs, as a signal handler or a finalizer may."""
    writer = JournalWriter(tmp_path, segment_bytes=4096)
    expected: list[str] = []
    depth = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal depth
        if not frame.f_code.co_filename.endswith(("journal.py", "_segment.py")):
            return None
        if event == "line" and depth < 1:
            depth += 1
            name = f"nested {len(expected)}"
            writer.append(_record(name))
            expected.append(name)
            depth -= 1
        return trace

    for number in range(20):
        sys.settrace(trace)
        try:
            writer.append(_record(f"outer {number}", b"x" * 500))
        finally:
            sys.settrace(None)
        expected.append(f"outer {number}")
    assert len(expected) > 200
    assert sorted(record.id for record in _read_all(tmp_path)) == sorted(expected)
    assert writer.appended == len(expected)
    writer.close()


class _BrokenOffError(Exception):
    pass


def test_an_append_that_is_broken_off_harms_no_other_record(tmp_path: Path) -> None:
    """Raises at every line that `append` runs, one after the other, as Ctrl-C may."""
    directory = tmp_path / "log"
    for line in range(200):
        directory.mkdir()
        writer = JournalWriter(directory, segment_bytes=4096)
        writer.append(_record("first"))
        left = line

        def trace(frame: Any, event: str, argument: Any) -> Any:
            nonlocal left
            if not frame.f_code.co_filename.endswith(("journal.py", "_segment.py")):
                return None
            if event == "line":
                left -= 1
                if left < 0:
                    sys.settrace(None)
                    raise _BrokenOffError
            return trace

        sys.settrace(trace)
        try:
            writer.append(_record("broken off", b"x" * 700))
            returned = True
        except _BrokenOffError:
            returned = False
        finally:
            sys.settrace(None)
        writer.append(_record("short"))
        writer.append(_record("long", b"x" * 900))
        ids = [record.id for record in _read_all(directory)]
        assert sorted(set(ids) - {"broken off"}) == ["first", "long", "short"]
        assert len(ids) == len(set(ids))
        assert not returned or "broken off" in ids
        writer.close()
        shutil.rmtree(directory)
        if returned:
            return
    pytest.fail("append has more lines than were tried")


def test_signals_during_appends(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, segment_bytes=8192)
    handled: list[str] = []

    def handler(number: int, frame: Any) -> None:
        name = f"signal {len(handled)}"
        writer.append(_record(name))
        handled.append(name)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        ids = []
        while len(handled) < 100:
            # One at a time: on a slow disk a handler may take longer than any interval.
            signal.setitimer(signal.ITIMER_REAL, 0.00002)
            ids.append(f"main {len(ids)}")
            writer.append(_record(ids[-1]))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert sorted(record.id for record in _read_all(tmp_path)) == sorted(ids + handled)
    writer.close()


_FORKED = """
    import os, sys
    from pathlib import Path
    from llmtee.eventlog import Record
    from llmtee.eventlog.journal import JournalWriter
    writer = JournalWriter(Path(sys.argv[1]))
    os.register_at_fork(after_in_child=writer.after_fork)
    record = lambda name: writer.append(Record(name, "llmtee", b"{}", 1.0))
    record("before")
    if not (pid := os.fork()):
        record("child")
        if not (grandchild := os.fork()):
            record("grandchild")
            os._exit(0)
        os.waitpid(grandchild, 0)
        record("child again")
        os._exit(0)
    os.waitpid(pid, 0)
    record("parent")
    os._exit(0)
"""


def test_a_forked_child_writes_a_segment_of_its_own(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", textwrap.dedent(_FORKED), tmp_path], check=True)
    found = JournalReader(tmp_path).read({}, 99)
    by_segment: dict[str, list[str]] = {}
    for place, record in found:
        by_segment.setdefault(place.segment, []).append(record.id)
    assert sorted(by_segment.values()) == [
        ["before", "parent"],
        ["child", "child again"],
        ["grandchild"],
    ]
    # None of them was closed; all of them are gone.
    assert len(_read_all(tmp_path)) == 5
    assert segment_files(tmp_path) == []


_KILLED = """
    import os, random, signal, sys, threading
    from pathlib import Path
    from llmtee.eventlog import Record
    from llmtee.eventlog._backlog import JournalReader
    from llmtee.eventlog.journal import JournalWriter

    def child(directory, out):
        writer = JournalWriter(directory, segment_bytes=16384)
        def work(number):
            step = 0
            while True:
                name = f"{number}:{step}"
                writer.append(Record(name, "llmtee", name.encode() * (step % 97), 1.0))
                os.write(out, name.encode() + b"\\n")
                step += 1
        for number in range(4):
            threading.Thread(target=work, args=(number,)).start()

    def read_all(directory):
        reader, positions, records = JournalReader(directory), {}, []
        while found := reader.read(positions, 100):
            for place, record in found:
                positions[place.segment] = place.end
                assert place.torn == 0
                records.append(record)
        finished = reader.finished(positions)
        reader.remove(finished)
        return records, sum(one.torn for one in finished)

    chance = random.Random(int(sys.argv[3]))
    for kill in range(int(sys.argv[2])):
        directory = Path(sys.argv[1]) / str(kill)
        directory.mkdir()
        out, into = os.pipe()
        if not (pid := os.fork()):
            os.close(out)
            child(directory, into)
            threading.Event().wait()
        os.close(into)
        wanted, seen = chance.randrange(1, 4000), b""
        while len(seen) < wanted:
            seen += os.read(out, 500)
        os.kill(pid, signal.SIGKILL)
        while more := os.read(out, 65536):
            seen += more
        os.waitpid(pid, 0)
        os.close(out)
        reported = seen.decode().rpartition("\\n")[0].split()
        records, torn = read_all(directory)
        ids = [record.id for record in records]
        assert len(ids) == len(set(ids))
        assert set(reported) <= set(ids), set(reported) - set(ids)
        # At most one more for each thread: written, and killed before it could say so.
        assert len(ids) - len(reported) <= 4 and torn <= 1
        for record in records:
            step = int(record.id.partition(":")[2])
            assert record.payload == record.id.encode() * (step % 97)
        # At most what it was about to make is left, which is too young to be removed.
        assert len([path for path in directory.iterdir() if path.suffix != ".journal-new"]) == 0
        print(len(reported), torn)
"""


@pytest.mark.parametrize("kills", [30, pytest.param(300, marks=pytest.mark.slow)])
def test_what_append_returned_for_survives_kill(tmp_path: Path, kills: int) -> None:
    seed = random.randrange(10**6)
    code = textwrap.dedent(_KILLED)
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path, str(kills), str(seed)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    assert len(done.stdout.splitlines()) == kills
