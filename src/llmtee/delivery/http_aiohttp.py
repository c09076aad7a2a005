"""HTTP by aiohttp, for ``llmtee[fast]``. The only module that knows it."""

from __future__ import annotations

from base64 import b64encode

import aiohttp
from yarl import URL

from llmtee.delivery.addressed import (
    CONNECT_SECONDS,
    IDLE_SECONDS,
    Addressed,
    Headers,
    Proxy,
    proxy_for,
    tls,
)
from llmtee.delivery.exporter import Exporter
from llmtee.delivery.http import default_tls
from llmtee.delivery.transport import Answer, read_bounded
from llmtee.errors import ConfigError

_CHUNK_BYTES = 65536
_NOT_SENT = (
    aiohttp.ClientConnectorError,  # names, refused connections, TLS, certificates, an unreachable proxy
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ServerFingerprintMismatch,
    aiohttp.InvalidURL,
)


class AiohttpWire:
    """A ``Wire``."""

    def __init__(self, exporter: Exporter) -> None:
        proxy = proxy_for(exporter)
        if proxy is not None and not proxy.url.startswith(("http://", "https://")):
            raise ConfigError(
                f"aiohttp cannot use the proxy {proxy.url}: leave transport= out for httpx"
            )
        self._proxy = None if proxy is None else proxy.url
        self._proxy_headers = {} if proxy is None else _credentials(proxy)
        self._connections = exporter.concurrency
        self._seconds, self._most = exporter.settings.timeout, exporter.answer_bytes
        self._tls = tls(default_tls)
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, sent: Addressed) -> Answer:
        """Sends a request and reads the answer."""
        # A proxy reads plain requests itself; for the others it is asked for a tunnel first, with headers of its own.
        tunnelled = sent.url.startswith("https:")
        async with self._opened().request(
            sent.method,
            URL(sent.url, encoded=True),
            headers=Headers(sent.headers | ({} if tunnelled else self._proxy_headers)),
            data=sent.content or None,
            # A redirect would carry the key to wherever it points.
            allow_redirects=False,
            proxy=self._proxy,
            proxy_headers=self._proxy_headers if tunnelled else None,
            skip_auto_headers=() if sent.content else ("content-type",),
        ) as response:
            content, whole = await read_bounded(
                response.content.iter_chunked(_CHUNK_BYTES), self._most
            )
            if not whole:
                response.close()
            names = dict.fromkeys(response.headers)
            headers = {name: ", ".join(response.headers.getall(name)) for name in names}
            return response.status, headers, content

    def was_not_sent(self, error: Exception) -> bool:
        """Whether the request surely did not reach the vendor."""
        return isinstance(error, _NOT_SENT)

    async def close(self) -> None:
        """Closes all connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        # Made in the event loop that it belongs to.
        if self._session is None:
            seconds = self._seconds
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._connections, keepalive_timeout=IDLE_SECONDS, ssl=self._tls
                ),
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=min(0.9 * seconds, CONNECT_SECONDS), ceil_threshold=1e9
                ),
                # Ours is the reading of the environment, and the same for each library.
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


def _credentials(proxy: Proxy) -> dict[str, str]:
    if proxy.user is None:
        return {}
    pair = b64encode(f"{proxy.user}:{proxy.password or ''}".encode()).decode()
    return {"Proxy-Authorization": f"Basic {pair}"}
