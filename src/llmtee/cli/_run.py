"""From what a command does to how the process ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from io import TextIOWrapper
from typing import ParamSpec

import typer

from llmtee.errors import LlmteeError, UsageError

P = ParamSpec("P")

DONE, SOME_FAILED, WRONG_USE, INTERRUPTED, NO_READER = 0, 1, 2, 130, 141


def command(function: Callable[P, int | None]) -> Callable[P, None]:
    """A function as typer takes it: errors become a line on stderr, what it returns becomes the exit code.

    Errors that are not llmtee's own keep their traceback: they are bugs.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(
                errors="replace"
            )  # a locale without our characters is no reason to fail
        try:
            code = function(*args, **kwargs) or DONE
            sys.stdout.flush()  # here, where a reader that has gone can still be dealt with
        except LlmteeError as error:
            complain(str(error))
            code = WRONG_USE if isinstance(error, UsageError) else SOME_FAILED
        except KeyboardInterrupt:
            complain("interrupted")
            code = INTERRUPTED
        except BrokenPipeError:
            # `llmtee … | head`: what is still buffered has no reader, and that is fine.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = NO_READER
        raise typer.Exit(code)

    return run


def complain(message: str) -> None:
    """A line on stderr."""
    print(f"llmtee: {message}", file=sys.stderr, flush=True)
