"""One way to use all SDKs, synchronous and asynchronous, for programs that run plain and wrapped."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any

import anthropic
import openai
from google import genai
from google.genai import types

from llmtee import Tee, jsontext, registry
from llmtee.eventlog import CANONICAL
from llmtee.model import ModelCall, load_event
from llmtee.testing.providers import ProviderServer

logging.getLogger("google_genai").setLevel(logging.ERROR)

MESSAGES = [{"role": "user", "content": "Where is order 17?"}]
HAS_RESPONSES = hasattr(openai.OpenAI, "responses")
OPENAI_VERSION = tuple(map(int, openai.__version__.split(".")[:2]))


class Notebook:
    """Takes what is captured, as a Tee would, and reads it."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.formats: list[str] = []

    def record_json(self, format: str, record: dict[str, Any]) -> str:  # noqa: A002
        self.formats.append(format)
        self.records.append(jsontext.loads(jsontext.dumps(record)))
        return ""

    def capture_failed(self, error: Exception) -> None:
        raise error

    def wrap(self, client: Any) -> Any:
        registry.capture(client).wrap(client, self)
        return client

    @property
    def calls(self) -> list[ModelCall]:
        found = []
        for name, record in zip(self.formats, self.records, strict=True):
            [event] = registry.format(name).decode(record)
            assert isinstance(event, ModelCall)
            found.append(event)
        return found

    @property
    def call(self) -> ModelCall:
        [call] = self.calls
        return call


_MADE: list[Any] = []


def made(client: Any) -> Any:
    """A client that is closed after the test: one that is left to the garbage collector disturbs other tests."""
    _MADE.append(client)
    return client


async def _aclose(clients: list[Any]) -> None:
    for client in clients:
        closed = close() if (close := getattr(client, "close", None)) else None
        if inspect.isawaitable(closed):
            await closed
        aclose = getattr(getattr(client, "aio", None), "aclose", None)
        if aclose is not None:
            await aclose()


