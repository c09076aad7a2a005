"""Runs of LangChain to events of a Tee."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from capture_clients import MESSAGES, Heard, make_openai
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool

from llmtee.capture.langchain import LlmteeCallbackHandler
from llmtee.model import ModelCall, Step, ToolRun
from llmtee.testing.providers import ProviderServer


@pytest.fixture
def tee(tmp_path: Path) -> Iterator[Heard]:
    with Heard([], dir=tmp_path / "log") as made:
        yield made


@tool
def lookup(order: int) -> str:
    """Where an order is."""
    if order < 0:
        raise ValueError("no such order")
    return f"order {order} is on its way"


def answer(text: str = "On its way.") -> AIMessage:
    return AIMessage(
        text,
        usage_metadata={"input_tokens": 20, "output_tokens": 7, "total_tokens": 27},
        response_metadata={"model_name": "gpt-4.1-mini", "finish_reason": "stop"},
    )


def config(handler: LlmteeCallbackHandler, **metadata: Any) -> Any:
    return {"callbacks": [handler], "metadata": metadata}


def test_a_chain_with_a_tool_and_a_model(tee: Heard) -> None:
    model = GenericFakeChatModel(messages=iter([answer()]))
    chain = RunnableLambda(lambda order: lookup.invoke({"order": order})) | model
    with tee.session("outer", person="u-1"):
        chain.invoke(17, config=config(LlmteeCallbackHandler(tee), thread_id="s-1"))
    by_kind: dict[type, list[Any]] = {}
    for event in tee.events:
        by_kind.setdefault(type(event), []).append(event)
    [call], [run] = by_kind[ModelCall], by_kind[ToolRun]
    steps = {step.id: step for step in by_kind[Step]}
    assert call.input[0].text == "order 17 is on its way"
    assert call.output.text == "On its way."
    assert (call.usage.input_tokens, call.usage.output_tokens) == (20, 7)
    assert (run.name, run.arguments) == ("lookup", {"order": 17})
    assert call.parent in steps
    assert run.parent in steps
    assert {event.session for event in tee.events} == {"s-1"}
    assert {event.person.id for event in tee.events} == {"u-1"}
    assert len({event.trace_id for event in tee.events}) == 1
    assert all(event.ended_at >= event.started_at for event in tee.events)


def test_first_token_of_a_stream(tee: Heard) -> None:
    handler = LlmteeCallbackHandler(tee)
    model = GenericFakeChatModel(messages=iter([AIMessage("one two three")]))
    assert len(list(model.stream("Count.", config=config(handler)))) >= 3
    [call] = tee.events
    assert call.output.text == "one two three"
    assert call.started_at <= call.first_token_at <= call.ended_at
    assert not handler.run_map
    assert not handler.order_map
    assert not handler._begun


def test_errors(tee: Heard) -> None:
    handler = LlmteeCallbackHandler(tee)
    with pytest.raises(ValueError, match="no such order"):
        lookup.invoke({"order": -1}, config=config(handler, session_id="s-2"))
    model = GenericFakeChatModel(messages=iter([]))
    with pytest.raises((StopIteration, RuntimeError)):
        model.invoke("Hi", config=config(handler, session_id="s-2"))
    run, call = tee.events
    assert (run.error.type, "no such order" in run.error.message) == ("ValueError", True)
    assert call.error is not None
    assert call.input[0].text == "Hi"


def test_models_and_tools_alone(tee: Heard) -> None:
    model = GenericFakeChatModel(messages=iter([answer()]))
    chain = RunnableLambda(lambda text: text) | model
    chain.invoke("Hi", config=config(LlmteeCallbackHandler(tee, steps=False)))
    [call] = tee.events
    assert isinstance(call, ModelCall)
    assert call.parent is None  # nobody recorded the chain


def test_many_tasks(tee: Heard) -> None:
    handler = LlmteeCallbackHandler(tee)

    async def ask(number: int) -> None:
        model = GenericFakeChatModel(messages=iter([answer(str(number))]))
        await model.ainvoke(str(number), config=config(handler, thread_id=f"s-{number}"))

    async def ask_all() -> None:
        await asyncio.gather(*map(ask, range(20)))

    asyncio.run(ask_all())
    assert {event.session for event in tee.events} == {f"s-{n}" for n in range(20)}
    assert all(event.session == f"s-{event.input[0].text}" for event in tee.events)


class WithClient(BaseChatModel):
    """A model that calls OpenAI's client, as an integration does."""

    client: Any

    @property
    def _llm_type(self) -> str:
        return "with-client"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        text = self.client.chat.completions.create(model="m", messages=MESSAGES)
        message = AIMessage(text.choices[0].message.content)
        return ChatResult(generations=[ChatGeneration(message=message)])


def test_over_a_wrapped_client(
    tee: Heard, provider: ProviderServer, caplog: pytest.LogCaptureFixture
) -> None:
    client = tee.wrap(make_openai(provider))
    model, handler = WithClient(client=client), LlmteeCallbackHandler(tee)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            model.invoke("Hi", config=config(handler))
        asyncio.run(model.ainvoke("Hi", config=config(handler)))
    assert len(tee.events) == 3
    [line] = [one.getMessage() for one in caplog.records if one.name == "llmtee"]
    assert "captured by langchain and by openai" in line
    # A run that has ended claims nothing.
    client.chat.completions.create(model="m", messages=MESSAGES)
    assert len(tee.events) == 4
