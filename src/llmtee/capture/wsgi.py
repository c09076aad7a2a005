"""WSGI middleware: everything recorded in a request belongs to the session that the application names.

    from llmtee.capture.wsgi import Middleware

    app.wsgi_app = Middleware(app.wsgi_app, tee, session=lambda environ: environ.get("HTTP_X_SESSION"))

That is how Flask takes it; for Django, wrap what ``get_wsgi_application()`` gives. No framework is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from llmtee.capture._request import Teller, Told
from llmtee.tee import Place, Tee

Environ: TypeAlias = dict[str, Any]
App: TypeAlias = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class Middleware:
    """Runs each request in a block of its own, the parts of a streamed answer included."""

    def __init__(
        self,
        app: App,
        tee: Tee | None = None,
        *,
        session: Told = None,
        person: Told = None,
        agent: Told = None,
        agent_version: Told = None,
        properties: Told = None,
        tags: Told = None,
    ) -> None:
        """Prepares; nothing is asked before the first request.

        Each of the keywords is a function of the WSGI environ, or a value that holds for all requests. ``None`` says
        nothing. An exception in one is told in the log, and its answer is left out.

        Args:
            app: the application.
            tee: where the application records; by default the default Tee.
            session: the session, as in ``Tee.session``; and so are the others.
            person: whom it talks to.
            agent: who acts.
            agent_version: its version.
            properties: of every event.
            tags: of every event.
        """
        self.app = app
        self._teller = Teller(
            tee,
            session=session,
            person=person,
            agent=agent,
            agent_version=agent_version,
            properties=properties,
            tags=tags,
        )

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Runs a request in its block."""
        with self._teller.block(self._teller.ask(environ)):
            body = self.app(environ, start_response)
            files = environ.get("wsgi.file_wrapper")
            if isinstance(body, (list, tuple, bytes)) or _is_a(body, files):
                return body  # nothing runs while it is sent, and servers have short cuts for these
            return _SizedBody(body) if hasattr(body, "__len__") else _Body(body)


class _Body:
    """A streamed answer, each part of which is made where the request is."""

    def __init__(self, body: Iterable[bytes]) -> None:
        self._body = body
        self._parts: Iterator[bytes] | None = None
        self._place = Place()

    def __iter__(self) -> Iterator[bytes]:
        with self._place:
            self._parts = iter(self._body)
        return self

    def __next__(self) -> bytes:
        if self._parts is None:
            iter(self)
        assert self._parts is not None  # noqa: S101 - says to the type checker what was just set
        with self._place:
            return next(self._parts)

    def close(self) -> None:
        """Called by the server at the end, also of an answer that nobody wanted any more."""
        close = getattr(self._body, "close", None)
        if close is not None:
            with self._place:
                close()


class _SizedBody(_Body):
    """One that says how many parts it has, from which servers tell the length of the answer."""

    def __len__(self) -> int:
        return len(self._body)  # type: ignore[arg-type]


def _is_a(body: object, kind: object) -> bool:
    return isinstance(kind, type) and isinstance(body, kind)
