"""Direct calls of a vendor's API: executes an `Operation`, waits, and gives its result. Knows no vendor.

A call is repeated where that is safe and may help (see ``Operation.may_repeat``), no earlier than the vendor's
``Retry-After`` asks; one that asks for more than `MAX_WAIT` seconds is given up, for somebody waits.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import CancelledError, Future
from typing import Final, TypeVar
from weakref import WeakSet

from llmtee.delivery.exporter import Exporter, Transport
from llmtee.delivery.retry import seconds_until_next
from llmtee.delivery.transport import load_transport, open_transport
from llmtee.errors import UsageError
from llmtee.spec import Exchange, Operation, RetryPolicy

T = TypeVar("T")

POLICY: Final = RetryPolicy(initial=0.25, multiplier=2.0, jitter=0.25, maximum=8.0)
"""Shorter than a vendor's own for delivery in the background, where nobody waits."""
MAX_WAIT: Final = 60.0
"""Seconds."""


class AsyncCaller:
    """Executes operations with one exporter's key, address and settings. For one event loop, and closed there."""

    def __init__(self, exporter: Exporter, *, retries: int = 2) -> None:
        """Prepares, without any I/O.

        Args:
            exporter: whose key, address and timeout count.
            retries: how often one operation is repeated at most.
        """
        load_transport(exporter)
        self._exporter, self._retries = exporter, retries
        self._policy = exporter.tuning.retry or POLICY
        self._transport: Transport | None = None
        self._closed = False

    async def __call__(self, operation: Operation[T]) -> T:
        """The result of an operation.

        Raises:
            ApiError: it failed.
            ConfigError: the key is missing.
            UsageError: the caller is closed.
        """
        tries = 1
        while True:
            if self._closed:
                raise UsageError(_CLOSED)
            if self._transport is None:
                self._transport = open_transport(self._exporter)
            exchange = await self._transport.send(operation.request)
            wait = self._wait(operation, exchange, tries)
            if wait is None:
                return operation.result(exchange)
            await asyncio.sleep(wait)
            tries += 1

    def _wait(self, operation: Operation[T], exchange: Exchange, tries: int) -> float | None:
        """Seconds until the next try; ``None``: there is none."""
        if tries > self._retries or not operation.may_repeat(exchange):
            return None
        after = exchange.retry_after
        wait = seconds_until_next(self._policy, tries, self._exporter.tuning.random, after)
        return wait if wait <= MAX_WAIT else None

    async def aclose(self) -> None:
        """Closes all connections. Closing twice is fine."""
        self._closed = True
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()


class Caller:
    """The same for synchronous code, from any thread, also where an event loop runs. Survives a fork.

    The connections live in an event loop of its own, in a daemon thread that the first call starts.
    """

    def __init__(self, exporter: Exporter, *, retries: int = 2) -> None:
        """Prepares, without any I/O. See `AsyncCaller` for the arguments."""
        load_transport(exporter)
        self._exporter, self._retries = exporter, retries
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self._closed = False
        _callers.add(self)

    def __call__(self, operation: Operation[T]) -> T:
        """The result of an operation; raises as `AsyncCaller` does."""
        with self._lock:
            if self._closed:
                raise UsageError(_CLOSED)
            if self._server is None:
                self._server = _Server(AsyncCaller(self._exporter, retries=self._retries))
            # Under the lock: what is begun before `close` is ended by it.
            done = self._server.begin(operation)
        try:
            return done.result()
        except CancelledError:
            raise UsageError(_CLOSED) from None
        except BaseException:
            done.cancel()  # such as Ctrl-C: nobody waits for the answer any more
            raise

    def close(self) -> None:
        """Gives up calls under way, closes all connections and ends the thread. Closing twice is fine."""
        with self._lock:
            self._closed = True
            server, self._server = self._server, None
        if server is not None:
            server.end()

    def after_fork(self) -> None:
        """In a forked child: thread and connections are the parent's; the next call makes new ones."""
        self._lock = threading.Lock()
        if self._server is not None:
            # Kept, for an event loop that is thrown away while it runs complains.
            _of_parents.append(self._server)
            self._server = None


class _Server:
    """A thread with an event loop, in which one `AsyncCaller` works."""

    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="llmtee-direct", daemon=True)
        self._thread.start()

    def begin(self, operation: Operation[T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(self._caller(operation), self._loop)

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._finish())
            self._loop.close()

    async def _finish(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._caller.aclose()
        await self._loop.shutdown_asyncgens()
        await self._loop.shutdown_default_executor()


_CLOSED: Final = "this client is closed"
_callers: WeakSet[Caller] = WeakSet()
_of_parents: list[_Server] = []


def _after_fork() -> None:
    for caller in list(_callers):
        caller.after_fork()


os.register_at_fork(after_in_child=_after_fork)
