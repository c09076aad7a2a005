"""ASGI middleware: everything recorded in a request belongs to the session that the application names.

    from llmtee.capture.asgi import Middleware

    app = Middleware(app, tee, session=lambda scope: dict(scope["headers"])[b"x-session"].decode())

With Starlette and FastAPI: ``app.add_middleware(Middleware, tee=tee, session=…)``. No framework is imported.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from llmtee.capture._request import Teller, Told
from llmtee.tee import Tee

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_TYPES = ("http", "websocket")


class Middleware:
    """Runs each request, and each websocket, in a block of its own, its streamed answer and background tasks included.

    What it starts (tasks, and threads by ``asyncio.to_thread``) belongs to it as well. Other scopes, such as
    ``lifespan``, pass through.
    """

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

        Each of the keywords is a function of the ASGI scope, asynchronous ones too, or a value that holds for all
        requests. ``None`` says nothing. An exception in one is told in the log, and its answer is left out.

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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs a request in its block."""
        if scope["type"] not in _TYPES:
            await self.app(scope, receive, send)
            return
        answers = self._teller.ask(scope)
        for name in [name for name, answer in answers.items() if inspect.isawaitable(answer)]:
            try:
                answer = await answers.pop(name)
            except Exception as error:  # noqa: BLE001 - attribution is never the reason why a request fails
                self._teller.failed(name, error)
                continue
            if answer is not None:
                answers[name] = answer
        with self._teller.block(answers):
            await self.app(scope, receive, send)
