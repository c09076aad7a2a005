"""A wrapped client is the same client; it can be wrapped again, by another, and not at all."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from typing import Any

import anthropic
import openai
import pytest
from capture_clients import (
    MESSAGES,
    WAYS,
    Notebook,
    Stage,
    Way,
    make_anthropic,
    make_gemini,
    make_openai,
    named,
)
from google import genai
from google.genai import chats

import llmtee
from llmtee import registry
from llmtee.capture import captured_by, capturing, unwrap
from llmtee.capture.gemini import _chats
from llmtee.errors import UsageError
from llmtee.testing.providers import ProviderServer

CHAT = WAYS[0]
FIRSTS = [way for way in WAYS if way.name in ("chat", "chat-async", "messages", "gemini")]


def doors(client: Any) -> list[Any]:
    """The public methods that lead to a model."""
    if isinstance(client, genai.Client):
        kinds: list[Any] = [client.models, client.aio.models]
        return [
            getattr(it, name)
            for it in kinds
            for name in ("generate_content", "generate_content_stream")
        ]
    if hasattr(client, "messages"):
        return [client.messages.create, client.messages.stream, client.beta.messages.create]
    return [client.chat.completions.create, client.with_options, client.copy]


@pytest.mark.parametrize("way", FIRSTS, ids=named)
def test_it_is_the_same_client(way: Way, provider: ProviderServer, notebook: Notebook) -> None:
    client = way.client(provider)
    before = [
        (inspect.signature(door), inspect.iscoroutinefunction(door), door.__name__, door.__doc__)
        for door in doors(client)
    ]
    kind = type(client)
    assert notebook.wrap(client) is client
    assert type(client) is kind
    after = [
        (inspect.signature(door), inspect.iscoroutinefunction(door), door.__name__, door.__doc__)
        for door in doors(client)
    ]
    assert after == before


@pytest.mark.parametrize("way", WAYS, ids=named)
def test_twice_is_once(way: Way, stage: Stage) -> None:
    client = stage.notebook.wrap(stage.client(way, wrapped=True))
    way.run(client, stage.runner)
    assert len(stage.notebook.records) == 1


@pytest.mark.parametrize("way", FIRSTS, ids=named)
def test_unwrapped_it_is_as_before(way: Way, provider: ProviderServer, notebook: Notebook) -> None:
    client = way.client(provider)
    # Resources are made when they are first touched.
    _ = doors(client), getattr(client, "responses", None)
    api = getattr(client, "_api_client", client)
    before = set(vars(client)), set(vars(api))
    other = Notebook()
    for one in (notebook, other):
        one.wrap(client)
    registry.capture(client).unwrap(client, notebook)
    with asyncio.Runner() as runner:
        way.run(client, runner)
        assert (len(notebook.records), len(other.records)) == (0, 1)
        assert unwrap(client) is client
        assert unwrap(client) is client
    assert not {"request", "_llmtee_capture"} & (vars(client).keys() | vars(api).keys())
    assert (set(vars(client)), set(vars(api))) == before
    for door in doors(client):
        assert not hasattr(door, "__wrapped__") or inspect.ismethod(door)


def test_unwrapping_leaves_nothing_on_the_sdks_classes(
    provider: ProviderServer, notebook: Notebook
) -> None:
    plain = make_gemini(provider)
    others = _chats._users  # clients of other tests
    try:
        for _ in range(others):
            _chats.forget()
        before = vars(chats.Chat)["send_message"], vars(chats.AsyncChat)["send_message_stream"]
        clients = [notebook.wrap(make_gemini(provider)) for _ in range(2)]
        assert vars(chats.Chat)["send_message"] is not before[0]
        plain.chats.create(model="m").send_message("to a client that nobody wrapped")
        assert not notebook.records
        for client in clients:
            client.chats.create(model="m").send_message("hello")
            unwrap(client)
        assert len(notebook.records) == 2
        after = vars(chats.Chat)["send_message"], vars(chats.AsyncChat)["send_message_stream"]
        assert after == before
    finally:
        for _ in range(others):
            _chats.watch(plain.chats, plain.aio.chats)


def test_copies_are_wrapped(provider: ProviderServer, notebook: Notebook) -> None:
    first = notebook.wrap(make_openai(provider))
    second = first.with_options(timeout=7).copy(max_retries=1)
    second.chat.completions.create(model="m", messages=MESSAGES)
    third = notebook.wrap(make_anthropic(provider)).with_options(timeout=7)
    third.messages.create(model="m", max_tokens=9, messages=MESSAGES, llmtee_session="s")
    assert [call.session for call in notebook.calls] == [None, "s"]


def test_resources_that_were_touched_before(provider: ProviderServer, notebook: Notebook) -> None:
    client = make_openai(provider)
    create = client.chat.completions.create
    notebook.wrap(client)
    create(model="m", messages=MESSAGES)
    assert len(notebook.records) == 1


def test_a_patch_of_somebody_else_survives(provider: ProviderServer, notebook: Notebook) -> None:
    client = notebook.wrap(make_openai(provider))
    ours = client.request
    asked = []

    def theirs(*args: Any, **kwargs: Any) -> Any:
        asked.append(args)
        return ours(*args, **kwargs)

    client.request = theirs
    unwrap(client)
    client.chat.completions.create(model="m", messages=MESSAGES)
    assert asked
    assert client.request is theirs
    assert not notebook.records


def test_other_requests_go_straight_through(provider: ProviderServer, notebook: Notebook) -> None:
    client = notebook.wrap(make_openai(provider))
    client.post("/somewhere", body={"messages": []}, cast_to=object)
    client.embeddings.with_raw_response.create(model="m", input="x")
    assert not notebook.records


@pytest.mark.parametrize("what", [object(), "client", openai, None, dict])
def test_what_is_no_client(what: Any, tmp_path: Any) -> None:
    with llmtee.Tee([], dir=tmp_path) as tee:
        with pytest.raises(UsageError, match=r"no client of anthropic, google\.genai, openai"):
            tee.wrap(what)
        with pytest.raises(UsageError, match="no client of OpenAI that llmtee knows"):
            tee.wrap(openai.NotGiven())


def test_one_call_is_captured_by_one_layer(provider: ProviderServer, notebook: Notebook) -> None:
    client = make_openai(provider)
    seen = []
    prepare = client._prepare_request

    def looking(request: Any) -> None:
        seen.append(capturing())
        prepare(request)

    client._prepare_request = looking
    notebook.wrap(client)
    with captured_by("a framework"):
        client.chat.completions.create(model="m", messages=MESSAGES)
        assert not notebook.records
    client.chat.completions.create(model="m", messages=MESSAGES)
    assert len(notebook.records) == 1
    assert seen == ["a framework", "openai"]
    assert capturing() is None


def test_threads_and_tasks_do_not_mix(
    provider: ProviderServer, stage: Stage, notebook: Notebook
) -> None:
    client = notebook.wrap(make_openai(provider))

    def ask(number: int) -> None:
        for turn in range(3):
            client.chat.completions.create(
                model="m",
                messages=[{"role": "user", "content": f"{number}"}],
                stream=bool(turn % 2),
                llmtee_session=f"s-{number}",
            )

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(notebook.calls) >= 12
    assert all(call.session == f"s-{call.input[0].text}" for call in notebook.calls)

    other = stage.client(next(way for way in WAYS if way.name == "chat-async"), wrapped=True)

    async def one(number: int) -> None:
        await other.chat.completions.create(
            model="m",
            messages=[{"role": "user", "content": f"{number}"}],
            voker_session=f"s-{number}",
        )

    async def main() -> None:
        await asyncio.gather(*(one(number) for number in range(50)))

    stage.runner.run(main())
    assert len(stage.notebook.calls) == 50
    assert all(call.session == f"s-{call.input[0].text}" for call in stage.notebook.calls)


class Broken:
    """A recorder that fails, in an application that is not under test."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []

    def record_json(self, format: str, record: dict[str, Any]) -> str:  # noqa: A002
        raise ValueError("a bug")

    def capture_failed(self, error: Exception) -> None:
        self.errors.append(error)


