"""What is done with a chunk, in this process or in another: lines in, bytes out. Keeps nothing from chunk to chunk."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from llmtee import jsontext, registry
from llmtee.assembly import Session
from llmtee.bulk._chunks import Chunk, Entries, Lines, Rows, Segment
from llmtee.bulk._identity import claim, renamed
from llmtee.bulk._input import of_objects, reading_of
from llmtee.bulk._packing import joined, lined, packed
from llmtee.bulk._records import Raw, of_cut, of_line
from llmtee.bulk._spill import Gathered, Span, Text, gathered, read_span, restored
from llmtee.bulk._target import Failed, Part, Prepared, Skipped, target_of
from llmtee.bulk.tables import TableMapping
from llmtee.decoders import Choice, Decoder, Detection, placed
from llmtee.errors import InputError, LlmteeError
from llmtee.model import Conversation, Item
from llmtee.model.snapshot import to_json_value
from llmtee.privacy import Predicate, Redaction
from llmtee.spec import ExporterSettings, Traces

Claims: TypeAlias = "array[int]"
"""Of the items of a chunk: position, key and content of each claim, one after the other."""

Resolve: TypeAlias = Callable[[Claims], dict[int, int]]
"""Claims to the ordinals of those items, by position, that are not the first to claim the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a conversion does, as `convert` takes it; a plain value, so that another process can be given it."""

    source: str
    mapping: TableMapping | None = None
    target: str | ExporterSettings
    where: Predicate | None = None
    sample: float = 1.0
    redact: Redaction | None = None
    carry: bool = False
    gather: bool = False
    """Whether items are gathered by session, and assembled when all were read."""
    indent: int | None = None
    packing: str = ""
    """Suffix of the output, where it is packed."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an item, or an error, comes from."""

    source: str | None = None
    line: int | None = None
    path: str | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An error, with its place and what was there."""

    error: LlmteeError
    origin: Origin
    original: bytes | None = None
    """The line, or the record in it, as it was."""


@dataclass(frozen=True, slots=True)
class Held:
    """Parts of traces, whose other parts may stand in other chunks."""

    owner: str | Traces
    """A format by name, since its functions may not travel; or how the parts are joined itself."""
    parts: list[tuple[str | None, Any]]

    @property
    def traces(self) -> Traces:
        """How the parts are joined."""
        if isinstance(self.owner, Traces):
            return self.owner
        found = registry.format(self.owner).traces
        if found is None:
            raise TypeError(f"{self.owner} has no traces")
        return found


@dataclass(frozen=True, slots=True)
class Sessions:
    """Some sessions of those that were gathered."""

    last: int
    """Number of the last one."""
    places: tuple[tuple[Span, ...], ...]
    """Of the items of each, in the file in which they wait: one record is held at a time, however long a session is."""
    refused: Failure | None = None
    """Why a session is not assembled."""

    @property
    def travels(self) -> bool:
        """Whether another process can be given it."""
        return True

    @property
    def emptied(self) -> Sessions:
        """Their place without what is in them, once that is worked on."""
        return replace(self, places=())


@dataclass(slots=True)
class Result:
    """What became of a chunk."""

    output: bytes = b""
    records: int = 0
    read: int = 0
    written: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    detected: list[Detection] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    gathered: list[Gathered] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Found:
    """An item that was read, and what becomes of it unless somebody before claimed the same."""

    origin: Origin
    again: Text | Item
    """What it can be read from again, so that it need not be kept; or itself."""
    prepared: Gathered | list[Prepared]


class Work:
    """Does a job, chunk by chunk.

    Raises:
        UnknownName: the source's or the target's name is unknown.
        UsageError: what is asked for does not go together.
        ConfigError: the vendor's settings are invalid.
    """

    def __init__(self, job: Job, events: int | None = None) -> None:
        self.job = job
        self.events = events
        """Descriptor of the file in which items wait for their sessions."""
        self.reading = reading_of(job.source, job.mapping)
        self._objects: Choice | None = None
        self.target = target_of(
            job.target, where=job.where, sample=job.sample, redact=job.redact, carry=job.carry
        )

    def do(self, task: Chunk | Sessions, resolve: Resolve) -> Result:
        """The result of a task."""
        return self._sessions(task) if isinstance(task, Sessions) else self._chunk(task, resolve)

    def _chunk(self, chunk: Chunk, resolve: Resolve) -> Result:
        """Decodes the lines of a chunk, and renders them or prepares them to be gathered."""
        result = Result()
        found: list[Found] = []
        claims: Claims = array("q")
        for segment in chunk.segments:
            self._decode(segment, found, claims, result)
        result.failures += [Failure(error, _origin_of(error)) for error in chunk.errors]
        for position, ordinal in resolve(claims).items():
            found[position] = self._renamed(found[position], ordinal)
        self._finish(found, result)
        order = {segment.name: number for number, segment in enumerate(chunk.segments)}
        result.failures.sort(
            key=lambda one: (order.get(one.origin.source or "", len(order)), one.origin.line or 0)
        )
        return result

    def of_traces(self, items: Iterable[Item]) -> Result:
        """What is to be done with events of joined traces, which come with ids of their own."""
        result = Result()
        self._finish([self._found(one, Origin(session=one.session)) for one in items], result)
        return result

    def _found(
        self, item: Item, origin: Origin, text: Text | None = None, ordinal: int = 0
    ) -> Found:
        # While all of it is at hand: to come back to it later costs as much again.
        prepared = gathered(item, text, ordinal) if self.job.gather else self.target.prepare(item)
        return Found(origin, item if text is None else text, prepared)

    def _renamed(self, found: Found, ordinal: int) -> Found:
        """The same under the id of its ordinal."""
        if isinstance(found.again, Text):
            [item] = restored(found.again.waiting(ordinal), self._choose_objects())
            return self._found(item, found.origin, found.again, ordinal)
        return self._found(renamed(found.again, ordinal), found.origin)

    def _finish(self, found: Sequence[Found], result: Result) -> None:
        result.read += len(found)
        parts: list[Part] = []
        for one in found:
            if isinstance(one.prepared, Gathered):
                result.gathered.append(one.prepared)
            else:
                parts += self._parts(one.prepared, one.origin, result)
        self._write(parts, result)

    def _parts(self, prepared: list[Prepared], origin: Origin, result: Result) -> Iterator[Part]:
        """What is to be written; the rest is told."""
        for one in prepared:
            if isinstance(one, Failed):
                place = replace(origin, session=one.session)
                result.failures.append(Failure(one.error, place))
            elif isinstance(one, Skipped):
                result.skipped[one.reason] += 1
            else:
                yield one

    def _sessions(self, sessions: Sessions) -> Result:
        """Assembles and renders sessions, in order."""
        result = Result()
        if sessions.refused is not None:
            result.failures.append(sessions.refused)
        parts: list[Part] = []
        for places in sessions.places:
            for item in self._assembled(places):
                origin = Origin(session=item.session)
                parts += self._parts(self.target.prepare(item), origin, result)
        self._write(parts, result)
        return result

    def restored(self, place: Span) -> list[Item]:
        """An item that was gathered, in a list."""
        if self.events is None:
            raise TypeError("nothing was gathered")
        return restored(read_span(self.events, place), self._choose_objects())

    def _assembled(self, places: Iterable[Span]) -> Iterator[Item]:
        """The conversations of what was gathered under one key."""
        session: Session | None = None
        for place in places:
            for item in self.restored(place):
                if isinstance(item, Conversation):
                    yield item
                    continue
                if session is None:
                    session = Session(item.session)
                # One by one, since each call may repeat all that was said before.
                session.absorb(item)
        if session is not None:
            yield session.conversation()

    def _decode(self, segment: Segment, found: list[Found], claims: Claims, result: Result) -> None:
        choose = segment.choose if isinstance(segment, Rows) else self._choose_objects()
        told: set[str] = set()
        for raw, text in _raws(segment):
            if isinstance(raw, InputError):
                result.failures.append(Failure(raw, _origin_of(raw), text))
                continue
            try:
                how, detection = choose(raw.value)
                items, parts = _read(how, raw.value)
            except InputError as error:
                placed_error = raw.error(error)
                original = jsontext.dumps(to_json_value(raw.value)) if text is None else text
                result.failures.append(Failure(placed_error, _origin_of(placed_error), original))
                continue
            if detection is not None and detection.format not in told:
                told.add(detection.format)
                result.detected.append(placed(detection, segment.name, raw.line))
            if how.traces is not None and parts:
                result.held.append(Held(self._owner(how.traces, detection), parts))
            origin = Origin(segment.name, raw.line, raw.path or None)
            alone = len(items) == 1 and how.traces is None
            kept = self._text(raw, text, detection) if alone else None
            for item in items:
                claimed = claim(item, raw.value, single=how.single, scope=segment.source)
                if claimed is not None:
                    claims.extend((len(found), claimed.key, claimed.content))
                found.append(self._found(item, origin, kept))

    def _text(self, raw: Raw, text: bytes | None, detection: Detection | None) -> Text | None:
        """What an item can be read from again. The mapping goes before the format, which it may name."""
        if text is None or not isinstance(raw.value, dict):
            return None
        mapping = self.reading.mapping
        if mapping is not None and mapping.columns:
            return Text(text, "")
        return Text(text, (self.reading.format or "") if detection is None else detection.format)

    def _owner(self, traces: Traces, detection: Detection | None) -> str | Traces:
        name = self.reading.format if detection is None else detection.format
        if name in registry.format_names() and registry.format(name).traces is traces:
            return name
        return traces

    def _choose_objects(self) -> Choice:
        if self._objects is None:
            self._objects = of_objects(self.reading)
        return self._objects

    def _write(self, parts: list[Part], result: Result) -> None:
        written = list(self.target.pack(parts))
        result.records += len(written)
        result.written += sum(one.items for one in written)
        if self.job.indent is None:
            text = lined([one.text for one in written])
        else:
            text = joined([one.value for one in written], self.job.indent)
        result.output += packed(text, self.job.packing)


def _read(how: Decoder, value: Any) -> tuple[list[Item], list[tuple[str | None, Any]]]:
    """The items of a record, and the parts of traces that cannot be items yet."""
    if how.traces is None:
        return how.decode(value), []
    items: list[Item] = []
    parts: list[tuple[str | None, Any]] = []
    for trace, part in how.traces.split(value):
        if trace is None:
            items += how.traces.join([part])
        else:
            parts.append((trace, part))
    return items, parts


def _raws(segment: Segment) -> Iterator[tuple[Raw | InputError, bytes | None]]:
    """The records of a segment, each with its text; without where it is only a part of a line."""
    match segment:
        case Lines():
            for number, line in enumerate(_split(segment.data), segment.first):
                for raw in of_line((number, line), segment.name):
                    part = isinstance(raw, Raw) and bool(raw.path)
                    yield raw, None if part else line.removesuffix(b"\r")
        case Entries():
            for cut in segment.cuts:
                for raw in of_cut(cut, segment.name):
                    yield raw, None if isinstance(cut, InputError) else cut.text
        case Rows():
            for raw in segment.raws:
                yield raw, None


def _split(data: bytes) -> list[bytes]:
    """The lines, at line feeds alone: a record may hold any other character that ends a line."""
    lines = data.split(b"\n")
    return lines if lines[-1] else lines[:-1]


def _origin_of(error: InputError) -> Origin:
    return Origin(error.source, error.line, error.path)
