"""Streams end in many ways; what came until then is recorded, once."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
from typing import Any

import openai
import pytest
from capture_clients import (
    MESSAGES,
    STREAMS,
    Notebook,
    Stage,
    Way,
    make_gemini,
    make_openai,
    named,
)
from google import genai

import llmtee
from llmtee.capture._call import Call, now
from llmtee.capture._streams import Gathering
from llmtee.testing.providers import Answer, ProviderServer

SYNC = [way for way in STREAMS if "async" not in way.name]
ASYNC = [way for way in STREAMS if "async" in way.name]


def start(client: Any, **more: Any) -> Any:
    return client.chat.completions.create(model="m", messages=MESSAGES, stream=True, **more)


def collected(notebook: Notebook) -> None:
    """Lets go of what only the garbage collector can free; as little as need be, for a whole collection is slow."""
    for generation in (0, 1, 2):
        if not notebook.records:
            gc.collect(generation)


def said(notebook: Notebook) -> str:
    output = notebook.call.output
    return "" if output is None else output.text


@pytest.mark.parametrize("way", SYNC, ids=named)
@pytest.mark.parametrize("how", ["close", "forget"])
def test_abandoned(way: Way, how: str, stage: Stage) -> None:
    stream = way._call(stage.client(way, wrapped=True))
    enough = 3 if way.format in ("openai-chat", "gemini") else 7
    for _ in itertools.islice(stream, enough):
        pass
    assert not stage.notebook.records
    if how == "close":
        stream.close()
    del stream, _
    collected(stage.notebook)
    call = stage.notebook.call
    assert "incomplete" in call.flags
    assert call.error is None
    assert call.output is not None
    assert call.output.text
    assert "Good morning, how can I help?".startswith(call.output.text)
    assert call.output.text != "Good morning, how can I help?"


@pytest.mark.parametrize("way", SYNC, ids=named)
def test_never_read(way: Way, stage: Stage) -> None:
    stream = way._call(stage.client(way, wrapped=True))
    del stream
    collected(stage.notebook)
    if way.format == "gemini":  # its SDK asks when it is read
        assert not stage.provider.requests
        assert not stage.notebook.records
        return
    assert "incomplete" in stage.notebook.call.flags
    assert stage.notebook.call.output is None or not stage.notebook.call.output.text


@pytest.mark.parametrize("way", ASYNC, ids=named)
def test_a_task_is_cancelled(way: Way, stage: Stage) -> None:
    if way.format == "gemini" and genai.__version__ == "1.0.0":
        pytest.skip("it reads a stream whole before it gives the first chunk")
    held = threading.Event()
    stage.provider.script(Answer(hold=held))
    began = asyncio.Event()

    async def read() -> None:
        async for _ in await way._call(stage.client(way, wrapped=True)):
            began.set()

    async def main() -> None:
        task = asyncio.create_task(read())
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    try:
        stage.runner.run(main())
    finally:
        held.set()
    call = stage.notebook.call
    assert "incomplete" in call.flags
    assert call.error is None or call.error.type == "CancelledError"


@pytest.mark.parametrize("way", ASYNC, ids=named)
def test_an_asynchronous_stream_is_abandoned(way: Way, stage: Stage) -> None:
    async def main() -> None:
        stream = await way._call(stage.client(way, wrapped=True))
        async for _ in stream:
            break
        await (stream.aclose() if hasattr(stream, "aclose") else stream.close())
        del stream, _
        for _ in range(10):  # generators within generators are closed by the loop, one by one
            await asyncio.sleep(0)

    stage.runner.run(main())
    assert "incomplete" in stage.notebook.call.flags
    assert stage.notebook.call.error is None


def test_it_stays_the_sdks_own_object(notebook: Notebook, provider: ProviderServer) -> None:
    stream = start(notebook.wrap(make_openai(provider)))
    assert type(stream) is openai.Stream
    assert stream.response.status_code == 200
    assert next(stream).choices
    with stream as same:
        assert same is stream
        assert len(list(stream)) == 7
    assert said(notebook) == "Good morning, how can I help?"


def test_errors_come_when_they_came_before(notebook: Notebook, provider: ProviderServer) -> None:
    client = notebook.wrap(make_openai(provider))
    provider.script(Answer(status=429))
    with pytest.raises(openai.RateLimitError):
        start(client)
    assert notebook.call.error is not None


def test_a_cut_stream_keeps_what_came(stage: Stage) -> None:
    for way in SYNC:
        stage.clear()
        stage.provider.script(Answer(cut_after=8 if way.format == "openai-responses" else 5))
        with pytest.raises(Exception) as raised:  # noqa: PT011 - of whichever library
            way.run(stage.client(way, wrapped=True), stage.runner)
        call = stage.notebook.call
        assert call.error is not None
        assert call.error.type == raised.type.__name__, way.name
        assert "incomplete" in call.flags
        assert call.output is not None
        assert call.output.text.startswith("Good"), way.name


def test_the_first_token_is_timed_when_it_comes(
    notebook: Notebook, provider: ProviderServer
) -> None:
    held = threading.Event()
    provider.script(Answer(hold=held))
    stream = start(notebook.wrap(make_openai(provider)))
    next(stream)  # the role alone
    before = now()
    held.set()
    next(stream)
    after = now()
    for _ in stream:
        pass
    assert notebook.call.first_token_at is not None
    assert before <= notebook.call.first_token_at <= after


def test_a_stream_belongs_to_the_session_it_was_asked_in(
    provider: ProviderServer, tmp_path: Any
) -> None:
    with llmtee.Tee([], dir=tmp_path, deliver=False) as tee:
        seen: list[Any] = []
        tee._put = lambda event_id, name, payload, **_: seen.append(payload)  # type: ignore[method-assign]
        client, google = tee.wrap(make_openai(provider)), tee.wrap(make_gemini(provider))
        chat = google.chats.create(model="gemini-x")
        with tee.session("s-1"):
            streams = [
                start(client),
                google.models.generate_content_stream(model="gemini-x", contents="hi"),
                chat.send_message_stream("hi"),
            ]
        with tee.session("s-2"):
            for stream in streams:
                for _ in stream:
                    pass
        assert len(seen) == 3
        for payload in seen:
            assert b'"session":"s-1"' in payload


def test_a_response_is_let_go_of_when_it_is_over(
    notebook: Notebook, provider: ProviderServer
) -> None:
    stream = start(notebook.wrap(make_openai(provider)))
    response = stream.response
    assert "iter_bytes" in vars(response)
    for _ in stream:
        pass
    assert not {"iter_bytes", "close"} & vars(response).keys()


def test_odd_chunks_do_no_harm(notebook: Notebook, provider: ProviderServer) -> None:
    """What is no JSON is kept beside what is; an SDK may skip it, or fail over it, as it likes."""
    call = Call([notebook], "openai-chat", said={})
    gathering = Gathering(call)
    chunk = b'{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hi"}}]}'
    for data in (b"not json", chunk, b"[DONE]"):
        gathering.add(data)
    gathering.finish()
    assert said(notebook) == "Hi"
    assert notebook.records[0]["unread_chunks"] == ["not json"]
