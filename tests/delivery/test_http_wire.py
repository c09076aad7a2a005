"""Every way an exchange can end, over real sockets: the same by each HTTP library."""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trustme

from llmtee import config, registry
from llmtee.delivery.addressed import COMPRESS_BYTES
from llmtee.delivery.exporter import Exporter
from llmtee.delivery.transport import HttpTransport, exchange
from llmtee.errors import ConfigError
from llmtee.spec import Exchange, Failure, Request
from llmtee.testing.emulators import emulator_class

Make = Callable[..., Any]


@pytest.fixture(params=["httpx", "aiohttp"])
def library(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def send() -> Callable[[Exporter, Request], Exchange]:
    return exchange


@pytest.fixture
def over(exporter: Make, library: str) -> Callable[..., Exporter]:
    return lambda **settings: Exporter(
        vendor=registry.vendor("acme"), settings=exporter(transport=library, **settings)
    )


@pytest.fixture
def raw_server() -> Iterator[Callable[[bytes | None], str]]:
    """Answers one connection with the given bytes and closes it, or, with ``None``, never answers."""
    opened: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(content: bytes | None, *, kept: bytearray | None = None, reset: bool = False) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(10)
        opened.append(listener)

        def answer() -> None:
            connection, _ = listener.accept()
            connection.settimeout(10)
            opened.append(connection)
            received = connection.recv(1) if reset else _received(connection)
            if kept is not None:
                kept.extend(received)
            if reset:
                on_close = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, on_close)
                connection.close()
            elif content is not None:
                with suppress(BrokenPipeError, ConnectionResetError):  # the client had enough
                    connection.sendall(content)
                connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        threads.append(thread)
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield serve
    for thread in threads:
        thread.join()
    for one in opened:
        one.close()


def _received(connection: socket.socket) -> bytes:
    """One whole request: head and body may come apart."""
    content = b""
    while (end := content.find(b"\r\n\r\n")) < 0 or len(content) < end + 4 + _length(content):
        if not (more := connection.recv(65536)):
            break
        content += more
    return content


def _length(content: bytes) -> int:
    found = re.search(rb"content-length: (\d+)", content.lower())
    return int(found[1]) if found else 0


REQUEST = Request("POST", "/items", {"items": [{"id": "1", "text": "ü"}]}, query={"b": "2 3"})
EMPTY = Request("PUT", "/ticket")


def test_an_answer_is_complete(acme: Any, over: Make, send: Make) -> None:
    got = send(over(), Request("POST", "/items", {"items": [{"id": "1", "text": "ü"}]}))
    assert (got.status, got.failure) == (200, None)
    assert got.json == {"verdicts": ["delivered"]}
    assert got.received_at is not None
    assert got.received_at.tzinfo is not None
    (request,) = acme.requests
    assert request["body"] == {"items": [{"id": "1", "text": "ü"}]}
    assert request["headers"]["content-type"] == "application/json"
    assert request["headers"]["user-agent"].startswith("llmtee/")


def test_a_request_without_a_body_has_none(acme: Any, over: Make, send: Make) -> None:
    assert send(over(), EMPTY).json == {"ticket": 1}
    assert acme.requests[0]["body"] is None
    assert "content-type" not in acme.requests[0]["headers"]


def test_redirects_are_not_followed(acme: Any, over: Make, send: Make, answer: Any) -> None:
    acme.script.append(answer(302, headers={"Location": acme.url + "/ticket"}))
    assert send(over(), Request("POST", "/items", {"items": []})).status == 302
    assert len(acme.requests) == 1


def test_no_connection_is_not_sent(over: Make, send: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    got = send(over(base_url=f"http://127.0.0.1:{port}"), EMPTY)
    assert got.failure is Failure.NOT_SENT
    assert got.failure_text


def test_an_unknown_host_is_not_sent(over: Make, send: Make) -> None:
    assert send(over(base_url="http://acme.invalid"), EMPTY).failure is Failure.NOT_SENT


def test_no_tls_is_not_sent(acme: Any, over: Make, send: Make) -> None:
    got = send(over(base_url=acme.url.replace("http:", "https:")), EMPTY)
    assert got.failure is Failure.NOT_SENT


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{",
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
    ],
    ids=["closed", "cut", "nonsense", "bad gzip"],
)
def test_a_lost_answer_is_unanswered(
    over: Make, send: Make, raw_server: Make, content: bytes
) -> None:
    got = send(over(base_url=raw_server(content)), REQUEST)
    assert got.failure is Failure.UNANSWERED
    assert got.status is None


