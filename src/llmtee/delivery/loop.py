"""The event loop of the engine: one that can be brought to a halt for a fork, and that no name server holds up."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import socket
import threading
from collections.abc import Callable
from typing import Any


class _Selector(selectors.DefaultSelector):
    """Lets go of a lock while it waits: who holds that lock knows that the loop is between two steps."""

    def __init__(self) -> None:
        super().__init__()
        self.working = threading.RLock()

    def select(self, timeout: float | None = None) -> Any:
        self.working.release()
        try:
            return super().select(timeout)
        finally:
            self.working.acquire()


class Loop(asyncio.SelectorEventLoop):
    """Runs in one thread, by `run`."""

    def __init__(self) -> None:
        self._own_selector = _Selector()
        super().__init__(self._own_selector)

    def run(self, main: Callable[[], Any]) -> None:
        """Runs until the coroutine that ``main`` makes has ended, then closes the loop."""
        with self._own_selector.working:
            try:
                self.run_until_complete(main())
            finally:
                self.run_until_complete(self.shutdown_asyncgens())
                self.run_until_complete(self.shutdown_default_executor())
                self.close()

    def halt(self, seconds: float) -> bool:
        """From any thread: waits until no step runs, and lets none begin until `go_on`; false after so many seconds."""
        return self._own_selector.working.acquire(timeout=seconds)

    def go_on(self) -> None:
        """Ends a `halt`, in the same thread."""
        self._own_selector.working.release()

    def drop(self) -> None:
        """In a forked child: closes its copies of descriptors that are the parent's, and touches nothing else.

        Not `close`: that would take them out of the kernel's polling set, which the parent shares. Connections of the
        parent would otherwise stay open, for the vendor, as long as the child lives.
        """
        self._own_selector.close()
        own = [getattr(self, name, None) for name in ("_ssock", "_csock")]
        transports = list(getattr(self, "_transports", {}).values())
        for one in own + [getattr(transport, "_sock", None) for transport in transports]:
            if isinstance(one, socket.socket):
                one.close()
        self._closed = True  # so that collecting it does not close it after all

    async def getaddrinfo(self, host: Any, port: Any, **hints: Any) -> Any:
        """Resolves a name in a thread of its own, which neither an exit nor other names have to wait for.

        The thread pool's threads are waited for by the interpreter, without limit.
        """
        found = self.create_future()

        def tell(set_it: Callable[[Any], None], value: Any) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self.call_soon_threadsafe(lambda: None if found.done() else set_it(value))

        def look() -> None:
            try:
                tell(found.set_result, socket.getaddrinfo(host, port, **hints))
            except (OSError, UnicodeError) as error:
                tell(found.set_exception, error)

        try:
            threading.Thread(target=look, name="llmtee-resolver", daemon=True).start()
        except RuntimeError:  # the interpreter exits, and starts no threads any more
            return socket.getaddrinfo(host, port, **hints)
        return await found
