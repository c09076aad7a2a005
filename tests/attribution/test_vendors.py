"""Agents, sub-agents and tools as an application observes them, and what the vendors then have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import openai
import pytest

import llmtee
from llmtee import Tee
from llmtee.model import Conversation
from llmtee.testing import emulators
from llmtee.testing.providers import Answer, ProviderServer

QUESTION = "Where is order 17?"
ANSWER = "It is in Graz."


@pytest.fixture
def vendors() -> Iterator[dict[str, Any]]:
    with ExitStack() as stack:
        names = emulators.emulator_names()
        yield {name: stack.enter_context(emulators.emulator_class(name)()) for name in names}


def ask(client: Any, system: str, question: str, tools: dict[str, Any]) -> str:
    """Calls a model until it calls no more tools."""
    offered = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
        for name in tools
    ]
    messages: list[Any] = [
        {"role": "system", "content": system},
        {"role": "user", "content": question},
    ]
    while True:
        more = {"tools": offered} if offered else {}
        said = client.chat.completions.create(model="gpt-x", messages=messages, **more)
        message = said.choices[0].message
        if not message.tool_calls:
            return str(message.content)
        messages.append(message.to_dict())
        for call in message.tool_calls:
            result = tools[call.function.name](**json.loads(call.function.arguments))
            messages.append(
                {"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)}
            )


def run_agents(tee: Tee, client: Any, provider: ProviderServer) -> None:
    """A lead that asks a researcher, which is a tool of the lead and has a tool of its own; and another tool twice."""
    provider.script(
        Answer(calls=[("research", {"question": "order 17"})]),
        Answer(calls=[("find_order", {"number": 17})]),
        Answer("Truck B-7 has it."),
        Answer(calls=[("weather", {"place": "Graz"}), ("weather", {"place": "Linz"})]),
        Answer(ANSWER),
    )

    @tee.observe(kind="tool")
    def find_order(number: int) -> dict[str, Any]:
        return {"truck": "B-7"}

    @tee.observe(kind="tool", name="research")
    @tee.agent("researcher")
    def research(question: str) -> str:
        return ask(client, "You research.", question, {"find_order": find_order})

    @tee.observe(kind="tool")
    def weather(place: str, scale: str = "C") -> dict[str, Any]:
        return {"snow": place == "Graz"}

    tools = {"research": research, "weather": weather}
    with tee.session("s-1", person="u-1"), tee.agent("lead", version="v1"):
        assert ask(client, "You lead.", QUESTION, tools) == ANSWER


def conversation(vendor: str, emulator: Any) -> Conversation:
    items: list[Any] = []
    for request in emulator.requests:
        if request.method != "GET" and request.status < 300 and "fingerprint" not in request.path:
            items += llmtee.parse(request.body, vendor)
    found = [item for item in items if isinstance(item, Conversation)]
    return found[-1] if found else llmtee.assemble(items)[0]


def test_a_sub_agent_stands_beside_the_transcript_everywhere(
    provider: ProviderServer, vendors: dict[str, Any], tmp_path: Path
) -> None:
    exporters = [vendor.exporter() for vendor in vendors.values()]
    with Tee(exporters, dir=tmp_path) as tee:
        with openai.OpenAI(base_url=provider.openai_url, api_key="k") as client:
            run_agents(tee, tee.wrap(client), provider)
        tee.end_session("s-1")
        assert tee.flush(60)
        assert not tee.dead_letters()
        assert tee.stats().bugs == 0
    for name, emulator in vendors.items():
        if name == "voker":
            continue  # it has single calls, which it puts together by itself
        found = conversation(name, emulator)
        spoken = [
            (message.role, message.text)
            for message in found.messages
            if message.role in ("user", "assistant") and message.text
        ]
        assert spoken == [("user", QUESTION), ("assistant", ANSWER)], name

    # HoneyHive has the whole tree.
    events = vendors["honeyhive"].events
    [session_id] = {event["session_id"] for event in events.values()}
    names = {key: event["event_name"] for key, event in events.items()} | {session_id: "session"}
    tree = sorted(
        (event["event_name"], names.get(event.get("parent_id"), "session"))
        for event in events.values()
    )
    assert tree == [
        ("find_order", "researcher"),
        ("gpt-x", "lead"),
        ("gpt-x", "lead"),
        ("gpt-x", "lead"),
        ("gpt-x", "researcher"),
        ("gpt-x", "researcher"),
        ("lead", "session"),
        ("research", "lead"),
        ("researcher", "research"),
        ("weather", "lead"),
        ("weather", "lead"),
    ]
    [order] = [event for event in events.values() if event["event_name"] == "find_order"]
    assert (order["inputs"], order["outputs"]) == ({"number": 17}, {"truck": "B-7"})

    # Each run is the one that the model asked for, and not one more beside it.
    [request] = [one for one in vendors["roark"].requests if one.method == "POST"]
    invocations = [
        (one["name"], one["parameters"], one["result"]) for one in request.body["toolInvocations"]
    ]
    assert sorted(invocations, key=str) == sorted(
        [
            ("research", {"question": "order 17"}, "Truck B-7 has it."),
            ("weather", {"place": "Graz"}, {"snow": True}),
            ("weather", {"place": "Linz"}, {"snow": False}),
            ("find_order", {"number": 17}, {"truck": "B-7"}),
        ],
        key=str,
    )
