"""The wire. The only module that knows the HTTP library: requests go in, exchanges come out, and nothing is raised."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Iterable
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from llmtee._version import __version__
from llmtee.config import is_loopback
from llmtee.delivery.exporter import Exporter
from llmtee.spec import Exchange, Failure, Request

CONNECT_SECONDS = 10.0
MAX_ANSWER_BYTES = 16_000_000
"""What is read of an answer; vendors answer a batch with little more than ids."""
_IDLE_SECONDS = 3.0
"""An idle connection is given up before servers give it up (uvicorn: after 5), so that no request meets a closed one."""

_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
)


class HttpClient:
    """One exporter's connections. Use it in one event loop, and close it there."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter
        limits = httpx.Limits(max_connections=exporter.concurrency, keepalive_expiry=_IDLE_SECONDS)
        self._client = httpx.AsyncClient(**_options(exporter), limits=limits)

    async def send(self, request: Request) -> Exchange:
        """Sends a request and reads its answer, within ``settings.timeout`` seconds in all.

        Raises:
            ConfigError: the key is missing.
        """
        prepared = _prepared(self._client, self._exporter, request)
        try:
            async with asyncio.timeout(self._exporter.settings.timeout):
                response = await self._client.send(prepared, stream=True)
                try:
                    content = await _read(response.aiter_bytes())
                finally:
                    await response.aclose()
        except TimeoutError:
            # Connecting has a shorter limit of its own, so the request had left.
            text = f"no complete answer within {self._exporter.settings.timeout:g} s"
            return _failed(self._exporter, request, Failure.UNANSWERED, text)
        except Exception as error:  # noqa: BLE001 - whatever a transport raises, there was no answer
            return _failure(self._exporter, request, error)
        return _answered(self._exporter, request, response, content)

    async def close(self) -> None:
        """Closes all connections."""
        await self._client.aclose()


def exchange(exporter: Exporter, request: Request) -> Exchange:
    """One request outside the engine, in the caller's thread: for ``llmtee vendors check``.

    Raises:
        ConfigError: the key is missing.
    """
    with httpx.Client(**_options(exporter)) as client:
        prepared = _prepared(client, exporter, request)
        try:
            response = client.send(prepared, stream=True)
            try:
                content = _read_plainly(response.iter_bytes())
            finally:
                response.close()
        except Exception as error:  # noqa: BLE001 - as above
            return _failure(exporter, request, error)
    return _answered(exporter, request, response, content)


@cache
def _tls() -> ssl.SSLContext:
    """Verifies certificates and host names. Shared, because loading the authorities takes a while.

    Honours ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``.
    """
    return httpx.create_ssl_context()


def _options(exporter: Exporter) -> dict[str, Any]:
    seconds = exporter.settings.timeout
    host = urlsplit(exporter.settings.base_url).hostname or ""
    return {
        "timeout": httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)),
        "verify": _tls(),
        # A redirect would carry the key to wherever it points.
        "follow_redirects": False,
        # Proxies by the usual variables; one that is meant for the world does not reach this machine.
        "trust_env": not is_loopback(host),
    }


def _prepared(
    client: httpx.AsyncClient | httpx.Client, exporter: Exporter, request: Request
) -> httpx.Request:
    # At once in a type that does not print the key: tools that report errors show a frame's variables.
    headers = httpx.Headers(
        {
            "accept": "application/json",
            "user-agent": f"llmtee/{__version__}",
            **({"content-type": "application/json"} if request.body is not None else {}),
            **request.headers,
            **exporter.vendor.auth(exporter.settings),
        }
    )
    return client.build_request(
        request.method,
        exporter.settings.base_url.rstrip("/") + request.path,
        params=dict(request.query) or None,
        headers=headers,
        content=request.content or None,
    )


async def _read(chunks: AsyncIterator[bytes]) -> bytes:
    content = bytearray()
    async for chunk in chunks:
        content += chunk
        if len(content) >= MAX_ANSWER_BYTES:
            break
    return bytes(content)


def _read_plainly(chunks: Iterable[bytes]) -> bytes:
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) >= MAX_ANSWER_BYTES:
            break
    return bytes(content)


def _answered(
    exporter: Exporter, request: Request, response: httpx.Response, content: bytes
) -> Exchange:
    for secret in _secrets(exporter):
        content = content.replace(secret.encode(), b"[redacted]")
    return Exchange(
        request,
        status=response.status_code,
        headers={name.lower(): value for name, value in response.headers.items()},
        content=content,
        received_at=dt.datetime.now(dt.UTC),
    )


def _failure(exporter: Exporter, request: Request, error: Exception) -> Exchange:
    not_sent = isinstance(error, _NOT_SENT)
    text = str(error) or type(error).__name__
    return _failed(exporter, request, Failure.NOT_SENT if not_sent else Failure.UNANSWERED, text)


def _failed(exporter: Exporter, request: Request, failure: Failure, text: str) -> Exchange:
    for secret in _secrets(exporter):
        text = text.replace(secret, "[redacted]")
    return Exchange(
        request, failure=failure, failure_text=text, received_at=dt.datetime.now(dt.UTC)
    )


def _secrets(exporter: Exporter) -> list[str]:
    """The keys: a vendor's answer may repeat them, and answers are kept in dead letters."""
    values = (getattr(exporter.settings, name) for name in type(exporter.settings).model_fields)
    secrets = (value.get_secret_value() for value in values if isinstance(value, SecretStr))
    # Shorter ones occur by chance, and replacing those would garble the answer.
    return [secret for secret in secrets if len(secret) >= 8]
