"""A real HTTP server in a thread, which can misbehave on purpose. Needs the extra ``server``."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from llmtee.errors import UsageError
from llmtee.testing.emulators import faults
from llmtee.testing.emulators._exchange import Answer, Call

if TYPE_CHECKING:
    from llmtee.testing.emulators._base import Emulator

_log = logging.getLogger("llmtee.testing.emulators")

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER: on, for 0 seconds. Closing then sends an RST instead of a FIN."""


class Server:
    """Serves an emulator on 127.0.0.1 from a thread of its own, from construction until `stop`.

    Raises:
        UsageError: the port is taken, or the extra ``server`` is not installed.
    """

    def __init__(self, emulator: Emulator, port: int) -> None:
        try:
            import starlette  # noqa: F401, PLC0415
            import uvicorn  # noqa: F401, PLC0415
        except ImportError as error:
            raise UsageError('emulators need: pip install "llmtee[server]"') from error
        self._emulator = emulator
        self._socket = _listen(port)
        self.port: int = self._socket.getsockname()[1]
        self._ready = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"llmtee-emulator-{emulator.vendor}", daemon=True
        )
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Closes the port and every connection, and waits for the thread to end."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        from uvicorn import Config  # noqa: PLC0415
        from uvicorn.protocols.http.h11_impl import H11Protocol  # noqa: PLC0415
        from uvicorn.server import ServerState  # noqa: PLC0415

        class Protocol(H11Protocol):
            """Hands its transport to the application, in the scope's state."""

            def connection_made(self, transport: Any) -> None:
                self.app_state = {**self.app_state, "transport": transport}
                super().connection_made(transport)

        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        config = Config(
            self._application,
            interface="asgi3",
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=60,  # no idle client finds its connection closed under it
        )
        config.load()
        state = ServerState()
        server = await self._loop.create_server(
            lambda: Protocol(config, state, {}, self._loop), sock=self._socket
        )
        self._ready.set()
        await self._stop.wait()
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        await asyncio.sleep(
            0
        )  # the connections learn of it; what still answers them then ends by itself
        await asyncio.gather(*state.tasks)

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        from starlette.requests import ClientDisconnect, Request  # noqa: PLC0415

        request = Request(scope, receive)
        call = _call(request)
        fault = self._emulator._take_fault(call)  # noqa: SLF001 - the emulator's other half
        try:
            content = b"" if fault == faults.Reset("before") else await request.body()
        except ClientDisconnect:
            return
        try:
            answer = self._emulator._process(call, content, fault)  # noqa: SLF001
        except Exception:
            _log.exception("%s emulator: %s %s", self._emulator.vendor, call.method, call.path)
            raise
        if answer is not None:
            await _send(answer, fault, receive, send)
            return
        if isinstance(fault, faults.Reset):
            _reset(request.state.transport)
        while not await _has_left(receive):
            pass


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise UsageError(
            f"cannot listen on 127.0.0.1:{port}: {error}; choose another port, or 0 for a free one"
        ) from error
    return listener


def _call(request: Any) -> Call:
    headers: Mapping[str, str] = dict(request.headers)
    path = request.scope["raw_path"].decode("ascii")
    query = dict(parse_qsl(request.url.query, keep_blank_values=True))
    return Call(request.method, path, {}, query, headers)


async def _send(answer: Answer, fault: faults.Fault | None, receive: Any, send: Any) -> None:
    content = answer.content
    headers = {
        "content-type": answer.media_type,
        "content-length": str(len(content)),
        **{name.lower(): value for name, value in answer.headers.items()},
    }
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    if isinstance(fault, faults.Drip):
        for start in range(0, len(content), fault.bytes_per_chunk):
            chunk = content[start : start + fault.bytes_per_chunk]
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if await _has_left(receive, within=fault.delay):
                return
        content = b""
    await send({"type": "http.response.body", "body": content})


async def _has_left(receive: Any, within: float | None = None) -> bool:
    """Whether the client closed the connection, waiting so many seconds for it at most."""
    try:
        message = await asyncio.wait_for(receive(), within)
    except TimeoutError:
        return False
    return bool(message["type"] == "http.disconnect")


def _reset(transport: Any) -> None:
    transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE
    )
    transport.abort()
