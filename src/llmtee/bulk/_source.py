"""Where records come from: files, folders and globs, streams and stdin; plain or packed, told by their first bytes."""

from __future__ import annotations

import glob
import gzip
import io
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, TypeAlias

from llmtee.errors import InputError, UsageError

Place: TypeAlias = str | os.PathLike[str] | IO[str] | IO[bytes]
"""One source: a path, a folder or a glob, an open stream, or ``-`` for stdin."""

Source: TypeAlias = Place | Sequence[Place]

TABLES = (".csv", ".tsv", ".parquet", ".arrow", ".arrows", ".feather", ".ipc")
TEXTS = (".json", ".jsonl", ".ndjson", ".csv", ".tsv")
PACKED = (".gz", ".zst", ".zstd")
SUFFIXES = (
    *dict.fromkeys((*TEXTS, *TABLES)),
    *(f"{text}{pack}" for text in TEXTS for pack in PACKED),
)
"""Of the files that are taken from a folder."""
_KNOWN = f"{', '.join(TEXTS)}, plain or {', '.join(PACKED)}; {', '.join(TABLES[2:])}"

READ_ERRORS = (OSError, EOFError, zlib.error)
"""What reading a stream raises when it cannot go on."""

CHUNK = 1 << 17
_LOOK = 1 << 16
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_LONGEST_MAGIC = 8
_ZSTD_PIECE = 4096  # a few bytes may unpack to 128 KB, so that little is unpacked at a time


def places(source: Source) -> list[Place]:
    """The sources, one by one, as they were given."""
    if isinstance(source, Sequence) and not isinstance(source, str):
        return list(source)
    return [source]


def name_of(place: Place) -> str:
    """What errors call a source."""
    if place == "-":
        return "stdin"
    if isinstance(place, str | os.PathLike):
        return os.fspath(place)
    name = getattr(place, "name", None)
    return name if isinstance(name, str) else "stream"


def files_of(place: Place) -> tuple[list[Place], list[str]]:
    """The files that a place means, and what was passed over.

    A folder means the files in it and below, with `SUFFIXES`, in the order of their paths; other files and what is
    hidden are passed over. A path with ``*``, ``?`` or ``[`` that is not there means the files that match,
    ``**`` any folders. Anything else means itself.

    Raises:
        InputError: there is no such file in the folder, or none that matches.
    """
    if not isinstance(place, str | os.PathLike) or place == "-":
        return [place], []
    path = os.fspath(place)
    if Path(path).is_dir():
        return _files_in(path)
    if glob.has_magic(path) and not os.path.lexists(path):
        # Not Path.glob, which cannot take an absolute pattern.
        every = glob.iglob(path, recursive=True)  # noqa: PTH207
        found = sorted(one for one in every if not Path(one).is_dir())
        if not found:
            raise InputError("no file matches", source=path)
        return [*found], []
    return [place], []


def _files_in(folder: str) -> tuple[list[Place], list[str]]:
    taken: list[Path] = []
    passed: list[Path] = []
    for root, folders, names in os.walk(folder):
        hidden = [name for name in folders if name.startswith(".")]
        folders[:] = [name for name in folders if name not in hidden]
        passed += [Path(root, name) for name in hidden]
        for name in names:
            is_ours = name.lower().endswith(SUFFIXES) and not name.startswith(".")
            (taken if is_ours else passed).append(Path(root, name))
    if not taken:
        reason = f"holds no file of records ({_KNOWN}); name the files in it"
        raise InputError(reason, source=folder)
    order = sorted(taken, key=lambda path: path.parts)
    return [str(path) for path in order], [str(path) for path in sorted(passed)]


class Opened(io.BufferedReader):
    """The unpacked bytes of a source, which can be looked at before they are read."""

    def __init__(self, read: Callable[[int], bytes], name: str, file: IO[bytes] | None) -> None:
        self._ahead = _Ahead(read)
        super().__init__(self._ahead, CHUNK)
        self.label = name
        """What errors call the source."""
        self.file = file
        """The file itself, where it can be read at any place: on disk, and not packed."""
        self.packed: IO[bytes] | None = file
        """The file as it is on disk, packed or not; it tells how far it was read."""

    def look(self, enough: Callable[[bytes], bool]) -> bytes:
        """The first bytes, up to 64 KB or until there is ``enough``. Call it before anything is read."""
        try:
            return self._ahead.look(enough)
        except READ_ERRORS as error:
            raise unreadable(error, self.label, 1) from None

    def skip(self, size: int) -> None:
        """Takes off the first of the bytes that were looked at. Call it before anything is read."""
        self._ahead.skip(size)


