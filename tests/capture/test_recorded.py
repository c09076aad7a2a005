"""What is known of a call that was made through one of an SDK's many doors."""

from __future__ import annotations

import importlib
import json
import logging
from typing import Any

import openai
import pytest
from capture_clients import (
    HAS_RESPONSES,
    MESSAGES,
    STREAMS,
    WAYS,
    Notebook,
    Stage,
    Way,
    make_anthropic,
    make_openai,
    named,
)
from pydantic import BaseModel

from llmtee.testing.providers import Answer, ProviderServer

TEXT = "Good morning, how can I help?"


class Order(BaseModel):
    number: int


@pytest.mark.parametrize("way", WAYS, ids=named)
def test_a_call(way: Way, stage: Stage) -> None:
    way.run(stage.client(way, wrapped=True), stage.runner)
    call = stage.notebook.call
    assert call.input[0].text == "Where is order 17?"
    assert call.output is not None
    assert call.output.text == TEXT
    assert call.model in ("gpt-x", "claude-x", "gemini-x")
    assert call.usage is not None
    assert (call.usage.input_tokens, call.usage.output_tokens) == (12, 7)
    assert call.started_at is not None
    assert call.ended_at is not None
    assert call.started_at <= call.ended_at
    assert call.error is None
    assert call.flags == ()
    assert call.metrics == {}
    if way.format != "gemini":
        assert call.source_ids["request"].startswith("req_")
    assert (call.first_token_at is not None) == way.streams
    if call.first_token_at is not None:
        assert call.started_at <= call.first_token_at <= call.ended_at


@pytest.mark.parametrize("way", WAYS, ids=named)
def test_tools(way: Way, stage: Stage) -> None:
    stage.provider.script(Answer(calls=[("lookup", {"order": 17}), ("clock", {})]))
    way.run(stage.client(way, wrapped=True), stage.runner)
    output = stage.notebook.call.output
    assert output is not None
    assert [(part.name, part.arguments) for part in output.tool_calls] == [
        ("lookup", {"order": 17}),
        ("clock", {}),
    ]


@pytest.mark.parametrize("way", WAYS, ids=named)
def test_the_native_request_is_what_was_sent(way: Way, stage: Stage) -> None:
    way.run(stage.client(way, wrapped=True), stage.runner)
    [sent] = stage.provider.requests
    native = stage.notebook.call.native
    assert native is not None
    request = dict(native.request)
    if way.format == "gemini":
        assert request.pop("model") == "gemini-x"
    assert request == sent.json


def test_an_error_is_told_in_full(stage: Stage) -> None:
    way = WAYS[0]
    stage.provider.script(Answer(status=429))
    with pytest.raises(openai.RateLimitError) as raised:
        way.run(stage.client(way, wrapped=True), stage.runner)
    error = stage.notebook.call.error
    assert error is not None
    assert (error.type, error.status, error.code) == ("RateLimitError", 429, "rate_limit_exceeded")
    assert error.message == str(raised.value)
    assert stage.notebook.call.source_ids["request"] == raised.value.request_id


def test_the_error_is_the_very_object(notebook: Notebook, provider: ProviderServer) -> None:
    client = make_openai(provider)
    made: list[BaseException] = []
    original = client._make_status_error_from_response

    def make(response: Any) -> Any:
        made.append(original(response))
        return made[-1]

    client._make_status_error_from_response = make
    notebook.wrap(client)
    provider.script(Answer(status=400))
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="m", messages=MESSAGES)
    assert [raised.value] == made
    assert raised.value.__context__ is None or raised.value.__suppress_context__


@pytest.mark.parametrize("status", [200, 502])
def test_a_page_of_html(status: int, stage: Stage) -> None:
    stage.provider.script(Answer(body="<html>maintenance</html>", status=status))
    way = WAYS[0]
    if status == 200:
        assert way.run(stage.client(way, wrapped=True), stage.runner) == "<html>maintenance</html>"
        assert stage.notebook.records[0]["response"] == "<html>maintenance</html>"
        assert any(flag.startswith("response_not_json") for flag in stage.notebook.call.flags)
    else:
        with pytest.raises(openai.InternalServerError):
            way.run(stage.client(way, wrapped=True), stage.runner)
        error = stage.notebook.call.error
        assert error is not None
        assert "maintenance" in f"{error.message} {error.details}"


