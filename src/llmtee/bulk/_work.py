"""What is done with a chunk, in this process or in another: lines in, bytes out. Keeps nothing from chunk to chunk."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from llmtee import jsontext, registry
from llmtee.assembly import assemble
from llmtee.bulk._chunks import Chunk, Entries, Lines, Rows, Segment
from llmtee.bulk._identity import Claim, claim, renamed
from llmtee.bulk._input import of_objects, reading_of
from llmtee.bulk._packing import joined, packed
from llmtee.bulk._records import Raw, of_cut, of_line
from llmtee.bulk._spill import Gathered, Text, gathered, restored
from llmtee.bulk._target import Failed, Written, target_of
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
    """Some sessions of those that were gathered, each with its items as they waited."""

    last: int
    """Number of the last one."""
    records: tuple[tuple[bytes, ...], ...]
    refused: Failure | None = None
    """Why a session is not assembled."""

    @property
    def travels(self) -> bool:
        """Whether another process can be given it."""
        return True


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


@dataclass(slots=True)
class Items:
    """Items with where each comes from."""

    items: list[Item] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    claims: Claims = field(default_factory=lambda: array("q"))
    texts: dict[int, Text] = field(default_factory=dict)
    """By position, of those that can wait as they stood."""

    def add(self, item: Item, origin: Origin, claimed: Claim | None, text: Text | None) -> None:
        """Takes the next item."""
        if text is not None:
            self.texts[len(self.items)] = text
        if claimed is not None:
            self.claims.extend((len(self.items), claimed.key, claimed.content))
        self.items.append(item)
        self.origins.append(origin)


class Work:
    """Does a job, chunk by chunk.

    Raises:
        UnknownName: the source's or the target's name is unknown.
        UsageError: what is asked for does not go together.
        ConfigError: the vendor's settings are invalid.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
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
        found = Items()
        for segment in chunk.segments:
            self._decode(segment, found, result)
        result.failures += [Failure(error, _origin_of(error)) for error in chunk.errors]
        self.finish(found, resolve, result)
        order = {segment.name: number for number, segment in enumerate(chunk.segments)}
        result.failures.sort(
            key=lambda one: (order.get(one.origin.source or "", len(order)), one.origin.line or 0)
        )
        return result

    def finish(self, found: Items, resolve: Resolve, result: Result) -> Result:
        """What is to be done with items once they are read."""
        items = found.items
        ordinals = resolve(found.claims)
        for position, ordinal in ordinals.items():
            items[position] = renamed(items[position], ordinal)
        result.read += len(items)
        if self.job.gather:
            result.gathered += [
                gathered(item, found.texts.get(i), ordinals.get(i, 0))
                for i, item in enumerate(items)
            ]
        else:
            self._write(items, found.origins, result)
        return result

    def _sessions(self, sessions: Sessions) -> Result:
        """Assembles and renders sessions, in order."""
        result = Result()
        if sessions.refused is not None:
            result.failures.append(sessions.refused)
        items = [made for one in sessions.records for made in self._assembled(one)]
        self._write(items, [Origin(session=item.session) for item in items], result)
        return result

    def restored(self, data: bytes) -> list[Item]:
        """An item that was gathered, in a list."""
        return restored(data, self._choose_objects())

    def _assembled(self, records: Sequence[bytes]) -> Iterator[Item]:
        """The conversations of what was gathered under one key."""
        items = [item for data in records for item in self.restored(data)]
        events = [item for item in items if not isinstance(item, Conversation)]
        yield from (item for item in items if isinstance(item, Conversation))
        yield from assemble(events)

    def _decode(self, segment: Segment, found: Items, result: Result) -> None:
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
            alone = self.job.gather and len(items) == 1 and how.traces is None
            kept = self._text(raw, text, detection) if alone else None
            for item in items:
                claimed = claim(item, raw.value, single=how.single, scope=segment.source)
                found.add(item, origin, claimed, kept)

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

    def _write(self, items: list[Item], origins: list[Origin], result: Result) -> None:
        values: list[Any] = []
        indented = self.job.indent is not None
        for outcome in self.target(items):
            if isinstance(outcome, Written):
                values.append(outcome.value if indented else jsontext.Raw(outcome.text))
                result.written += outcome.items
            elif isinstance(outcome, Failed):
                item = items[outcome.position]
                result.failures.append(
                    Failure(outcome.error, replace(origins[outcome.position], session=item.session))
                )
            else:
                result.skipped[outcome.reason] += 1
        result.records += len(values)
        result.output += packed(joined(values, self.job.indent), self.job.packing)


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