class _Ahead(io.RawIOBase):
    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._held = b""

    def readable(self) -> bool:
        return True

    def look(self, enough: Callable[[bytes], bool]) -> bytes:
        while len(self._held) < _LOOK and not enough(self._held):
            more = self._read(CHUNK)
            if not more:
                break
            self._held += more
        return self._held

    def skip(self, size: int) -> None:
        self._held = self._held[size:]

    def readinto(self, buffer: Any) -> int:
        held = self._held or self._read(len(buffer))
        size = min(len(held), len(buffer))
        buffer[:size] = held[:size]
        self._held = held[size:]
        return size


@contextmanager
def opened(place: Place) -> Iterator[Opened]:
    """The unpacked bytes of one file or stream. A stream that was open stays open.

    Raises:
        InputError: the source cannot be opened or unpacked.
        UsageError: it is packed with zstd, and the extra is not installed.
    """
    name = name_of(place)
    with ExitStack() as stack:
        file: IO[bytes] | None = None
        if isinstance(place, str | os.PathLike) and place != "-":
            file = stack.enter_context(_open(Path(place), name))
            packed = Opened(file.read, name, file if file.seekable() else None)
        else:
            packed = Opened(_reading(sys.stdin.buffer if place == "-" else place), name, None)
        head = packed.look(lambda head: len(head) >= _LONGEST_MAGIC)
        unpack = next((way for magic, way in _UNPACKERS.items() if head.startswith(magic)), None)
        if unpack is None:
            yield packed
        else:
            unpacked = Opened(unpack(packed), name, None)
            unpacked.packed = packed.file
            yield unpacked


def _open(path: Path, name: str) -> IO[bytes]:
    try:
        return path.open("rb", buffering=0)
    except FileNotFoundError:
        raise InputError("no such file", source=name) from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be opened: {error}", source=name) from None


def _reading(stream: Any) -> Callable[[int], bytes]:
    """How bytes are read from a stream: what is there, without waiting for more."""
    if isinstance(stream.read(0), str):
        return lambda _: stream.readline().encode("utf-8", "surrogatepass")
    reading: Callable[[int], bytes] = getattr(stream, "read1", stream.read)
    return reading


def _gzip(packed: Opened) -> Callable[[int], bytes]:
    return gzip.GzipFile(fileobj=packed).read1


def _zstd(packed: Opened) -> Callable[[int], bytes]:
    try:
        import zstandard  # noqa: PLC0415 - of an extra
    except ImportError:
        raise UsageError(
            f"{packed.label} is packed with zstd, which needs: pip install 'llmtee[zstd]'"
        ) from None
    unpacker = zstandard.ZstdDecompressor()
    frame = unpacker.decompressobj()
    rest = b""

    def read(_: int) -> bytes:
        nonlocal frame, rest
        while True:
            piece = rest or packed.read1(_ZSTD_PIECE)
            if frame.eof and piece:
                frame = unpacker.decompressobj()
            elif not piece:
                if not frame.eof:
                    raise EOFError  # or what is missing would not be missed
                return b""
            try:
                content: bytes = frame.decompress(piece)
            except zstandard.ZstdError as error:
                raise OSError(f"zstd: {error}") from None
            rest = frame.unused_data if frame.eof else b""
            if content:
                return content

    return read


_UNPACKERS = {_GZIP: _gzip, _ZSTD: _zstd}


def unreadable(error: BaseException, name: str, line: int) -> InputError:
    """The error of a source of which the rest cannot be read."""
    if isinstance(error, EOFError):
        return InputError("the packed data is cut short", source=name, line=line)
    if isinstance(error, UnicodeDecodeError):
        return InputError(f"is not {error.encoding} text", source=name, line=line)
    return InputError(f"cannot be read: {error}", source=name, line=line)
