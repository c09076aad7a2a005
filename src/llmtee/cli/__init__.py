"""The command line, a file a command. Needs the extra ``cli``."""

from __future__ import annotations

import sys


def main() -> None:
    """The console script ``llmtee``. Exit codes: 0 done, 1 some items failed, 2 wrong use, 130 interrupted."""
    try:
        import rich  # noqa: F401, PLC0415 - looked for first, so that no other ImportError is taken for this one
        import typer  # noqa: F401, PLC0415
    except ImportError:
        print('the command line needs: pip install "llmtee[cli]"', file=sys.stderr)
        sys.exit(2)
    try:
        from llmtee.cli._app import app  # noqa: PLC0415

        app(prog_name="llmtee")
    except KeyboardInterrupt:  # before a command had begun
        sys.exit(130)
