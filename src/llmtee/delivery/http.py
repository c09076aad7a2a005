"""HTTP by httpx, the default. The only module that knows it."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from functools import cache, partial
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from llmtee.delivery.addressed import CONNECT_SECONDS, IDLE_SECONDS, Addressed, proxy_for, tls
from llmtee.delivery.exporter import Exporter
from llmtee.delivery.transport import Answer, read_bounded
from llmtee.errors import ConfigError

_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
)


class HttpxWire:
    """A ``Wire``."""

    def __init__(self, exporter: Exporter) -> None:
        seconds, self._most = exporter.settings.timeout, exporter.answer_bytes
        proxy = proxy_for(exporter)
        auth = None if proxy is None or proxy.user is None else (proxy.user, proxy.password or "")
        context = tls(default_tls)
        try:
            through = None if proxy is None else httpx.Proxy(proxy.url, auth=auth)
            self._open = partial(self._opened, exporter, seconds, context, through)
            self._client = self._open()
        except (ValueError, ImportError) as error:
            raise ConfigError(f"httpx cannot use the proxy {proxy}: {error}") from None
        self._under_way: Counter[httpx.AsyncClient] = Counter()

    @staticmethod
    def _opened(
        exporter: Exporter, seconds: float, context: ssl.SSLContext, proxy: httpx.Proxy | None
    ) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            timeout=httpx.Timeout(seconds, connect=min(0.9 * seconds, CONNECT_SECONDS)),
            limits=httpx.Limits(
                max_connections=exporter.concurrency, keepalive_expiry=IDLE_SECONDS
            ),
            verify=context,
            proxy=proxy,
            # Ours is the reading of the environment, and the same for each library.
            trust_env=False,
            # A redirect would carry the key to wherever it points.
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    async def fetch(self, sent: Addressed) -> Answer:
        """Sends a request and reads the answer."""
        client = self._client
        self._under_way[client] += 1
        try:
            return await self._exchange(client, sent)
        except asyncio.CancelledError:
            # Broken off while it connects, a request leaves its place in httpcore's pool taken for ever (its issue
            # 1093, open in 1.0.9), and a full pool sends nothing any more: what comes next gets a pool of its own.
            if client is self._client:
                self._client = self._open()
            raise
        finally:
            self._under_way[client] -= 1
            if client is not self._client and not self._under_way[client]:
                del self._under_way[client]
                await client.aclose()

    async def _exchange(self, client: httpx.AsyncClient, sent: Addressed) -> Answer:
        request = client.build_request(
            sent.method, sent.url, headers=sent.headers, content=sent.content or None
        )
        response = await client.send(request, stream=True)
        try:
            content, _ = await read_bounded(response.aiter_bytes(), self._most)
        finally:
            await response.aclose()
        return response.status_code, dict(response.headers), content

    def was_not_sent(self, error: Exception) -> bool:
        """Whether the request surely did not reach the vendor."""
        return isinstance(error, _NOT_SENT)

    async def close(self) -> None:
        """Closes all connections."""
        for client in {self._client, *self._under_way}:
            await client.aclose()


@cache
def default_tls() -> ssl.SSLContext:
    """With the authorities that httpx brings along. Shared, because loading them takes a while."""
    return httpx.create_ssl_context(trust_env=False)