@pytest.mark.parametrize("way", WAYS, ids=named)
def test_a_bug_of_ours_stays_ours(way: Way, provider: ProviderServer) -> None:
    broken = Broken()
    client = way.client(provider)
    registry.capture(client).wrap(client, broken)
    with asyncio.Runner() as runner:
        assert way.run(client, runner)
    assert [str(error) for error in broken.errors] == ["a bug"]


def test_a_bug_is_counted_and_told_once_a_minute(
    provider: ProviderServer,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with llmtee.Tee([], dir=tmp_path, strict=False) as tee:
        client = tee.wrap(make_openai(provider))

        def fail(*_: Any) -> None:
            raise ValueError("a bug")

        monkeypatch.setattr("llmtee.capture._call.Call._record", fail)
        with caplog.at_level(logging.ERROR, logger="llmtee"):
            for _ in range(3):
                client.chat.completions.create(model="m", messages=MESSAGES)
        assert tee.stats().bugs == 3
        assert (
            len([record for record in caplog.records if "a bug in llmtee" in record.message]) == 1
        )


def test_under_pytest_a_bug_is_raised(
    provider: ProviderServer, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with llmtee.Tee([], dir=tmp_path) as tee:
        client = tee.wrap(anthropic.Anthropic(base_url=provider.url, api_key="k"))

        def fail(*_: Any) -> None:
            raise ValueError("a bug")

        monkeypatch.setattr("llmtee.capture._call.Call._record", fail)
        with pytest.raises(ValueError, match="a bug"):
            client.messages.create(model="m", max_tokens=9, messages=MESSAGES)
