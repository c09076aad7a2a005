"""Every way an exchange can end, over real sockets."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from llmtee import registry
from llmtee.delivery.exporter import Exporter
from llmtee.delivery.transport import exchange, open_transport
from llmtee.errors import ConfigError
from llmtee.spec import Exchange, Failure, Request

Make = Callable[..., Any]


def _send(exporter: Exporter, request: Request, *, sync: bool) -> Exchange:
    async def send() -> Exchange:
        client = open_transport(exporter)
        try:
            return await client.send(request)
        finally:
            await client.close()

    return exchange(exporter, request) if sync else asyncio.run(send())


@pytest.fixture(params=[False, True], ids=["async", "sync"])
def send(request: Any) -> Callable[[Exporter, Request], Exchange]:
    return lambda exporter, sent: _send(exporter, sent, sync=request.param)


@pytest.fixture
def over(exporter: Make) -> Callable[..., Exporter]:
    return lambda **settings: Exporter(
        vendor=registry.vendor("acme"), settings=exporter(**settings)
    )


@pytest.fixture
def raw_server() -> Iterator[Callable[[bytes | None], str]]:
    """Answers one connection with the given bytes and closes it, or, with ``None``, never answers."""
    opened: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(content: bytes | None) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        opened.append(listener)

        def answer() -> None:
            connection, _ = listener.accept()
            opened.append(connection)
            connection.recv(65536)
            if content is not None:
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
