"""A process that has imported what every command needs, and forks one for each run: the imports take half a second.

It reads orders, one JSON object a line, from its standard input: ``args``, ``cwd``, ``env``, and the files for
``stdin``, ``stdout`` and ``stderr``. The child becomes the console script; its exit code is answered, a line each.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from typing import Any

# Not the commands themselves: what they see of the terminal and the environment is looked at when they are imported.
IMPORTED = (
    *("httpx", "rich.console", "rich.progress", "rich.table", "typer", "typer.main", "uvicorn"),
    *(
        "starlette.applications",
        "jsonschema",
        "llmtee.bulk",
        "llmtee.delivery.http",
        "llmtee.functions",
    ),
    *("llmtee.migrate", "llmtee.tee", "llmtee.testing.emulators"),
)


def warm_up() -> None:
    for name in IMPORTED:
        import_module(name)
    from llmtee import registry  # noqa: PLC0415

    for name in registry.vendor_names():
        registry.vendor(name)
    for name in registry.format_names():
        registry.format(name)


def become(order: dict[str, Any]) -> None:
    """Turns this process into one that a shell has started."""
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    for number, (name, flags) in enumerate(
        (
            ("stdin", os.O_RDONLY),
            ("stdout", os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
            ("stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        )
    ):
        opened = os.open(order[name], flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False, errors="backslashreplace")  # noqa: SIM115
    sys.argv = ["llmtee", *order["args"]]


def serve() -> bool:
    """Answers orders until there are none; returns whether this is a child, which has to run one."""
    for line in sys.stdin.buffer:
        pid = os.fork()
        if pid == 0:
            become(json.loads(line))
            return True
        _, status = os.waitpid(pid, 0)
        os.write(1, b"%d\n" % os.waitstatus_to_exitcode(status))
    return False


if __name__ == "__main__":
    warm_up()
    if serve():
        from llmtee.cli import main

        main()
