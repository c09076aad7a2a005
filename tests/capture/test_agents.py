"""A real agent at each provider: tools in three rounds, streamed, and what four vendors then have of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from capture_clients import make_anthropic, make_gemini, make_openai
from google.genai import types

import llmtee
from llmtee.model import Conversation
from llmtee.testing import emulators
from llmtee.testing.providers import Answer, ProviderServer

QUESTION = "Where is order 17, and when will it be here?"
ROUNDS = [
    Answer(calls=[("find_order", {"number": 17})]),
    Answer(calls=[("find_truck", {"truck": "B-7"})]),
    Answer(calls=[("weather", {"place": "Graz"}), ("traffic", {"road": "A9"})]),
    Answer("It is in Graz and arrives tomorrow."),
]
RESULTS = {
    "find_order": {"truck": "B-7"},
    "find_truck": {"place": "Graz"},
    "weather": {"snow": False},
    "traffic": {"jam": False},
}
TOOLS = [
    {
        "name": name,
        "description": f"runs {name}",
        "parameters": {"type": "object", "properties": {}},
    }
    for name in RESULTS
]


@pytest.fixture
def vendors() -> Iterator[list[emulators.Emulator]]:
    with ExitStack() as stack:
        names = emulators.emulator_names()
        yield [stack.enter_context(emulators.emulator_class(name)()) for name in names]


def ask_openai(client: Any) -> str:
    tools = [{"type": "function", "function": tool} for tool in TOOLS]
    messages: list[Any] = [
        {"role": "system", "content": "You track orders."},
        {"role": "user", "content": QUESTION},
    ]
    while True:
        text, calls = "", {}
        for chunk in client.chat.completions.create(
            model="gpt-x",
            messages=messages,
            tools=tools,
            stream=True,
            stream_options={"include_usage": True},
        ):
            for choice in chunk.choices:
                text += choice.delta.content or ""
                for piece in choice.delta.tool_calls or ():
                    call = calls.setdefault(
                        piece.index,
                        {"id": "", "type": "function", "function": {"name": "", "arguments": ""}},
                    )
                    call["id"] += piece.id or ""
                    call["function"]["name"] += piece.function.name or ""
                    call["function"]["arguments"] += piece.function.arguments or ""
        if not calls:
            return text
        messages.append(
            {"role": "assistant", "content": text or None, "tool_calls": [*calls.values()]}
        )
        for call in calls.values():
            result = json.dumps(RESULTS[call["function"]["name"]])
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})


def ask_anthropic(client: Any) -> str:
    tools = [
        {"name": it["name"], "description": it["description"], "input_schema": it["parameters"]}
        for it in TOOLS
    ]
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    while True:
        with client.messages.stream(
            model="claude-x",
            max_tokens=999,
            system="You track orders.",
            messages=messages,
            tools=tools,
            extra_body={"thinking": {"type": "enabled", "budget_tokens": 500}},
        ) as stream:
            answer = stream.get_final_message()
        messages.append(
            {"role": "assistant", "content": [block.to_dict() for block in answer.content]}
        )
        results = [
            {
                "type": "tool_result",
                "tool_use_id": block.id,
                "content": json.dumps(RESULTS[block.name]),
            }
            for block in answer.content
            if block.type == "tool_use"
        ]
        if not results:
            return str(answer.content[-1].text)
        messages.append({"role": "user", "content": results})


def ask_gemini(client: Any) -> str:
    """The SDK runs the functions by itself, in one call of a chat."""

    def find_order(number: int) -> dict[str, Any]:
        """Finds an order."""
        return RESULTS["find_order"]

    def find_truck(truck: str) -> dict[str, Any]:
        """Finds a truck."""
        return RESULTS["find_truck"]

    def weather(place: str) -> dict[str, Any]:
        """Tells the weather."""
        return RESULTS["weather"]

    def traffic(road: str) -> dict[str, Any]:
        """Tells of the traffic."""
        return RESULTS["traffic"]

    config = types.GenerateContentConfig(
        system_instruction="You track orders.", tools=[find_order, find_truck, weather, traffic]
    )
    chat = client.chats.create(model="gemini-x", config=config)
    return str(chat.send_message(QUESTION).text)


def transcript(vendor: str, emulator: emulators.Emulator) -> list[tuple[str, Any]]:
    """What a vendor has: who said what, and which tools were called."""
    accepted = [request for request in emulator.requests if 200 <= (request.status or 0) < 300]
    items: list[Any] = []
    for request in accepted:
        if (
            request.method != "GET"
            and isinstance(request.body, dict)
            and "fingerprint" not in request.path
        ):
            items += llmtee.parse(request.body, vendor)
    conversations = [item for item in items if isinstance(item, Conversation)]
    found = conversations[-1] if conversations else llmtee.assemble(items)[0]
    lines: list[tuple[str, Any]] = []
    for message in found.messages:
        if message.text:
            lines.append((message.role, message.text))
        lines += [("calls", part.name) for part in message.tool_calls]
    if not any(kind == "calls" for kind, _ in lines):  # Roark keeps the runs beside the messages
        lines += [("calls", run.name) for run in found.tool_runs]
    return lines


@pytest.mark.parametrize(
    ("make", "ask", "thoughts"),
    [
        (make_openai, ask_openai, False),
        (make_anthropic, ask_anthropic, True),
        (make_gemini, ask_gemini, False),
    ],
    ids=["openai", "anthropic", "gemini"],
)
def test_the_transcript_is_right_at_all_four(
    make: Any,
    ask: Any,
    thoughts: Any,
    provider: ProviderServer,
    vendors: list[emulators.Emulator],
    tmp_path: Any,
) -> None:
    for number, answer in enumerate(ROUNDS):
        more = {"reasoning": f"Thought {number}."} if thoughts else {}
        provider.script(Answer(answer.text, calls=answer.calls, **more))
    with llmtee.Tee([vendor.exporter() for vendor in vendors], dir=tmp_path) as tee:
        client = tee.wrap(make(provider))
        with tee.session("s-1", agent="tracker", agent_version="v1", person="user-1"):
            assert ask(client) == "It is in Graz and arrives tomorrow."
        assert len(provider.requests) == 4
        assert tee.stats().recorded == 4
        tee.end_session("s-1")
        report = tee.flush(30)
        assert report, report
        assert not tee.dead_letters()
    for name, emulator in zip(emulators.emulator_names(), vendors, strict=True):
        lines = transcript(name, emulator)
        spoken = [line for line in lines if line[0] in ("user", "assistant")]
        assert spoken == [
            ("user", QUESTION),
            ("assistant", "It is in Graz and arrives tomorrow."),
        ], name
        called = [line[1] for line in lines if line[0] == "calls"]
        assert called == ["find_order", "find_truck", "weather", "traffic"], name