def test_a_timeout_is_unanswered(over: Make, send: Make, raw_server: Make) -> None:
    got = send(over(base_url=raw_server(None), timeout=0.05), REQUEST)
    assert got.failure is Failure.UNANSWERED


def test_an_answer_that_repeats_the_key_is_redacted(acme: Any, over: Make, send: Make) -> None:
    got = send(over(api_key="a-wrong-secret"), EMPTY)
    assert got.status == 401
    assert got.content == b'{"error": "bad key Bearer [redacted]"}'


def test_a_missing_key_is_the_callers_mistake(over: Make, send: Make) -> None:
    with pytest.raises(ConfigError):
        send(over(api_key=None), EMPTY)


def test_a_reset_before_the_answer_is_unanswered(over: Make, send: Make, raw_server: Make) -> None:
    # What had left by then cannot be known, so it counts as sent.
    got = send(over(base_url=raw_server(None, reset=True)), REQUEST)
    assert got.failure is Failure.UNANSWERED


def test_no_more_is_read_of_an_answer_than_is_sensible(
    over: Make, send: Make, raw_server: Make
) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n"
    one = replace(over(base_url=raw_server(head + b"x" * 300_000)), answer_bytes=200_000)
    got = send(one, REQUEST)
    assert got.status == 200
    assert len(got.content) == 200_000


def test_a_header_that_comes_twice_is_one(over: Make, send: Make, raw_server: Make) -> None:
    head = b"HTTP/1.1 200 OK\r\nX-Two: a\r\nx-two: b\r\ncontent-length: 2\r\n\r\n{}"
    assert send(over(base_url=raw_server(head)), REQUEST).headers["x-two"] == "a, b"


