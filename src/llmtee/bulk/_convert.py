"""`convert`: files of one shape to a file of another. No network."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from llmtee.bulk._collecting import seldom_collected
from llmtee.bulk._input import files_in
from llmtee.bulk._packing import packing_of
from llmtee.bulk._run import Run
from llmtee.bulk._sink import Destination, Output, regular
from llmtee.bulk._source import Source, places
from llmtee.bulk._tally import ErrorFile, Progress, Report, Tally
from llmtee.bulk._target import takes_conversations
from llmtee.bulk._trail import Trail
from llmtee.bulk._work import Job, Work
from llmtee.bulk.tables import mapping_of
from llmtee.bulk.tables.mapping import Given
from llmtee.decoders import AUTO, Detection
from llmtee.errors import LlmteeError, UsageError
from llmtee.privacy import Predicate, Redaction
from llmtee.spec import ExporterSettings

SESSION_LIMIT = 50_000_000
"""Bytes of one session's events, as they were read, that are assembled at most."""


def convert(
    src: Source,
    dst: Destination,
    *,
    source: str = AUTO,
    mapping: Given = None,
    target: str | ExporterSettings,
    where: Predicate | None = None,
    sample: float = 1.0,
    redact: Redaction | None = None,
    carry: bool = False,
    assemble: bool = False,
    workers: int = 1,
    resume: bool = False,
    errors: str | os.PathLike[str] | None = None,
    max_errors: int | None = None,
    session_limit: int = SESSION_LIMIT,
    on_error: Callable[[LlmteeError], None] | None = None,
    on_detect: Callable[[Detection], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    indent: int | None = None,
) -> Report:
    """Reads records and writes them in another shape, in bounded memory however large the files are.

    Until it ends, Python looks for garbage in cycles seldom, in the whole process: records have hardly any.

    Args:
        src: what to read, as `read` takes it.
        dst: a path, an open stream, or ``"-"`` for stdout. A file appears when it is complete; a name that ends in
            ``.gz`` or ``.zst`` is packed.
        source: format or vendor of ``src``, or ``"auto"``.
        mapping: which columns of a table fill which fields, as `read` takes it.
        target: a vendor's name or settings: each record is then the body of one request as it would be posted, with
            ``prepare``'s part of it left out. Or a format that can be written, or ``"llmtee"``.
        where: which events or conversations are written, such as ``Where(agents=("support",))``; the others count
            as skipped. For a vendor given by settings, this and the next three stand there.
        sample: the share of sessions that is written; what failed always is.
        redact: what is taken out of them.
        carry: whether what the vendor's fields cannot say is parked in its free-form field.
        assemble: whether events become conversations, one for each session, in the order in which the sessions
            appear; for a vendor that takes conversations they do anyway. The events wait in a file meanwhile.
        workers: processes that decode and render; tables are decoded by one. The output is the same, byte for byte,
            however many there are.
        resume: whether to go on where an earlier run with the same input and options ended, however it ended.
            Without such a run, it begins at the beginning.
        errors: a file for each record that failed, with its place, the reason and what was there, as JSON Lines.
        max_errors: errors at which the conversion stops.
        session_limit: bytes of one session's events, as they were read, that are assembled at most: a session has to
            fit into memory, at five to ten times that where no call repeats another. A larger one is an error.
        on_error: called with each error, as it comes.
        on_detect: called with what ``"auto"`` chose and why, once for each format in each source.
        on_progress: called after each chunk, which is at most 1,000 lines or some 1 MB.
        indent: spaces to indent by; JSON Lines without.

    Returns:
        The counts. Bad records do not stop the good ones. Spans and the like are joined to traces in this process,
        whatever ``workers`` says, and a run that holds any cannot go on from there but only from before.

    Raises:
        UsageError: the source's or the target's name is unknown, or ``dst`` cannot be written; a table has no mapping
            that works; what is resumed is not the same input or not the same options; a function cannot be given to
            another process.
        ConfigError: the vendor's settings are invalid.
        InputError: a file cannot be read at all, and there is no ``on_error`` to tell.
        ConversionStopped: there were ``max_errors`` errors, or a worker process was lost. As after any exception,
            what was written of a file is kept beside it as far as ``resume`` can go on with it.
    """
    if workers < 1 or (max_errors is not None and max_errors < 1):
        raise UsageError("workers and max_errors count from 1")
    work = Work(
        Job(
            source=source,
            mapping=mapping_of(mapping),
            target=target,
            where=where,
            sample=sample,
            redact=redact,
            carry=carry,
            gather=assemble or takes_conversations(target),
            indent=indent,
            packing=packing_of(dst),
        )
    )
    files = [*files_in(places(src))]
    trail = Trail(files, regular(dst), work, resume=resume)
    try:
        side = None if errors is None else ErrorFile(Path(errors), trail.mark.errors)
        tally = Tally(on_error, on_detect, side)
        if trail.mark.tally is not None:
            tally.load(trail.mark.tally)
        run = Run(
            work,
            files,
            Output(dst, indent, trail.partial),
            trail,
            tally,
            max_errors=max_errors,
            session_limit=session_limit,
            on_progress=on_progress,
        )
        with seldom_collected():
            report = run.run(workers)
    except BaseException:
        trail.leave()
        raise
    trail.remove()
    return report
