"""ASGI and WSGI middleware, driven as servers do."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import io
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket
from watched_tee import WatchedTee

from llmtee.capture import _request, asgi, wsgi
from llmtee.errors import ConfigError
from llmtee.model import Step


def header(scope: Any) -> str | None:
    found = dict(scope["headers"]).get(b"x-session")
    return None if found is None else found.decode()


# ── ASGI ────────────────────────────────────────────────────────────────────────────────────────────────────────


def site(tee: WatchedTee, **options: Any) -> Any:
    """An application with an answer of each kind."""

    def plain(request: Request) -> Response:  # Starlette runs it in a thread
        tee.record(Step(name="plain"))
        return PlainTextResponse(
            "ok", background=BackgroundTask(lambda: tee.record(Step(name="background")))
        )

    async def stream(request: Request) -> Response:
        async def parts() -> AsyncIterator[str]:
            for n in range(3):
                tee.record(Step(name=f"part {n}"))
                yield str(n)
                await asyncio.sleep(0)

        return StreamingResponse(parts())

    async def fail(request: Request) -> Response:
        tee.record(Step(name="fails"))
        raise LookupError("none")

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            tee.record(Step(name=text))
            await websocket.send_text(text)

    routes = [
        Route("/plain", plain),
        Route("/stream", stream),
        Route("/fail", fail),
        WebSocketRoute("/socket", socket),
    ]

    async def started(app: Any) -> AsyncIterator[None]:
        tee.record(Step(name="started"))
        yield

    app = Starlette(routes=routes, lifespan=contextlib.asynccontextmanager(started))
    return asgi.Middleware(app, tee, **options)


def test_a_request_a_stream_a_websocket_and_the_lifespan(tee: WatchedTee) -> None:
    app = site(
        tee,
        session=header,
        person=lambda scope: 7,
        agent="support",
        agent_version="v1",
        properties=lambda scope: {"path": scope["path"]},
        tags=["web"],
    )
    with TestClient(app) as client:
        assert client.get("/plain", headers={"x-session": "a"}).text == "ok"
        assert client.get("/stream", headers={"x-session": "b"}).text == "012"
        with client.websocket_connect("/socket", headers={"x-session": "c"}) as websocket:
            websocket.send_text("said")
            assert websocket.receive_text() == "said"
        with pytest.raises(LookupError, match="none"):
            client.get("/fail", headers={"x-session": "d"})
        assert client.get("/plain").text == "ok"
    told = [(event.name, event.session) for event in tee.events]
    assert told == [
        ("started", None),
        ("plain", "a"),
        ("background", "a"),
        *((f"part {n}", "b") for n in range(3)),
        ("said", "c"),
        ("fails", "d"),
        ("plain", None),
        ("background", None),
    ]
    event = tee.events[1]
    assert event.agent is not None
    assert event.person is not None
    assert (event.agent.name, event.agent.version, event.person.id) == ("support", "v1", "7")
    assert (event.properties, event.tags) == ({"path": "/plain"}, ("web",))
    assert tee.events[0].tags == ()


def test_two_requests_of_one_loop_in_turns(tee: WatchedTee) -> None:
    barrier = asyncio.Barrier(2)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for n in range(3):
            await barrier.wait()
            tee.record(Step(name=f"{scope['path']} {n}"))
            await send({"type": "http.response.body", "body": b"x", "more_body": n < 2})

    async def main() -> None:
        transport = httpx.ASGITransport(
            asgi.Middleware(app, tee, session=lambda scope: scope["path"])
        )
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            one, other = await asyncio.gather(client.get("/a"), client.get("/b"))
        assert one.text == other.text == "xxx"
        tee.record(Step(name="after"))

    asyncio.run(main())
    assert {event.name: event.session for event in tee.events} == {
        **{f"/{which} {n}": f"/{which}" for which in "ab" for n in range(3)},
        "after": None,
    }


async def _later(scope: Any) -> str:
    await asyncio.sleep(0)
    return "later"


async def _fail_later(scope: Any) -> str:
    await asyncio.sleep(0)
    raise LookupError("no such user")


def _fail(request: Any) -> str:
    raise LookupError("no such user")


def test_callables_may_be_asynchronous(tee: WatchedTee) -> None:
    with TestClient(site(tee, session=_later)) as client:
        client.get("/plain")
    assert tee.named("plain").session == "later"


@pytest.mark.parametrize("broken", [_fail, _fail_later])
def test_callables_that_raise_are_told_and_harm_nothing(
    tee: WatchedTee, broken: Any, caplog: pytest.LogCaptureFixture
) -> None:
    app = site(tee, session=header, person=broken, properties=lambda scope: 1, tags=lambda scope: 3)
    with TestClient(app) as client:
        assert client.get("/plain", headers={"x-session": "a"}).text == "ok"
    assert "without its person" in caplog.text
    assert "no such user" in caplog.text
    assert tee.named("plain").person is None


def test_answers_of_an_odd_type_harm_nothing(tee: WatchedTee) -> None:
    app = site(tee, session=lambda scope: 17, tags=lambda scope: 3, properties=lambda scope: [1])
    with TestClient(app) as client:
        assert client.get("/plain").text == "ok"
    event = tee.named("plain")
    assert (event.session, event.tags, event.properties) == ("17", ("3",), {"value": [1]})


def test_a_default_tee_that_cannot_be_made_harms_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("ok")(scope, receive, send)

    monkeypatch.setattr(_request, "get_tee", _fail_without)
    assert TestClient(asgi.Middleware(app, session=header)).get("/").text == "ok"
    assert [one.levelno for one in caplog.records if one.name == "llmtee"] == [logging.ERROR]


def _fail_without() -> None:
    raise ConfigError("a key is missing")


# ── WSGI ────────────────────────────────────────────────────────────────────────────────────────────────────────


def environ(session: str, **more: Any) -> dict[str, Any]:
    return {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_X_SESSION": session, **more}


def by_header(environ: Any) -> Any:
    return environ["HTTP_X_SESSION"]


def start_response(*args: Any) -> None:
    pass


def test_a_wsgi_request_and_its_stream(tee: WatchedTee) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        try:
            with tee.agent("inside"):
                for n in range(3):
                    tee.record(Step(name=f"{environ['HTTP_X_SESSION']} {n}"))
                    yield b"x"
        finally:
            tee.record(Step(name=f"{environ['HTTP_X_SESSION']} end"))

    middleware = wsgi.Middleware(app, tee, session=by_header)
    # As a server would that sends two answers in turns, the second one to somebody who leaves.
    one, other = (iter(middleware(environ(name), start_response)) for name in "ab")
    for _ in range(2):
        assert next(one) == next(other) == b"x"
        tee.record(Step(name="meanwhile"))
    assert list(one) == [b"x"]
    for body in (one, other):
        body.close()  # type: ignore[attr-defined]
    for name in "ab":
        parts = [event for event in tee.events if (event.name or "").startswith(name)]
        assert {event.session for event in parts} == {name}
        assert len(parts) == {"a": 4, "b": 3}[name]
    inside = [event for event in tee.events if event.name == "inside"]
    assert [event.session for event in inside] == ["a", "b"]
    assert {e.parent for e in tee.events if e.name == "a 2"} == {inside[0].id}
    assert {(e.session, e.parent) for e in tee.events if e.name == "meanwhile"} == {(None, None)}


def test_a_wsgi_answer_that_is_there_already_stays_what_it_is(tee: WatchedTee) -> None:
    class File:
        def __init__(self, file: Any) -> None:
            self.file = file

    class Sized:
        def __len__(self) -> int:
            return 2

        def __iter__(self) -> Iterator[bytes]:
            tee.record(Step(name="sized"))
            return iter([b"a", b"b"])

    for body in ([b"a"], (b"a",), File(io.BytesIO(b"a"))):
        middleware = wsgi.Middleware(lambda environ, start: body, tee, session=by_header)  # noqa: B023
        assert middleware(environ("s", **{"wsgi.file_wrapper": File}), start_response) is body
    sized: Any = wsgi.Middleware(lambda environ, start: Sized(), tee, session=by_header)(
        environ("s"), start_response
    )
    assert (len(sized), list(sized)) == (2, [b"a", b"b"])
    assert tee.named("sized").session == "s"


def test_wsgi_callables_that_raise_harm_nothing(
    tee: WatchedTee, caplog: pytest.LogCaptureFixture
) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        tee.record(Step(name="here"))
        return [b"ok"]

    middleware = wsgi.Middleware(app, tee, session=_fail, person="u")
    assert middleware(environ("s"), start_response) == [b"ok"]
    assert "without its session" in caplog.text
    assert (tee.named("here").session, tee.named("here").person.id) == (None, "u")


def test_a_wsgi_exception_goes_on(tee: WatchedTee) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        raise LookupError("none")

    with pytest.raises(LookupError, match="none"):
        wsgi.Middleware(app, tee, session=by_header)(environ("s"), start_response)
    tee.record(Step(name="after"))
    assert tee.event.session is None


def test_the_blocks_of_a_request_end_in_the_context_of_the_server(tee: WatchedTee) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        tee.record(Step(name="first"))
        yield b"1"
        tee.record(Step(name="second"))
        yield b"2"

    body = wsgi.Middleware(app, tee, session=by_header)(environ("s"), start_response)
    parts = iter(body)
    # A server may send each part from another thread.
    assert contextvars.Context().run(next, parts) == b"1"
    assert contextvars.Context().run(next, parts) == b"2"
    assert tee.named("first").session == tee.named("second").session == "s"
