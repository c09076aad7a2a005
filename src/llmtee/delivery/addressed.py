"""A request as it goes out, and an exchange from what came of it: what all transports share. No HTTP library."""

from __future__ import annotations

import datetime as dt
import gzip
import os
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

from pydantic import SecretStr

from llmtee._version import __version__
from llmtee.config import is_loopback
from llmtee.delivery.exporter import Exporter
from llmtee.errors import ConfigError
from llmtee.spec import Exchange, Failure, Request

CONNECT_SECONDS = 10.0
IDLE_SECONDS = 3.0
"""An idle connection is given up before servers give it up (uvicorn: after 5), so that no request meets a closed one."""
COMPRESS_BYTES = 1024
"""Smaller bodies are not worth compressing."""
# Level 6, the library's default, costs four times as much for a seventh less.
_GZIP_LEVEL = 1


class Headers(dict[str, str]):
    """Headers that do not print their values: tools that report errors show a frame's variables."""

    def __repr__(self) -> str:
        return f"Headers({', '.join(self)})"


@dataclass(frozen=True, slots=True)
class Addressed:
    """A request with host and authentication."""

    method: str
    url: str
    """Percent-encoded."""
    headers: Headers
    content: bytes


def addressed(exporter: Exporter, request: Request, *, compress: bool = False) -> Addressed:
    """A vendor's request as it goes out.

    Args:
        exporter: whose key and address it gets.
        request: from the vendor's ``pack``.
        compress: whether the body is compressed, when it is large enough.

    Raises:
        ConfigError: the key is missing.
    """
    headers = Headers(
        {
            "accept": "application/json",
            "user-agent": f"llmtee/{__version__}",
            **({"content-type": "application/json"} if request.body is not None else {}),
            **request.headers,
            **exporter.vendor.auth(exporter.settings),
        }
    )
    content = request.content
    if compress and len(content) >= COMPRESS_BYTES:
        headers["content-encoding"] = "gzip"
        content = gzip.compress(content, _GZIP_LEVEL, mtime=0)
    query = urlencode(dict(request.query), quote_via=quote)
    url = exporter.settings.base_url.rstrip("/") + request.path + (f"?{query}" if query else "")
    return Addressed(request.method, url, headers, content)


def answered(
    request: Request,
    status: int,
    headers: Mapping[str, str],
    content: bytes,
    *,
    secrets: Sequence[str],
) -> Exchange:
    """The exchange of a request that was answered, without ``secrets``."""
    for secret in secrets:
        content = content.replace(secret.encode(), b"[redacted]")
    return Exchange(
        request,
        status=status,
        headers={name.lower(): value for name, value in headers.items()},
        content=content,
        received_at=dt.datetime.now(dt.UTC),
    )


def failed(request: Request, failure: Failure, text: str, *, secrets: Sequence[str]) -> Exchange:
    """The exchange of a request that was not, without ``secrets``."""
    for secret in secrets:
        text = text.replace(secret, "[redacted]")
    return Exchange(
        request, failure=failure, failure_text=text, received_at=dt.datetime.now(dt.UTC)
    )


def secrets_of(exporter: Exporter) -> list[str]:
    """Keys, and a proxy's password: answers and errors may repeat them, and are kept in dead letters."""
    values = (getattr(exporter.settings, name) for name in type(exporter.settings).model_fields)
    secrets = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    if (proxy := proxy_for(exporter)) is not None and proxy.password is not None:
        secrets += [proxy.password, quote(proxy.password, safe="")]
    # Shorter ones occur by chance, and replacing those would garble the answer.
    return [secret for secret in secrets if len(secret) >= 8]


# ── proxies and certificates, by the usual variables ────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, with what it wants to know."""

    url: str
    """Without user and password."""
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"Proxy({self.url!r})"


def proxy_for(exporter: Exporter) -> Proxy | None:
    """The proxy of an exporter's address, by ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``.

    One that is meant for the world does not reach this machine, so loopback addresses never have one.

    Raises:
        ConfigError: the variable holds no address.
    """
    url = urlsplit(exporter.settings.base_url)
    host = url.hostname or ""
    proxies = getproxies()
    found = proxies.get(url.scheme) or proxies.get("all")
    if not found or is_loopback(host) or proxy_bypass(url.netloc):
        return None
    parts = urlsplit(found if "://" in found else f"http://{found}")
    where = parts.hostname or ""
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        # The value may hold a password.
        raise ConfigError(f"the proxy for {url.scheme} addresses has no usable port") from None
    plain = f"[{where}]{port}" if ":" in where else f"{where}{port}"
    return Proxy(
        urlunsplit((parts.scheme, plain, parts.path, "", "")),
        None if parts.username is None else unquote(parts.username),
        None if parts.password is None else unquote(parts.password),
    )


def tls(default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """What verifies certificates and host names, always.

    The authorities are those of ``SSL_CERT_FILE``, ``SSL_CERT_DIR`` or ``REQUESTS_CA_BUNDLE`` (a file or a directory),
    the first that is set; else those of ``default``.

    Raises:
        ConfigError: what the variable names cannot be read.
    """
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
        if named := os.environ.get(variable):
            return _trusting(variable, named)
    return default()


@cache
def _trusting(variable: str, named: str) -> ssl.SSLContext:
    where: dict[str, Any] = {"capath" if Path(named).is_dir() else "cafile": named}
    try:
        return ssl.create_default_context(**where)
    except OSError as error:
        raise ConfigError(
            f"{variable} names {named}, which holds no readable certificates: {error}"
        ) from None