def test_path_query_and_body_leave_as_they_are(over: Make, send: Make, raw_server: Make) -> None:
    kept = bytearray()
    url = raw_server(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", kept=kept)
    body = {"text": "ü"}
    send(over(base_url=url + "/v1/"), Request("POST", "/a%2Fb", body, query={"b": "2 3&"}))
    assert kept.startswith(b"POST /v1/a%2Fb?b=2%203%26 HTTP/1.1\r\n")
    assert kept.endswith('\r\n\r\n{"text":"ü"}'.encode())


# ── no credentials where they do not belong ─────────────────────────────────────────────────────────────────────────


def test_no_key_follows_a_redirect_to_another_host(
    acme: Any, over: Make, send: Make, raw_server: Make
) -> None:
    to = f"location: {acme.url}/ticket\r\ncontent-length: 0\r\n\r\n".encode()
    for status in (b"301", b"303", b"307"):
        got = send(over(base_url=raw_server(b"HTTP/1.1 " + status + b" Moved\r\n" + to)), REQUEST)
        assert got.status == int(status)
    assert acme.requests == []


def test_no_cookie_is_kept(over: Make, acme: Any, answer: Any) -> None:
    acme.script.append(answer(200, content=b"{}", headers={"Set-Cookie": "a=b"}))

    async def twice() -> None:
        transport = HttpTransport(over())
        await transport.send(REQUEST)
        await transport.send(REQUEST)
        await transport.close()

    asyncio.run(twice())
    assert [("cookie" in request["headers"]) for request in acme.requests] == [False, False]


def test_no_password_from_a_netrc_file(
    acme: Any, over: Make, send: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other-password\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert send(over(), EMPTY).status == 200
    assert acme.requests[0]["headers"]["authorization"] == "Bearer acme-secret-key"


def test_a_key_in_the_librarys_own_words_is_redacted(over: Make) -> None:
    transport = HttpTransport(over(api_key="a-long-secret"))

    async def fail(sent: Any) -> Any:
        raise OSError(f"header {sent.headers['Authorization']} is strange")

    async def send() -> Exchange:
        transport._wire.fetch = fail  # type: ignore[method-assign]
        try:
            return await transport.send(EMPTY)
        finally:
            await transport.close()

    got = asyncio.run(send())
    assert got.failure_text == "header Bearer [redacted] is strange"


# ── certificates ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_server(authority: trustme.CA) -> Iterator[Callable[..., str]]:
    """Answers one connection over TLS with ``{}``."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(name: str = "localhost") -> str:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(name).configure_cert(context)
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(10)
        listeners.append(listener)

        def answer() -> None:
            connection, _ = listener.accept()
            connection.settimeout(10)
            with suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
                _received(secure)
                secure.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            connection.close()

        threads.append(threading.Thread(target=answer))
        threads[-1].start()
        return f"https://localhost:{listener.getsockname()[1]}"

    yield serve
    for thread in threads:
        thread.join()
    for listener in listeners:
        listener.close()


@pytest.fixture
def no_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.usefixtures("no_authorities")
def test_a_certificate_of_nobody_known_is_refused(over: Make, send: Make, tls_server: Make) -> None:
    got = send(over(base_url=tls_server()), REQUEST)
    assert got.failure is Failure.NOT_SENT
    assert "certificate verify failed" in got.failure_text


@pytest.mark.usefixtures("no_authorities")
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_an_authority_from_the_environment_is_trusted(
    over: Make,
    send: Make,
    tls_server: Make,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv(variable, str(tmp_path / "ca.pem"))
    assert send(over(base_url=tls_server()), REQUEST).status == 200
    # But not for another host's name.
    got = send(over(base_url=tls_server("elsewhere.example")), REQUEST)
    assert got.failure is Failure.NOT_SENT
    assert "certificate" in got.failure_text


def test_authorities_that_cannot_be_read_are_the_users_mistake(
    over: Make, send: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
    with pytest.raises(ConfigError, match=r"SSL_CERT_FILE names .*absent\.pem"):
        send(over(), EMPTY)


# ── proxies ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _proxied(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_a_proxy_from_the_environment_is_used(
    over: Make, send: Make, raw_server: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = bytearray()
    url = raw_server(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", kept=kept)
    _proxied(monkeypatch, HTTP_PROXY=url.replace("//", "//user:pass%21word@"))
    assert send(over(base_url="http://acme.invalid"), REQUEST).status == 200
    assert kept.startswith(b"POST http://acme.invalid/items?b=2%203 HTTP/1.1\r\n")
    assert b"proxy-authorization: basic dxnlcjpwyxnzixdvcmq=" in kept.lower()


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "all_proxy"])
def test_https_asks_the_proxy_for_a_tunnel_and_gives_it_no_key(
    over: Make, send: Make, raw_server: Make, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    kept = bytearray()
    url = raw_server(b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n", kept=kept)
    _proxied(monkeypatch, **{variable: url.replace("//", "//user:password@")})
    got = send(over(base_url="https://acme.invalid"), REQUEST)
    assert got.failure is Failure.NOT_SENT
    assert kept.startswith(b"CONNECT acme.invalid:443 HTTP/1.1\r\n")
    assert b"proxy-authorization: basic dxnlcjpwyxnzd29yza==" in kept.lower()
    assert b"acme-secret-key" not in kept


def test_a_proxy_is_not_used_for_those_it_is_not_meant_for(
    acme: Any, over: Make, send: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    _proxied(monkeypatch, HTTP_PROXY="http://127.0.0.1:9", NO_PROXY="acme.invalid")
    assert send(over(), EMPTY).status == 200  # this machine
    got = send(over(base_url="http://acme.invalid"), EMPTY)
    assert got.failure is Failure.NOT_SENT
    assert "127.0.0.1" not in got.failure_text


def test_a_dead_proxy_is_not_sent_and_its_password_not_told(
    over: Make, send: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    _proxied(monkeypatch, HTTP_PROXY="http://user:proxy-password@127.0.0.1:9")
    got = send(over(base_url="http://acme.invalid"), EMPTY)
    assert got.failure is Failure.NOT_SENT
    assert "proxy-password" not in repr(got)


def test_a_proxy_of_an_unknown_kind_is_the_users_mistake(
    over: Make, send: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    _proxied(monkeypatch, HTTP_PROXY="gopher://user:proxy-password@proxy.invalid")
    with pytest.raises(ConfigError, match="gopher") as caught:
        send(over(base_url="http://acme.invalid"), EMPTY)
    assert "proxy-password" not in str(caught.value)


# ── compression ─────────────────────────────────────────────────────────────────────────────────────────────────────

LARGE = Request("POST", "/items", {"items": [{"id": "1", "text": "x" * COMPRESS_BYTES}]})


def test_nothing_is_compressed_unless_somebody_says_so(acme: Any, over: Make, send: Make) -> None:
    assert send(over(), LARGE).status == 200
    assert send(over(compression="gzip"), REQUEST).status == 200  # too small
    assert all("content-encoding" not in request["headers"] for request in acme.requests)


def test_a_large_body_is_compressed_when_asked(over: Make, send: Make, raw_server: Make) -> None:
    kept = bytearray()
    url = raw_server(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", kept=kept)
    assert send(over(base_url=url, compression="gzip"), LARGE).status == 200
    head, _, body = bytes(kept).partition(b"\r\n\r\n")
    assert b"content-encoding: gzip" in head.lower()
    assert gzip.decompress(body) == LARGE.content
    assert len(body) < 200


def test_a_vendor_says_what_it_reads_and_the_exporter_may_say_no(over: Make) -> None:
    plain = over()
    vendor = replace(plain.vendor, limits=replace(plain.vendor.limits, encodings=("gzip",)))
    assert replace(plain, vendor=vendor).encoding == "gzip"
    assert plain.encoding is None
    assert over(compression="gzip").encoding == "gzip"
    assert replace(over(compression="none"), vendor=vendor).encoding is None


@pytest.mark.parametrize("status", [400, 415])
def test_a_vendor_that_reads_no_compressed_body_costs_nothing(
    over: Make, raw_server: Make, acme: Any, answer: Any, caplog: Any, status: int
) -> None:
    acme.script.extend([answer(status)])

    async def twice() -> list[Exchange]:
        transport = HttpTransport(over(compression="gzip"))
        try:
            return [await transport.send(LARGE), await transport.send(LARGE)]
        finally:
            await transport.close()

    assert [got.status for got in asyncio.run(twice())] == [200, 200]
    encodings = [request["headers"].get("content-encoding") for request in acme.requests]
    assert encodings == ["gzip", None, None]
    assert caplog.text.count("does not read compressed requests") == 1


def test_a_bad_item_is_not_taken_for_a_vendor_that_reads_no_compressed_body(
    over: Make, acme: Any, answer: Any
) -> None:
    acme.script.extend([answer(400), answer(400)])

    async def twice() -> list[Exchange]:
        transport = HttpTransport(over(compression="gzip"))
        try:
            return [await transport.send(LARGE), await transport.send(LARGE)]
        finally:
            await transport.close()

    assert [got.status for got in asyncio.run(twice())] == [400, 200]
    encodings = [request["headers"].get("content-encoding") for request in acme.requests]
    assert encodings == ["gzip", None, "gzip"]


# ── choice ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_library_that_is_not_installed_is_the_users_mistake(
    exporter: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmtee.delivery.exporter.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'llmtee\[fast\]'"):
        Exporter(vendor=registry.vendor("acme"), settings=exporter(transport="aiohttp"))


def test_the_environment_chooses_the_library(
    exporter: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMTEE_TRANSPORT", "aiohttp")
    assert config.resolve(exporter()).transport == "aiohttp"
    assert config.resolve(exporter(transport="httpx")).transport == "httpx"


@pytest.mark.parametrize("name", ["voker", "honeyhive", "inkeep", "roark"])
def test_every_vendor_is_reached_by_each_library(
    make_tee: Make, call: Make, library: str, name: str
) -> None:
    options = {"project": "Simple RAG"} if name == "honeyhive" else {}
    with emulator_class(name)() as emulator:
        tee = make_tee(emulator.exporter(transport=library, **options))
        for number in range(5):
            tee.record(call("call", f"session {number}"))
            tee.end_session(f"session {number}")
        report = tee.flush()
        assert report.ok
        assert report[name].delivered + report[name].skipped == 5


def test_requests_that_are_broken_off_take_no_place_of_later_ones(over: Make, acme: Any) -> None:
    exporter = over(concurrency=1, timeout=20.0)
    request = Request("POST", "/items", {"items": []})

    async def broken_off(transport: HttpTransport, steps: int) -> None:
        task = asyncio.create_task(transport.send(request))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def run() -> None:
        transport, chance = HttpTransport(exporter), Random(3)
        # While they wait for their turn, connect, write, or read.
        for _ in range(10):
            steps = [chance.randrange(60) for _ in range(8)]
            await asyncio.gather(*(broken_off(transport, number) for number in steps))
            assert (await transport.send(request)).status == 200
        await transport.close()

    asyncio.run(run())
