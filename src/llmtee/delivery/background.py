"""A daemon thread with an event loop, for synchronous code that waits for coroutines, also where a loop runs already."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from llmtee.delivery.loop import Loop

T = TypeVar("T")


class Background:
    """Runs coroutines until `end`."""

    def __init__(self, name: str, finish: Callable[[], Awaitable[None]]) -> None:
        """Starts the thread.

        Args:
            name: of the thread.
            finish: what is awaited there at the end, when everything else was cancelled.

        Raises:
            RuntimeError: the interpreter is exiting.
        """
        self._finish = finish
        self._loop = Loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(
            target=self._loop.run, args=(self._main,), name=name, daemon=True
        )
        try:
            self._thread.start()
        except RuntimeError:
            self._loop.close()
            raise

    def begin(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Runs a coroutine there. `end` cancels it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def end(self) -> None:
        """Cancels what is under way, and waits until the thread has ended. Once only."""
        self._loop.call_soon_threadsafe(self._stop.set)
        # A daemon thread makes no step any more when the interpreter has begun to exit; and the garbage collector,
        # which closes a generator that nobody wants any more, may work in any thread, in this one too.
        if not sys.is_finalizing() and threading.current_thread() is not self._thread:
            self._thread.join()

    async def _main(self) -> None:
        await self._stop.wait()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._finish()
