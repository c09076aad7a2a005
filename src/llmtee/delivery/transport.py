"""The wire: requests go in, exchanges come out, and no HTTP library's exception passes. Which library is a setting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from llmtee.delivery.addressed import (
    Addressed,
    addressed,
    answered,
    failed,
    secrets_of,
)
from llmtee.delivery.exporter import Exporter, Transport
from llmtee.delivery.health import logger
from llmtee.spec import Exchange, Failure, Request

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""
_NOT_UNDERSTOOD = (400, 415)
"""How a server answers a body whose encoding it does not know."""


class Wire(Protocol):
    """An HTTP library, for one exporter. It follows no redirect, keeps no cookie, and verifies certificates."""

    async def fetch(self, sent: Addressed) -> Answer:
        """Sends a request and reads the answer, at most the exporter's ``answer_bytes`` of it. Raises what the library raises."""

    def was_not_sent(self, error: Exception) -> bool:
        """Whether an exception of `fetch` says that the request surely did not reach the vendor."""

    async def close(self) -> None:
        """Closes all connections."""


class HttpTransport:
    """One exporter's connections over HTTP."""

    def __init__(self, exporter: Exporter) -> None:
        """Raises ``ConfigError`` when what the environment says of certificates or proxies is of no use."""
        self._exporter = exporter
        self._secrets = secrets_of(exporter)
        self._wire = _wire(exporter)
        self._compress = exporter.encoding is not None
        self._understood = False

    async def send(self, request: Request) -> Exchange:
        """Sends a request and reads its answer, within ``settings.timeout`` seconds in all.

        Raises:
            ConfigError: the key is missing.
        """
        sent = addressed(self._exporter, request, compress=self._compress)
        exchange = await self._send(request, sent)
        if "content-encoding" not in sent.headers or self._understood or exchange.status is None:
            return exchange
        if exchange.status not in _NOT_UNDERSTOOD:
            self._understood = exchange.status < 300
            return exchange
        # A vendor that cannot read compressed bodies must not cost the items in them.
        plain = await self._send(request, addressed(self._exporter, request))
        if plain.status is not None and plain.status not in _NOT_UNDERSTOOD:
            self._compress = False
            logger.warning(
                "%s: %s does not read compressed requests (%s); they are sent as they are",
                self._exporter.name,
                self._exporter.vendor.title,
                exchange.status,
            )
        return plain

    async def _send(self, request: Request, sent: Addressed) -> Exchange:
        seconds = self._exporter.settings.timeout
        try:
            async with asyncio.timeout(seconds) as limit:
                answer = await self._wire.fetch(sent)
        except Exception as error:  # noqa: BLE001 - whatever a transport raises, there was no answer
            if limit.expired():
                # Connecting has a shorter limit of its own, so the request had left.
                text = f"no complete answer within {seconds:g} s"
                return failed(request, Failure.UNANSWERED, text, secrets=self._secrets)
            not_sent = self._wire.was_not_sent(error)
            failure = Failure.NOT_SENT if not_sent else Failure.UNANSWERED
            text = str(error) or type(error).__name__
            return failed(request, failure, text, secrets=self._secrets)
        return answered(request, *answer, secrets=self._secrets)

    async def close(self) -> None:
        """Closes all connections."""
        await self._wire.close()


def load_transport(exporter: Exporter) -> None:
    """Imports the HTTP library of an exporter's settings, in the caller's thread.

    In a thread of its own, while the application goes on, it could be met half imported: OpenAI's SDK, for one, looks at
    ``sys.modules["httpx"]`` during each call, and would fail.
    """
    if exporter.tuning.transport is None:
        _wire_class(exporter)


def open_transport(exporter: Exporter) -> Transport:
    """The transport that an exporter's settings name.

    Raises:
        ConfigError: what the environment says of certificates or proxies is of no use.
    """
    make = exporter.tuning.transport
    return HttpTransport(exporter) if make is None else make(exporter)


def exchange(exporter: Exporter, request: Request) -> Exchange:
    """One request outside the engine, in the caller's thread: for ``llmtee vendors check``.

    Raises:
        ConfigError: the key is missing.
    """

    async def send() -> Exchange:
        transport = open_transport(exporter)
        try:
            return await transport.send(request)
        finally:
            await transport.close()

    return asyncio.run(send())


async def read_bounded(chunks: AsyncIterator[bytes], most: int) -> tuple[bytes, bool]:
    """An answer's body, at most so many bytes of it, and whether that is all."""
    content = bytearray()
    async for chunk in chunks:
        content += chunk
        if len(content) >= most:
            return bytes(content[:most]), False
    return bytes(content), True


def _wire(exporter: Exporter) -> Wire:
    return _wire_class(exporter)(exporter)


def _wire_class(exporter: Exporter) -> Callable[[Exporter], Wire]:
    # Imported when they are used: each takes a while, and one of them may not be installed.
    if exporter.settings.transport == "aiohttp":
        from llmtee.delivery.http_aiohttp import AiohttpWire  # noqa: PLC0415

        return AiohttpWire
    from llmtee.delivery.http import HttpxWire  # noqa: PLC0415

    return HttpxWire
