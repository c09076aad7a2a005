"""Direct calls of a vendor's API: executes an `Operation`, waits, and gives its result. Knows no vendor.

A call is repeated where that is safe and may help (see ``Operation.may_repeat``), no earlier than the vendor's
``Retry-After`` asks; one that asks for more than `MAX_WAIT` seconds is given up, for somebody waits.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import CancelledError
from typing import Final, TypeVar
from weakref import WeakSet

from llmtee.delivery.background import Background
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
        self._background: Background | None = None
        self._closed = False
        _callers.add(self)

    def __call__(self, operation: Operation[T]) -> T:
        """The result of an operation; raises as `AsyncCaller` does."""
        with self._lock:
            if self._closed:
                raise UsageError(_CLOSED)
            if self._background is None:
                self._call = AsyncCaller(self._exporter, retries=self._retries)
                self._background = Background("llmtee-direct", self._call.aclose)
            # Under the lock: what is begun before `close` is ended by it.
            done = self._background.begin(self._call(operation))
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
            background, self._background = self._background, None
        if background is not None:
            background.end()

    def after_fork(self) -> None:
        """In a forked child: thread and connections are the parent's; the next call makes new ones."""
        self._lock = threading.Lock()
        if self._background is not None:
            # Kept, for an event loop that is thrown away while it runs complains.
            _of_parents.append(self._background)
            self._background = None


_CLOSED: Final = "this client is closed"
_callers: WeakSet[Caller] = WeakSet()
_of_parents: list[Background] = []


def _after_fork() -> None:
    for caller in list(_callers):
        caller.after_fork()


os.register_at_fork(after_in_child=_after_fork)
