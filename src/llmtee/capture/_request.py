"""What the middlewares for ASGI and WSGI share: whose a request is, as the application's own callables tell."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

from llmtee.delivery.health import Limited
from llmtee.tee import Tee, get_tee

logger = logging.getLogger("llmtee")

Told: TypeAlias = Callable[[Any], Any] | Any
"""A callable that is given the request, or a value that holds for all requests."""


class Teller:
    """Asks the application about each request. What raises is told in the log, and left out."""

    def __init__(self, tee: Tee | None, **told: Told) -> None:
        self._tee = tee
        self._told = {name: one for name, one in told.items() if one is not None}
        self._lines = Limited()

    def ask(self, request: Any) -> dict[str, Any]:
        """The answers by name, as they were given; those that are ``None`` are left out."""
        found = {}
        for name, told in self._told.items():
            try:
                answer = told(request) if callable(told) else told
            except Exception as error:  # noqa: BLE001 - attribution is never the reason why a request fails
                self.failed(name, error)
                continue
            if answer is not None:
                found[name] = answer
        return found

    def block(self, answers: Mapping[str, Any]) -> AbstractContextManager[None]:
        """The request's block, which belongs to the session that was told, with what else was."""
        about = dict(answers)
        try:
            tags = about.get("tags", ())
            about["tags"] = tags if isinstance(tags, (list, tuple, set, frozenset)) else [tags]
            tee = get_tee() if self._tee is None else self._tee
            return tee.session(about.pop("session", None), **about)
        except Exception as error:  # noqa: BLE001 - as above
            self.failed("answers", error)
            return nullcontext()

    def failed(self, name: str, error: Exception) -> None:
        """Says in the log that something could not be told."""
        if self._lines.may(time.time()):
            logger.error(
                "a middleware cannot say whose a request is, and what is recorded in it goes without its %s",
                name,
                exc_info=error,
            )