def test_structured_output(notebook: Notebook, provider: ProviderServer) -> None:
    client = notebook.wrap(make_openai(provider))
    completions = client.chat.completions
    parse = (
        completions.parse if hasattr(completions, "parse") else client.beta.chat.completions.parse
    )
    provider.script(Answer('{"number":17}'))
    answer = parse(model="m", messages=MESSAGES, response_format=Order, llmtee_session="s")
    assert answer.choices[0].message.parsed == Order(number=17)
    [record] = notebook.records
    assert record["response"]["choices"][0]["message"] == {
        "role": "assistant",
        "content": '{"number":17}',
    }
    assert notebook.call.parameters["response_format"]["type"] == "json_schema"
    assert notebook.call.session == "s"


def test_an_answer_that_a_helper_refuses(notebook: Notebook, provider: ProviderServer) -> None:
    client = notebook.wrap(make_openai(provider))
    completions = client.chat.completions
    parse = (
        completions.parse if hasattr(completions, "parse") else client.beta.chat.completions.parse
    )
    provider.script(Answer("no JSON"))
    with pytest.raises(ValueError, match="JSON") as raised:
        parse(model="m", messages=MESSAGES, response_format=Order)
    call = notebook.call
    assert call.output is not None
    assert call.output.text == "no JSON"
    if hasattr(completions, "parse"):  # versions before that parse it when the call is over
        assert call.error is not None
        assert call.error.type == raised.type.__name__


def test_stream_helper_of_chat(notebook: Notebook, provider: ProviderServer) -> None:
    client = notebook.wrap(make_openai(provider))
    completions = client.chat.completions
    start = (
        completions.stream
        if hasattr(completions, "stream")
        else client.beta.chat.completions.stream
    )
    with start(model="m", messages=MESSAGES, llmtee_session="s") as stream:
        assert "".join(e.delta for e in stream if e.type == "content.delta") == TEXT
        assert stream.get_final_completion().choices[0].message.content == TEXT
    assert notebook.call.session == "s"
    assert notebook.call.output is not None
    assert notebook.call.output.text == TEXT
    assert "stream_options" not in notebook.records[0]["request"]


@pytest.mark.skipif(not HAS_RESPONSES, reason="this version has no Responses API")
def test_stream_helper_of_responses(notebook: Notebook, provider: ProviderServer) -> None:
    client = notebook.wrap(make_openai(provider))
    with client.responses.stream(model="m", input="hi", llmtee_session="s") as stream:
        for _ in stream:
            pass
    provider.script(Answer('{"number":17}'))
    answer = client.responses.parse(model="m", input="hi", text_format=Order)
    assert answer.output_parsed == Order(number=17)
    first, second = notebook.calls
    assert first.session == "s"
    assert (first.output is not None and first.output.text) == TEXT
    assert (second.output is not None and second.output.text) == '{"number":17}'


@pytest.mark.parametrize("beta", [False, True])
def test_stream_helper_of_messages(
    notebook: Notebook, provider: ProviderServer, *, beta: bool
) -> None:
    client = notebook.wrap(make_anthropic(provider))
    messages = client.beta.messages if beta else client.messages
    provider.script(Answer(reasoning="Let me see."))
    if hasattr(messages, "stream"):
        with messages.stream(
            model="m", max_tokens=9, messages=MESSAGES, llmtee_session="s"
        ) as stream:
            assert "".join(stream.text_stream) == TEXT
    else:  # the oldest beta has no helper
        assert beta
        for _ in messages.create(
            model="m", max_tokens=9, messages=MESSAGES, stream=True, llmtee_session="s"
        ):
            pass
    call = notebook.call
    assert call.session == "s"
    assert call.output is not None
    assert [part.type for part in call.output.parts] == ["reasoning", "text"]


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("touched", [False, True])
def test_raw_responses(
    notebook: Notebook, provider: ProviderServer, *, streams: bool, touched: bool
) -> None:
    client = make_openai(provider)
    if touched:
        _ = client.chat.completions.with_raw_response
    notebook.wrap(client)
    more = {"stream": True} if streams else {}
    raw = client.chat.completions.with_raw_response.create(
        model="m", messages=MESSAGES, llmtee_session="s", **more
    )
    assert raw.headers["x-request-id"]
    parsed = raw.parse()
    if streams:
        assert isinstance(parsed, openai.Stream)
        assert not notebook.records
        assert len(list(parsed)) == 8
    else:
        assert parsed.choices[0].message.content == TEXT
    call = notebook.call
    assert call.session == "s"
    assert call.output is not None
    assert call.output.text == TEXT


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("how", ["iter_lines", "iter_bytes", "iter_text", "read"])
def test_streaming_responses_are_read_by_the_application(
    notebook: Notebook, provider: ProviderServer, how: str, *, streams: bool
) -> None:
    more = {"stream": True} if streams else {}
    bodies = []
    for client in (make_openai(provider), notebook.wrap(make_openai(provider))):
        with client.chat.completions.with_streaming_response.create(
            model="m", messages=MESSAGES, **more
        ) as response:
            assert not notebook.records
            read = getattr(response, how)()
            bodies.append(read if how == "read" else list(read))
    plain, wrapped = bodies
    whole = [b"".join(body) if how == "iter_bytes" else body for body in (plain, wrapped)]
    assert len(whole[0]) == len(whole[1])
    assert notebook.call.output is not None
    assert notebook.call.output.text == TEXT