class Heard(Tee):
    """A Tee that also keeps what it was told, as the events that deliver sees."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._heard: list[tuple[str, str, bytes]] = []
        super().__init__(*args, **options)

    def _put(self, event_id: str, format_name: str, payload: bytes, *, live: bool = True) -> None:
        self._heard.append((event_id, format_name, payload))
        super()._put(event_id, format_name, payload, live=live)

    @property
    def events(self) -> list[Any]:
        found = []
        for event_id, name, payload in list(self._heard):
            if name == CANONICAL:
                found.append(load_event(jsontext.loads(payload)))
                continue
            items = registry.format(name).decode(jsontext.loads(payload))
            found += [item.model_copy(update={"id": event_id}) for item in items]
        return found


def make_openai(provider: ProviderServer, kind: Any = None, **options: Any) -> Any:
    kind = openai.OpenAI if kind is None else kind
    return made(kind(base_url=provider.openai_url, api_key="k", **{"max_retries": 0, **options}))


def make_anthropic(provider: ProviderServer, kind: Any = None, **options: Any) -> Any:
    kind = anthropic.Anthropic if kind is None else kind
    return made(kind(base_url=provider.url, api_key="k", **{"max_retries": 0, **options}))


def make_gemini(provider: ProviderServer, kind: Any = None, **options: Any) -> Any:
    kind = genai.Client if kind is None else kind
    http = types.HttpOptions(base_url=provider.url, **options)
    return made(kind(api_key="k", http_options=http))


class Way:
    """One way to call a model: makes the client, calls it, and gives what an application looks at."""

    def __init__(
        self,
        name: str,
        make: Callable[..., Any],
        call: Callable[..., Any],
        *,
        kind: Any = None,
        streams: bool = False,
        form: str = "openai-chat",
    ) -> None:
        self.name, self.format, self.streams = name, form, streams
        self._make, self._call, self._kind = make, call, kind

    def client(self, provider: ProviderServer, **options: Any) -> Any:
        return self._make(provider, self._kind, **options)

    def run(self, client: Any, runner: asyncio.Runner, **more: Any) -> Any:
        """The value, or the chunks of the stream. Raises what the application would get."""
        result = self._call(client, **more)
        if not inspect.iscoroutine(result):
            return list(result) if self.streams else result

        async def drain() -> Any:
            answer = await result
            return [item async for item in answer] if self.streams else answer

        return runner.run(drain())


class Stage:
    """A provider, and for each way a plain client and one that is wrapped: they cost more to make than a call does."""

    def __init__(self) -> None:
        self.provider = ProviderServer()
        self.notebook = Notebook()
        self.runner = asyncio.Runner()
        self._clients: dict[tuple[str, bool, tuple[Any, ...]], Any] = {}

    def client(self, way: Way, *, wrapped: bool, **options: Any) -> Any:
        key = way.name, wrapped, tuple(options.items())
        if key not in self._clients:
            found = way.client(self.provider, **options)
            _MADE.remove(found)
            self._clients[key] = self.notebook.wrap(found) if wrapped else found
        return self._clients[key]

    def end_of_test(self) -> None:
        """Closes the clients of one test, in the loop that they ran in."""
        self.runner.run(_aclose(_MADE))
        _MADE.clear()

    def clear(self) -> None:
        self.provider.requests.clear()
        self.notebook.records.clear()
        self.notebook.formats.clear()

    def close(self) -> None:
        self.runner.run(_aclose([*self._clients.values()]))
        self.runner.close()
        self.provider.close()


def chat(client: Any, **more: Any) -> Any:
    return client.chat.completions.create(model="gpt-x", messages=MESSAGES, **more)


def chat_stream(client: Any, **more: Any) -> Any:
    return chat(client, stream=True, stream_options={"include_usage": True}, **more)


def responses(client: Any, **more: Any) -> Any:
    return client.responses.create(model="gpt-x", input="Where is order 17?", **more)


def responses_stream(client: Any, **more: Any) -> Any:
    return responses(client, stream=True, **more)


def messages(client: Any, **more: Any) -> Any:
    return client.messages.create(model="claude-x", max_tokens=99, messages=MESSAGES, **more)


def messages_stream(client: Any, **more: Any) -> Any:
    return messages(client, stream=True, **more)


def generate(client: Any, **more: Any) -> Any:
    return client.models.generate_content(model="gemini-x", contents="Where is order 17?", **more)


def generate_stream(client: Any, **more: Any) -> Any:
    return client.models.generate_content_stream(
        model="gemini-x", contents="Where is order 17?", **more
    )


def agenerate(client: Any, **more: Any) -> Any:
    return generate(client.aio, **more)


def agenerate_stream(client: Any, **more: Any) -> Any:
    return generate_stream(client.aio, **more)


_A, _B = openai.AsyncOpenAI, anthropic.AsyncAnthropic
_R, _M, _G = "openai-responses", "anthropic-messages", "gemini"
WAYS = [
    Way("chat", make_openai, chat),
    Way("chat-stream", make_openai, chat_stream, streams=True),
    Way("chat-async", make_openai, chat, kind=_A),
    Way("chat-async-stream", make_openai, chat_stream, kind=_A, streams=True),
    Way("messages", make_anthropic, messages, form=_M),
    Way("messages-stream", make_anthropic, messages_stream, streams=True, form=_M),
    Way("messages-async", make_anthropic, messages, kind=_B, form=_M),
    Way(
        "messages-async-stream",
        make_anthropic,
        messages_stream,
        kind=_B,
        streams=True,
        form=_M,
    ),
    Way("gemini", make_gemini, generate, form=_G),
    Way("gemini-stream", make_gemini, generate_stream, streams=True, form=_G),
    Way("gemini-async", make_gemini, agenerate, form=_G),
    Way("gemini-async-stream", make_gemini, agenerate_stream, streams=True, form=_G),
]
if HAS_RESPONSES:
    WAYS += [
        Way("responses", make_openai, responses, form=_R),
        Way("responses-stream", make_openai, responses_stream, streams=True, form=_R),
        Way("responses-async", make_openai, responses, kind=_A, form=_R),
        Way(
            "responses-async-stream",
            make_openai,
            responses_stream,
            kind=_A,
            streams=True,
            form=_R,
        ),
    ]
STREAMS = [way for way in WAYS if way.streams]
PLAIN = [way for way in WAYS if not way.streams]


def named(way: Way) -> str:
    return way.name
