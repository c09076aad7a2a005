"""``llmtee vacuum``: makes the files of an event log as small as they can be."""

from __future__ import annotations

from llmtee.cli import _console as console
from llmtee.cli._log import event_log
from llmtee.cli._options import DirArgument, JsonOption
from llmtee.eventlog import disk


def vacuum(directory: DirArgument = None, as_json: JsonOption = False) -> None:
    """Make the database of an event log as small as it can be.

    Seldom needed: what was deleted is given back to the disk bit by bit. Delivery waits meanwhile, recording does not;
    a large database takes a while, and as much room again.

    Example: llmtee vacuum /var/lib/myapp/llmtee
    """
    with event_log(directory) as log:
        before = disk(log.directory).bytes
        log.vacuum()
        after = disk(log.directory).bytes
    if as_json:
        console.print_json({"before": before, "after": after})
    else:
        console.line(f"{console.size(before)} before, {console.size(after)} now")