def test_an_asynchronous_raw_stream(stage: Stage) -> None:
    way = next(way for way in WAYS if way.name == "chat-async-stream")
    client = stage.client(way, wrapped=True)

    async def main() -> list[str]:
        create = client.chat.completions.with_streaming_response.create
        async with create(model="m", messages=MESSAGES, stream=True) as response:
            return [line async for line in response.iter_lines()]

    lines = stage.runner.run(main())
    assert "data: [DONE]" in lines
    assert stage.notebook.call.output is not None
    assert stage.notebook.call.output.text == TEXT


def test_arguments_are_left_as_they_are(notebook: Notebook, provider: ProviderServer) -> None:
    """A one-shot iterator is read once, by the SDK; a list that goes on changing is recorded as it was."""
    client = notebook.wrap(make_openai(provider))
    client.chat.completions.create(model="m", messages=iter(MESSAGES))
    growing: list[Any] = list(MESSAGES)
    client.chat.completions.create(model="m", messages=growing)
    growing.append({"role": "user", "content": "later"})
    first, second = notebook.calls
    assert [message.text for message in first.input] == ["Where is order 17?"]
    assert [message.text for message in second.input] == ["Where is order 17?"]


@pytest.mark.parametrize(
    "way", [way for way in STREAMS if way.format in ("openai-chat", "gemini")], ids=named
)
def test_missing_counts_are_said_once_and_never_zero(
    way: Way, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    client = stage.client(way, wrapped=True)
    with caplog.at_level(logging.WARNING, logger="llmtee"):
        for _ in range(2):
            stage.provider.script(Answer(usage=False))
            way.run(client, stage.runner)
    assert [call.usage for call in stage.notebook.calls] == [None, None]
    said = [record.message for record in caplog.records if "token counts" in record.message]
    assert len(said) == 1
    assert ("include_usage" in said[0]) == (way.format == "openai-chat")


def test_openai_compatible_servers_are_named(notebook: Notebook) -> None:
    body = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}
        ],
    }

    def answer(request: Any) -> Any:
        return library.Response(
            200, content=json.dumps(body), headers={"content-type": "application/json"}
        )

    # The newer versions are built on a fork of httpx.
    library: Any = importlib.import_module("httpx2" if openai.VERSION >= "3" else "httpx")
    addresses = {
        "https://api.openai.com/v1": "openai",
        "https://me.openai.azure.com/openai/v1": "azure.ai.openai",
        "https://openrouter.ai/api/v1": "openrouter",
        "https://api.groq.com/openai/v1": "groq",
        "https://api.together.xyz/v1": "together",
        "https://api.mistral.ai/v1": "mistral_ai",
        "http://localhost:11434/v1": "ollama",
        "http://inference.internal:8000/v1": "openai",
    }
    with library.Client(transport=library.MockTransport(answer)) as http:
        for address in addresses:
            client = openai.OpenAI(base_url=address, api_key="k", http_client=http)
            notebook.wrap(client).chat.completions.create(model="m", messages=MESSAGES)
    assert [call.provider for call in notebook.calls] == list(addresses.values())


def test_azure(notebook: Notebook, provider: ProviderServer) -> None:
    client = openai.AzureOpenAI(
        azure_endpoint=provider.url, api_key="k", api_version="2024-10-21", azure_deployment="d"
    )
    notebook.wrap(client).chat.completions.create(model="gpt-x", messages=MESSAGES)
    [request] = provider.requests
    assert request.path == "/openai/deployments/d/chat/completions?api-version=2024-10-21"
    assert notebook.call.model == "gpt-x"


def test_a_binary_stream_is_recorded_without_its_answer(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """As Bedrock has them."""
    stage.provider.script(
        Answer(body="\x00\x01", headers={"content-type": "application/vnd.amazon.eventstream"})
    )
    way = next(way for way in WAYS if way.name == "chat-stream")
    assert way.run(stage.client(way, wrapped=True), stage.runner) == []
    assert "incomplete" in stage.notebook.call.flags
    assert stage.notebook.call.choices == ()
    assert "recorded without their answer" in caplog.text
